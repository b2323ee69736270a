"""Fixtures of pages and plots."""

from tests.drawings import drawings

__all__ = ["drawings"]
