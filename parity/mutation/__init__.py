"""Mutation as a measurement: small changes of the syntax tree, sampled by module."""
