"""Weights out and in: the one place of the port where torch, SB3 and ONNX live."""
