"""Networks of the user's own, in Flax linen or nnx."""
