"""Checks of what comes from elsewhere: tensors that a file really holds, and what rounding explains."""
