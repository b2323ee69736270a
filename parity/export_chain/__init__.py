"""The chain JAX = PyTorch = SB3 = ONNX = C#, from raw bars to action, measured at every hop."""
