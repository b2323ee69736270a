"""Adam as PyTorch computes it, and learning rates by layer."""
