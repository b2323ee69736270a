"""A policy that is advised: fusion at the action, and how it compares with what it is made of."""
