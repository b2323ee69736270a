"""Write files and folders whole or not at all, and digest files.

Whatever is written lies beside its place under a hidden name first, is flushed to the disk, and is then
renamed. A reader, or a process that is killed, never sees half of it; what a killed process left beside
is removed by the next write to the same place.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import io
import itertools
import json
import math
import os
import re
import secrets
import shutil
import socket
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from foundation.errors import InputError

_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
_TOKEN = secrets.token_hex(3)
"""Tells this process from an earlier one of the same number, as in a container."""
_COUNT = itertools.count()

_ANOTHER_PLACE = "choose another place"
_FREE_SPACE = "free some space, or choose another place"
_REASONS = {
    errno.ENOSPC: f"the disk is full; {_FREE_SPACE}",
    getattr(errno, "EDQUOT", -1): f"the quota of disk space is used up; {_FREE_SPACE}",
    errno.EFBIG: f"a file may not grow as large here; {_FREE_SPACE}",
    errno.EROFS: f"this place is read-only; {_ANOTHER_PLACE}",
    errno.EACCES: f"this place is read-only for this user; {_ANOTHER_PLACE}",
    errno.EPERM: f"this place is read-only for this user; {_ANOTHER_PLACE}",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ENOTDIR: f"a folder above it is a file; {_ANOTHER_PLACE}",
    errno.EEXIST: f"there is a file of that name, or a folder above it is a file; {_ANOTHER_PLACE}",
    errno.EISDIR: f"there is a folder of that name; {_ANOTHER_PLACE}",
    errno.ENOTEMPTY: f"there is a folder of that name with other files in it; {_ANOTHER_PLACE}",
}
_FULL = 64 * 1024
"""A disk with fewer free bytes is full: libraries raise errors of their own when a write fails."""


class WriteError(InputError):
    """A file or folder cannot be written.

    Attributes:
        reason: why, and what to do.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: cannot be written: {reason}")
        self.reason = reason


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path to write to; on leaving, the file there is moved to ``path``.

    Folders above are made. On an exception the place stays as it was.

    Raises:
        WriteError: the disk is full, the place is read-only, or the like.
    """
    with writing(Path(path)), atomic_files([path]) as (beside,):
        yield beside


@contextmanager
def atomic_files(paths: Sequence[str | os.PathLike[str]]) -> Iterator[list[Path]]:
    """Yield paths to write files to that belong together; on leaving, all are moved to their places.

    On an exception, or a kill before all are written, the places stay as they were. Of files that were
    there before, all but the first are removed before the first is replaced: a process that is killed
    between two moves leaves new files alone, and never new ones beside old ones. A place that is a
    symbolic link stays one: what it leads to is written.

    Raises:
        WriteError: the disk is full, a place is read-only, or the like.
    """
    places = [Path(path) for path in paths]
    targets: list[Path] = []
    made: list[Path] = []
    try:
        for place in places:
            with writing(place):
                _refuse_other_kinds(place)
                targets.append(_followed(place))
                targets[-1].parent.mkdir(parents=True, exist_ok=True)
                made.append(_beside(targets[-1]))
                made[-1].touch(exist_ok=False)  # what is wrong with a place is found before any work
        yield list(made)
        for place, beside in zip(places, made, strict=True):
            with writing(place):
                _flush(beside)
        for place, target in list(zip(places, targets, strict=True))[1:]:
            with writing(place):
                target.unlink(missing_ok=True)
        for place, target, beside in zip(places, targets, made, strict=True):
            with writing(place):
                beside.replace(target)
                _flush(target.parent)
    finally:
        for beside in made:
            beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str], replaces: Collection[str] = ()) -> Iterator[Path]:
    """Yield an empty folder to write into; on leaving, its files are moved to ``path`` together.

    On an exception the place stays as it was. Where there is no folder yet, or one that holds nothing
    but ``replaces``, all change in one step; beside other files, they are renamed one after another. A
    folder that is a symbolic link stays one: the folder that it leads to is written.

    Args:
        path: the folder; folders above are made.
        replaces: names that an earlier write may have left there, and that go if not written anew.

    Raises:
        WriteError: the disk is full, the place is read-only, or the like.
    """
    target = _followed(path)
    with writing(Path(path)):
        if target.exists() and not target.is_dir():
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        target.parent.mkdir(parents=True, exist_ok=True)
        made = _beside(target)
        try:
            try:
                made.mkdir()
            except OSError:
                if not target.is_dir():
                    raise
                made = _beside(target / target.name)  # the folder may be ours, but not what is above
                made.mkdir()
            yield made
            for root, _, names in os.walk(made):
                for name in names:
                    _flush(Path(root, name))
                _flush(Path(root))
            _move(made, target, set(replaces))
            _flush(target.parent)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def write_bytes(path: str | os.PathLike[str], data: bytes | memoryview) -> Path:
    """Write bytes as a file, whole or not at all; return its path.

    Raises:
        WriteError: the disk is full, the place is read-only, or the like.
    """
    with atomic_file(path) as beside:
        beside.write_bytes(data)
    return Path(path)


def write_from_memory(path: str | os.PathLike[str], save: Callable[[io.BytesIO], object]) -> Path:
    """Write what ``save`` puts into a stream as a file, whole or not at all; return its path.

    For libraries whose own writers of files end the whole process where the disk is full, as torch's.

    Raises:
        WriteError: the disk is full, the place is read-only, or the like.
    """
    made = io.BytesIO()
    save(made)
    return write_bytes(path, made.getbuffer())


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write text as UTF-8, whole or not at all; return the file's path.

    Raises:
        WriteError: the disk is full, the place is read-only, or the like.
    """
    return write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], values: Any, indent: int | None = 1) -> Path:
    """Write plain values as JSON, whole or not at all; return the file's path.

    JSON has no NaN and no infinity: a float that is not finite becomes null. Without ``indent`` there
    is no white space.

    Raises:
        WriteError: the disk is full, the place is read-only, or the like.
    """
    return write_text(path, to_json(values, indent))


def write_files(
    folder: str | os.PathLike[str], contents: Mapping[str, Any], replaces: Collection[str] = ()
) -> None:
    """Write files into a folder, all or none: text as it is, other values as JSON.

    Args:
        folder: made where it is missing; other files in it stay.
        contents: what to write, by the files' names.
        replaces: names of others that go.

    Raises:
        WriteError: the folder cannot be written to.
    """
    with atomic_folder(folder, replaces=(*contents, *replaces)) as made:
        for name, content in contents.items():
            if isinstance(content, str):
                write_text(made / name, content)
            else:
                write_json(made / name, content)


def to_json(values: Any, indent: int | None = None) -> str:
    """Return plain values as the JSON text of a file; floats that are not finite are null."""
    separators = (",", ":") if indent is None else None
    return json.dumps(finite(values), indent=indent, separators=separators, allow_nan=False) + "\n"


def finite(values: Any) -> Any:
    """Return nested plain values with None for every float that is not finite."""
    if isinstance(values, Mapping):
        return {key: finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [finite(value) for value in values]
    if isinstance(values, float) and not math.isfinite(values):
        return None
    return values


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return a file's SHA-256, in hex.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); give a file that can be"
        ) from None


def json_digest(values: Any) -> str:
    """Return the SHA-256 of plain values, in hex; the order of a mapping's names does not count."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong when ``path`` is written into one sentence; for writers that append.

    Raises:
        WriteError: the disk is full, the place is read-only, or the like.
    """
    try:
        yield
    except WriteError as error:  # of a file inside the folder that is not there yet
        raise WriteError(path, error.reason) from None
    except OSError as error:
        default = f"{error.strerror or error}; {_ANOTHER_PLACE}"
        raise WriteError(path, _REASONS.get(error.errno or 0, default)) from None
    except InputError:
        raise
    except Exception as error:
        if _is_full(path):
            raise WriteError(path, _REASONS[errno.ENOSPC]) from None
        for code, reason in _REASONS.items():  # libraries pass the system's words on
            if code > 0 and os.strerror(code) in str(error):
                raise WriteError(path, reason) from None
        raise


def _is_full(path: Path) -> bool:
    for place in (path, *path.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(place).free < _FULL
    return False


def _followed(path: str | os.PathLike[str]) -> Path:
    """Return where symbolic links lead; renaming something to a link would replace the link itself."""
    return Path(os.path.realpath(path))


def _refuse_other_kinds(path: Path) -> None:
    """Refuse a folder, and what is no file to replace, such as ``/dev/null``."""
    if path.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():
        raise WriteError(path, f"it is no ordinary file; {_ANOTHER_PLACE}")


def _beside(path: Path) -> Path:
    """Return a hidden name in the same folder; remove what killed processes left under such names."""
    leftover = re.compile(rf"\.{re.escape(path.name)}\.{_HOST}-(\d+)-([0-9a-f]+)-\d+\.tmp")
    with suppress(OSError):
        for entry in list(path.parent.iterdir()):
            match = leftover.fullmatch(entry.name)
            if match and not _is_alive(int(match[1]), match[2]):
                _remove(entry)
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}-{_TOKEN}-{next(_COUNT)}.tmp")


def _is_alive(process: int, token: str) -> bool:
    if process == os.getpid():
        return token == _TOKEN
    if os.name != "posix":
        return True  # asking there would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Ask the system to put a file, or a folder's list of names, on the disk."""
    if os.name != "posix" and path.is_dir():
        return
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # not every file system can
            raise
    finally:
        os.close(file)


def _move(made: Path, target: Path, replaces: set[str]) -> None:
    """Move a finished folder, or its entries, to their place; see :func:`atomic_folder`."""
    if not target.exists():
        made.rename(target)
        return
    written = {entry.name for entry in made.iterdir()}
    there = {entry.name for entry in target.iterdir() if entry.name != made.name}
    if there <= replaces | written and not _is_in_use(target, made) and _exchange(made, target):
        return
    for name in sorted(there & replaces - written):
        _remove(target / name)
    for name in sorted(written):
        (made / name).replace(target / name)


def _is_in_use(target: Path, made: Path) -> bool:
    """Say whether a folder must stay itself: somebody's working folder is in it, or the new one."""
    place = target.resolve()
    return place in (Path.cwd(), *Path.cwd().parents) or place in made.resolve().parents


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; return False where the system cannot."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if rename is None:
        return False
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)
