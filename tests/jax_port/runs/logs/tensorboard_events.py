"""TensorBoard's files read back."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def events_in(files: Iterable[Path]) -> list[Any]:
    """Return TensorBoard's events of files: length, its checksum, an event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for file in files:
        data, at = file.read_bytes(), 0
        while at < len(data):
            (size,) = struct.unpack_from("<Q", data, at)
            found.append(Event.FromString(data[at + 12 : at + 12 + size]))
            at += 16 + size
    return found


def events_of(folder: Path) -> list[Any]:
    """Return the events of all files of a folder."""
    return events_in(sorted(folder.iterdir()))
