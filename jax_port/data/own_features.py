"""Policies that were trained on features of a file's own, which nobody computes from raw bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax_port.data.trained_contract import data_entries
from markets import InputError


def require_computed_features(about: Mapping[str, Any], mend: str) -> None:
    """Refuse a policy of a file's own features where features are computed from bars.

    Args:
        about: a policy's ``about``; one that does not say what it was trained on is let pass.
        mend: what to do instead.

    Raises:
        InputError: naming what it was trained on.
    """
    for entry in data_entries(about):
        if entry.get("features") == "precomputed":
            raise InputError(
                f"the policy was trained on features that {entry.get('source')} brought along, and "
                f"those computed from bars are others; {mend}"
            )
