"""Files and folders that are written appear whole or not at all, and a refusal is one sentence."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foundation import files
from foundation.files import WriteError, atomic_file, atomic_files, atomic_folder, finite, write_text
from tests.sentences import refuses


def write_and_fail(path: Path, error: Exception) -> None:
    with atomic_file(path) as beside:
        beside.write_text("new")
        raise error


def fill_and_fail(place: Path, error: Exception) -> None:
    with atomic_folder(place, replaces=("a", "b")) as made, atomic_file(made / "a") as beside:
        beside.write_text("new")
        raise error


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_replaces_the_one_before_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "a.txt"
    for text in ("one\n", "two ü\n"):
        assert write_text(path, text) == path
        assert path.read_bytes() == text.encode()
    assert names(path.parent) == ["a.txt"]


def test_on_an_exception_the_place_stays_as_it_was(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyError):
        write_and_fail(path, KeyError())
    assert (path.read_text(), names(tmp_path)) == ("old", ["a.txt"])


def test_digests(tmp_path: Path) -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert files.file_digest(write_text(tmp_path / "a", "")) == empty
    assert (
        files.json_digest({"a": 1, "b": 2})
        == files.json_digest({"b": 2, "a": 1})
        != files.json_digest({"a": 2, "b": 1})
    )
    with refuses():
        files.file_digest(tmp_path / "nothing")


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "out"
    with atomic_folder(place) as made:
        write_text(made / "a", "1")
        assert not place.exists()
    assert names(place) == ["a"]
    assert names(place.parent) == ["out"]


def fill(place: Path, **contents: str) -> None:
    with atomic_folder(place, replaces=("a", "b")) as made:
        for name, text in contents.items():
            write_text(made / name, text)


def contents(place: Path) -> dict[str, str]:
    return {entry.name: entry.read_text() for entry in place.iterdir()}


def test_a_folder_replaces_its_own_files_in_one_step(tmp_path: Path) -> None:
    place = tmp_path / "out"
    fill(place, a="1", b="1")
    before = place.stat().st_ino
    fill(place, a="2")
    assert contents(place) == {"a": "2"}
    if sys.platform == "linux":
        assert place.stat().st_ino != before  # the whole folder was exchanged
        fill(place, c="3")
        before = place.stat().st_ino
        fill(place, c="4")  # which this write replaces, and an earlier one need not have left
        assert place.stat().st_ino != before
    assert names(tmp_path) == ["out"]


def test_files_of_others_in_a_folder_stay(tmp_path: Path) -> None:
    place = tmp_path / "out"
    fill(place, a="1", b="1")
    (place / "notes").write_text("mine")
    for text in "23":
        fill(place, c=text)
        assert contents(place) == {"c": text, "notes": "mine"}
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("before", [{}, {"a": "1", "b": "1"}, {"notes": "mine"}, None])
def test_a_folder_that_is_a_link_stays_one(tmp_path: Path, before: dict[str, str] | None) -> None:
    """Empty, with an earlier write, with other files, and not there yet."""
    place, real = tmp_path / "reports", tmp_path / "large" / "reports"
    real.parent.mkdir()
    if before is not None:
        real.mkdir()
    for name, text in (before or {}).items():
        (real / name).write_text(text)
    place.symlink_to(real)
    fill(place, a="2")
    assert place.readlink() == real
    assert contents(real) == {"a": "2"} | {k: v for k, v in (before or {}).items() if k == "notes"}
    assert names(tmp_path) == ["large", "reports"]
    assert names(real.parent) == ["reports"]


@pytest.mark.parametrize("before", [True, False])
def test_a_file_that_is_a_link_stays_one(tmp_path: Path, before: bool) -> None:
    place, real = tmp_path / "a", tmp_path / "large" / "a"
    real.parent.mkdir()
    if before:
        real.write_text("old")
    place.symlink_to(Path("large", "a"))
    write_text(place, "new")
    assert place.is_symlink()
    assert real.read_text() == "new"
    assert names(tmp_path) == ["a", "large"]
    assert names(real.parent) == ["a"]


def test_the_working_folder_stays_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, a="1", b="1")
    monkeypatch.chdir(tmp_path)
    fill(Path(), a="2")
    assert contents(Path()) == {"a": "2"}
    assert Path("a").read_text() == (tmp_path / "a").read_text()


def test_a_working_folder_below_stays_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "out"
    (place / "a" / "deep").mkdir(parents=True)
    monkeypatch.chdir(place / "a" / "deep")
    before = place.stat().st_ino
    with atomic_folder(place, replaces=("a", "b")) as made:
        write_text(made / "b", "2")
    assert place.stat().st_ino == before
    assert names(place) == ["b"]


def test_an_exception_in_a_folder_leaves_the_old_whole(tmp_path: Path) -> None:
    place = tmp_path / "out"
    fill(place, a="1", b="1")
    with pytest.raises(KeyError):
        fill_and_fail(place, KeyError())
    assert contents(place) == {"a": "1", "b": "1"}
    assert names(tmp_path) == ["out"]


def test_refusals_are_one_sentence_that_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # no ordinary file, as /dev/null is none, which root could replace
    for path in (
        tmp_path / "file" / "deep" / "a",
        tmp_path / "file" / "a",
        tmp_path / "folder",
        tmp_path / ("x" * 300),
        tmp_path / "pipe",
    ):
        with refuses(kind=WriteError):
            write_text(path, "x")
    for path in (tmp_path / "file", tmp_path / ("x" * 300)):
        with refuses(kind=WriteError), atomic_folder(path):
            pass
    assert names(tmp_path) == ["file", "folder", "pipe"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_is_named_whoever_notices_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_system = OSError(errno.ENOSPC, "No space left on device")
    of_a_library = RuntimeError("file write failed")
    with refuses(kind=WriteError):
        write_and_fail(tmp_path / "a", of_the_system)
    with refuses(kind=WriteError):
        fill_and_fail(tmp_path / "out", of_the_system)
    with pytest.raises(RuntimeError):
        write_and_fail(tmp_path / "a", of_a_library)
    monkeypatch.setattr(files, "_FULL", 1 << 60)
    with refuses(kind=WriteError):
        write_and_fail(tmp_path / "a", of_a_library)
    assert names(tmp_path) == []


def write_to_a_full_disk(path: Path) -> None:
    with atomic_file(path) as beside:
        beside.unlink()
        beside.symlink_to("/dev/full")
        beside.write_text("x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_in_earnest(tmp_path: Path) -> None:
    with refuses(kind=WriteError):
        write_to_a_full_disk(tmp_path / "a")
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with refuses(kind=WriteError):
        write_text(tmp_path / "a", "x")
    tmp_path.chmod(0o700)


KILLED = """
import os, sys, time
from foundation.files import atomic_file, atomic_folder
kind = atomic_file if sys.argv[2] == "file" else atomic_folder
with kind(sys.argv[1]) as beside:
    (beside if beside.is_file() else beside / "a").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(place), kind], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    left = names(tmp_path)
    assert len(left) == 1
    assert left[0].startswith(".place.")
    write_text(tmp_path / "other", "x")
    write_or_fill(place, kind)  # the other process lives: what is its own stays
    assert len(names(tmp_path)) == 3
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    write_or_fill(place, kind)
    assert names(tmp_path) == ["other", "place"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_an_earlier_process_of_the_same_number_left_is_removed(tmp_path: Path, kind: str) -> None:
    """In a container every run has the same number; what this process writes just now stays."""
    place = tmp_path / "place"
    with atomic_file(place) if kind == "file" else atomic_folder(place) as own:
        start, token, end = own.name.rsplit("-", 2)
        host = start.split(".")[2].partition("-")[0]
        other = "0" * len(token) if token != "0" * len(token) else "1" * len(token)
        killed = [f"{start}-{other}-{end}", f"{start}-{other}-77.tmp"]
        of_others = [own.name.replace(host, "0" * len(host)), own.name.replace("place", "places")]
        for name in (*killed, *of_others):
            (tmp_path / name).mkdir() if kind == "folder" else (tmp_path / name).touch()
        write_or_fill(place, kind)
        assert names(tmp_path) == sorted([own.name, "place", *of_others])
    assert names(tmp_path) == sorted(["place", *of_others])


def test_a_process_that_may_not_be_asked_is_another_user_s_and_alive() -> None:
    root = hasattr(os, "setresuid") and os.getuid() == 0  # as the first process's user is
    if root:
        os.setresuid(65_534, 65_534, 0)
    alive = files._is_alive(1, "0")
    if root:
        os.setresuid(0, 0, 0)
    assert alive


def write_or_fill(place: Path, kind: str) -> None:
    if kind == "file":
        write_text(place, "whole")
    else:
        fill(place, a="whole")


SWAPS = """
import sys
from foundation.files import atomic_folder
for number in range(10**6):
    with atomic_folder(sys.argv[1], replaces=("a", "b")) as made:
        for name in "ab":
            (made / name).write_text(str(number))
    if number == 0:
        print("ready", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="folders are exchanged in one step on Linux")
def test_killed_at_any_moment_a_folder_is_the_old_whole_or_the_new_whole(tmp_path: Path) -> None:
    place = tmp_path / "out"
    for wait in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", SWAPS, str(place)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.013 * wait)
        process.kill()
        process.wait()
        process.stdout.close()
        assert len(set(contents(place).values())) == 1
        assert names(place) == ["a", "b"]


def test_what_a_library_saves_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    assert files.write_from_memory(path, lambda stream: stream.write(b"old")) == path

    def save(stream: io.BytesIO) -> None:
        stream.write(b"half")
        raise ValueError("no more")

    with refuses(kind=ValueError):
        files.write_from_memory(path, save)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_belong_together_are_never_new_beside_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [tmp_path / name for name in ("one", "other", "third")]

    def write(text: str) -> None:
        with atomic_files(places) as besides:
            assert not {beside.parent for beside in besides} - {tmp_path}
            for beside in besides:
                beside.write_text(text)

    write("old")
    seen = []
    replace = Path.replace

    def look(self: Path, target: Path) -> Path:
        seen.append([path.read_text() for path in places if path.exists()])
        made = replace(self, target)
        seen.append([path.read_text() for path in places if path.exists()])
        return made

    monkeypatch.setattr(Path, "replace", look)
    write("new")
    assert seen == [["old"], *(["new"] * count for count in (1, 1, 2, 2, 3))]

    def fail() -> None:
        with atomic_files(places) as (left, *_):
            write_and_fail(left, RuntimeError())

    with pytest.raises(RuntimeError):
        fail()
    assert contents(tmp_path) == dict.fromkeys(("one", "other", "third"), "new")
    with refuses(kind=WriteError), atomic_files([places[0], tmp_path]):
        pass


def test_all_of_a_folder_is_on_the_disk_before_it_is_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []

    def noted(path: Path) -> None:
        assert path.name == tmp_path.name or not (tmp_path / "made").exists()
        flushed.append(path.name)

    monkeypatch.setattr("foundation.files._flush", noted)
    write_text(tmp_path / "a", "1")  # a file, and then its folder's list of names
    assert [name[:3] for name in flushed] == [".a.", tmp_path.name[:3]]
    flushed.clear()
    with atomic_folder(tmp_path / "made") as made:
        beside = made.name
        (made / "below").mkdir()
        (made / "below/one").touch()
        (made / "two").touch()
        (made / "three").touch()
    assert sorted(flushed) == sorted(["one", "below", "two", "three", beside, tmp_path.name])
    assert flushed[-1] == tmp_path.name


def test_what_is_no_number_becomes_null_also_within_a_tuple() -> None:
    values = finite({"a": (1.0, float("nan")), "b": [(float("inf"),)]})
    assert values == {"a": [1.0, None], "b": [[None]]}
