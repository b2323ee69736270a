"""Base of the declared objects that reports are made of."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Immutable object whose JSON holds its declared fields and nothing else; defaults are left out."""
