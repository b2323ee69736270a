"""Pairs: what the engine is told of two sides that claim to be the same."""
