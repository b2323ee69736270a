"""What a folder holds, and whether all of it is whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file


def contents(folder: Path) -> dict[str, str]:
    """Return the digest of every file of a folder, by its name there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def unsound(folder: Path) -> str:
    """Say which file of a folder is not whole; empty where all are."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.endswith(".tmp"):
            continue
        data = path.read_bytes()
        try:
            if path.suffix == ".json":
                json.loads(data)
            elif path.suffix == ".safetensors":
                load_file(path)
            elif path.suffix == ".jsonl":  # what is appended is mended by those who go on
                for line in data.split(b"\n")[:-1]:
                    json.loads(line)
            elif path.suffix == ".html" and not data.rstrip().endswith(b"</html>"):
                return f"{path.name} is cut off"
        except (ValueError, SafetensorError) as error:
            return f"{path.name} is not whole ({error})"
        appended = path.suffix in (".jsonl", ".lock", "") or ".tfevents." in path.name
        if not data and not appended:
            return f"{path.name} is empty"
    return ""


def leftovers(folder: Path) -> list[str]:
    """Return the names of half-written files and folders."""
    return [path.name for path in folder.rglob("*.tmp")]
