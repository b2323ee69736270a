"""A policy that is advised: what it is given at each bar, and the fusion at its action."""
