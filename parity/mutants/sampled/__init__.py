"""Mutation of the trading port as a measurement: a seeded sample of small changes, by module."""
