"""Comparison of a policy with and without advice: every arm on the same days, and its page."""
