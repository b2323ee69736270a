"""Plots of this room are held to what they drew when somebody looked at them."""

from __future__ import annotations

from tests.drawings import drawings

__all__ = ["drawings"]
