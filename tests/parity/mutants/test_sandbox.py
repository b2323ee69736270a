"""A changed file is what runs, whatever was compiled of it before."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

from parity.mutants.sandbox import change_file


def test_a_change_of_the_same_size_in_the_same_second_is_what_runs(tmp_path: Path) -> None:
    file = tmp_path / "limits.py"
    file.write_text("LIMIT = 1\n")
    py_compile.compile(str(file))
    before = file.stat()
    change_file(file, b"LIMIT = 2\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    command = [sys.executable, "-c", "import limits; print(limits.LIMIT)"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
