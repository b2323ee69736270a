"""Suites of the gate: each turns bars and settings into check results."""
