"""All that is measured on an accelerator, in one command: ``python -m benchmarks.accelerator``."""
