"""Commands around an advisor beside the policy."""
