"""The two sides of a pair, driven alike: environments that change, and pure functions."""
