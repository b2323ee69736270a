"""Mutants of the sample that change nothing that can be reached: (file, old text, new text)."""

from __future__ import annotations

EQUIVALENT: tuple[tuple[str, str, str], ...] = ()
"""Each with its reason as a comment beside it; none has been judged yet."""
