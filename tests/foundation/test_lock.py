"""One process at a time works in a folder, and a dead one holds nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.errors import InputError
from foundation.files import WriteError, atomic_folder, write_text
from foundation.lock import NAME, folder_lock
from tests.sentences import refuses

HOLDER = """
import sys, time
from pathlib import Path
from foundation.lock import folder_lock
with folder_lock(Path(sys.argv[1]), "trains"):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with holder(folder) as process:
        with (
            refuses(r"process \d+"),
            folder_lock(folder, "trains"),
        ):
            pass
        process.kill()
        process.wait()
        assert (folder / NAME).exists()  # nobody could take it away
        with folder_lock(folder, "trains"):
            assert (folder / NAME).read_text() == str(os.getpid())
    assert list(folder.iterdir()) == []


def test_a_lock_file_of_another_machine_or_of_nobody_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("1")
    with folder_lock(tmp_path, "trains"):
        pass
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize(
    "left", ["", "1", "1" * 10, "9" * 30, "no number\n", "12345678901234567890\n7\n"]
)
def test_the_process_that_holds_a_folder_is_named_whatever_a_killed_one_left(
    tmp_path: Path, left: str
) -> None:
    (tmp_path / NAME).write_text(left)
    with folder_lock(tmp_path, "trains"):
        assert (tmp_path / NAME).read_text() == str(os.getpid())
        with pytest.raises(InputError) as refused, folder_lock(tmp_path, "trains"):
            pass
    said = f"{tmp_path}: process {os.getpid()} trains here already; wait for its end, or stop it"
    assert str(refused.value) == said


def test_the_lock_is_released_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), folder_lock(tmp_path, "trains"):
        raise RuntimeError
    with folder_lock(tmp_path, "trains"):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        refuses(kind=WriteError),
        folder_lock(tmp_path / "file" / "run", "trains"),
    ):
        pass


def test_a_full_disk_is_told_and_no_lock_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def full(handle: int, data: bytes, offset: int) -> int:
        tries.append(handle)
        if len(tries) > 3:
            pytest.fail("it tries again and again")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with refuses(kind=WriteError), folder_lock(tmp_path, "trains"):
        pass
    assert len(tries) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_was_removed_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, made = os.open, []

    def removed(path: Path, *options: int) -> int:
        made.append(opened(path, *options))
        if len(made) == 1:  # whoever held it before has just let go of it
            path.unlink()
        return made[-1]

    monkeypatch.setattr(os, "open", removed)
    with folder_lock(tmp_path, "trains"):
        assert (tmp_path / NAME).read_text() == str(os.getpid())
    assert len(made) == 2


def refused_work(folder: Path, writes: tuple[str, ...] = ()) -> None:
    """Hold a folder, write files into it, and be refused."""
    with folder_lock(folder, "trains"):
        assert folder.is_dir()
        for name in writes:
            (folder / name).write_text("a line")
        raise InputError("refused")


@pytest.mark.parametrize("there", [False, True], ids=["made", "there before"])
def test_a_folder_made_for_refused_work_is_gone_again(there: bool, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    if there:
        folder.mkdir()
    with pytest.raises(InputError, match="refused"):
        refused_work(folder)
    assert folder.exists() == there
    with pytest.raises(InputError, match="refused"):
        refused_work(folder, ("log",))
    assert [path.name for path in folder.iterdir()] == ["log"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of open files")
def test_no_file_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of folders that were held, were held by another, or could not be; nor of what was written."""

    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def refused() -> None:
        with pytest.raises(InputError, match="trains here already"), folder_lock(tmp_path, "trains"):
            pass

    before = opened()
    with folder_lock(tmp_path, "trains"):
        held = opened()
        refused()
        assert opened() == held == before + 1
    write_text(tmp_path / "a", "1")
    with atomic_folder(tmp_path / "made") as made:
        write_text(made / "b", "2")
    assert opened() == before
    monkeypatch.setattr("foundation.lock._is_at", lambda path, handle: path.unlink() or next(there))
    there = iter((False, False, True))
    with folder_lock(tmp_path, "trains"):
        assert opened() == before + 1
    monkeypatch.setattr(os, "truncate", lambda *given: os.close(-1))
    there = iter((True,))
    with pytest.raises(WriteError), folder_lock(tmp_path, "trains"):
        pass
    assert opened() == before
