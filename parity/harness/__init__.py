"""Parity of any environment with any port of it: declare a pair, verify it, read the report."""

from foundation.own_parity import stranger

if _sentence := stranger():
    raise ImportError(_sentence)
