"""Parity of any environment with any port of it: declare a pair, verify it, read the report."""
