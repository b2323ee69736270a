"""Checks of what comes from elsewhere: tensors and pickles as a file holds them, what rounding does."""
