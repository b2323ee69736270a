"""Questions of the contract between an environment and whoever trains on it, each with its answer."""
