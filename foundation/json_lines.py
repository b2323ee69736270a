"""Files of JSON lines, each written as soon as it is known, so that a run that was cut off goes on.

It goes on with the same question alone: :func:`require_same` holds it to the one it was begun with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foundation.errors import InputError
from foundation.files import to_json, write_json, write_text
from foundation.json_reading import Artifact, decode_json, read_json

Line = Mapping[str, Any]
ASKED = Artifact("account of what a run was asked", "remove what lies beside it to begin anew")


def read_json_lines(path: Path, artifact: Artifact) -> list[dict[str, Any]]:
    """Return the lines of a file, none where there is no file; a last line that was cut off is dropped.

    Lines are written as ASCII, so a file that is no UTF-8 was not cut off, but is none of ours.

    Raises:
        InputError: a line before the last is damaged, or the file is no UTF-8 or too large.
    """
    if not path.exists():
        return []
    try:
        texts = artifact.read(path).decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise artifact.damaged(path, f"no UTF-8 at byte {error.start:,}") from None
    if not texts[-1]:
        texts.pop()
    lines = []
    for number, text in enumerate(texts, 1):
        try:
            lines.append(decode_json(text, dict[str, Any], artifact, where=f"{path}, line {number}"))
        except InputError:
            if number < len(texts):
                raise
    return lines


@contextmanager
def adding_lines(path: Path, before: Sequence[Line]) -> Iterator[Callable[[Line], None]]:
    """Yield what writes one more line of a file at once, behind those that are kept of it.

    Args:
        path: the file, which holds the lines of ``before`` afterwards and no others.
        before: lines to begin with, as :func:`read_json_lines` gave them.
    """
    write_text(path, "".join(map(to_json, before)))
    with path.open("a", encoding="utf-8") as file:

        def add(line: Line) -> None:
            file.write(to_json(line))
            file.flush()

        yield add


def require_same(path: Path, asked: Mapping[str, Any], begun: bool) -> None:
    """Refuse to go on with results of another question; write the question down where none are there.

    Args:
        path: of the account, beside the results.
        asked: plain values by name: settings, and digests of what else decides on the results.
        begun: whether results are there already.

    Raises:
        InputError: they were made with something else, or nobody knows with what; says what differs.
    """
    wanted = decode_json(json.dumps(asked).encode(), dict[str, Any], ASKED, where=path)
    if not begun:
        write_json(path, wanted)
        return
    before = read_json(path, dict[str, Any], ASKED) if path.exists() else {}
    differ = sorted(name for name in {*wanted, *before} if wanted.get(name) != before.get(name))
    if differ:
        raise InputError(
            f"{path.parent}: what is there was made with other {', '.join(differ)}; choose another "
            "place, or remove it to begin anew"
        )
