"""Pairs of environments that claim to be the same: how each side is driven, read and compared."""
