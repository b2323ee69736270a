"""A processed CSV: the canonical columns and the eleven features under their names.

``close`` and ``volume`` are bar and feature at once, so nine columns come on top of the canonical
six. The features are used only when the user says so; otherwise they are computed afresh.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from markets.bars import FEATURES
from markets.readers import canonical
from markets.readers.table import Options


def read(path: Path, options: Options) -> pd.DataFrame:
    """Return bars and features on their UTC index; see ``read_frame``."""
    return canonical.read(path, options, features=FEATURES)
