"""What memory there is: the machine's, or less where a container is given less."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation import memory
from tests.sentences import refuses


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    limits, uses = (tmp_path / "limit", tmp_path / "none"), (tmp_path / "used", tmp_path / "none")
    monkeypatch.setattr(memory, "CGROUP_LIMITS", tuple(map(str, limits)))
    monkeypatch.setattr(memory, "CGROUP_USES", tuple(zip(limits, uses, strict=True)))
    return tmp_path


def say(container: Path, limit: str, used: str = "0") -> None:
    (container / "limit").write_text(f"{limit}\n")
    (container / "used").write_text(f"{used}\n")


def test_a_container_has_what_it_is_given_less_what_it_uses(container: Path) -> None:
    say(container, "1000", "400")
    assert (memory.machine_memory(), memory.available_memory()) == (1000, 600)
    say(container, "1000", "1400")
    assert (memory.machine_memory(), memory.available_memory()) == (1000, 0)


@pytest.mark.parametrize(
    ("stat", "available"),
    [
        ("anon 100\nfile 650\ninactive_file 550\nactive_file 100\n", 850),
        ("inactive_file 50\ntotal_cache 650\ntotal_inactive_file 550\n", 850),
        ("inactive_file 900\n", 1000),  # it was read a little later
        ("anon 100\n", 300),
        ("inactive_file some\n", 300),
        ("damaged\n", 300),
    ],
    ids=["v2", "v1", "more than is used", "none", "no number", "damaged"],
)
def test_cached_files_that_nobody_reads_are_there_to_be_had(
    container: Path, stat: str, available: int
) -> None:
    say(container, "1000", "700")
    assert memory.available_memory() == 300
    (container / "memory.stat").write_text(stat)
    assert memory.available_memory() == available


@pytest.mark.parametrize("limit", ["max", str(2**63 - 4096), None])
def test_without_a_limit_the_machine_counts(container: Path, limit: str | None) -> None:
    if limit is not None:
        say(container, limit, "400")
    there, free = memory.machine_memory(), memory.available_memory()
    assert there is not None
    assert free is not None
    assert 2**26 < free <= there < 2**50


def test_memory_of_this_machine() -> None:
    there = memory.machine_memory()
    assert there is None or there > 2**28
    memory.require_memory("this", {"a": 5.0}, {"a": "--a"}, 5)
    with refuses():
        memory.require_memory("this", {"a": 5.0, "b": 1.0}, {"a": "--a", "b": "--b"}, 5)


def test_what_the_system_says_is_free_is_in_units_of_1024_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "meminfo"
    monkeypatch.setattr(memory, "CGROUP_USES", ())
    monkeypatch.setattr(memory, "Path", lambda name: said if name == "/proc/meminfo" else Path(name))
    said.write_text("MemTotal: 9000 kB\nMemFree: 100 kB\nMemAvailable:    4000 kB\nBuffers: 7 kB\n")
    assert memory.available_memory() == 4000 * 1024
    said.write_text("MemTotal: 9000 kB\n")
    assert memory.available_memory() == memory.machine_memory()


@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
def test_the_lesser_of_machine_and_container_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """Whichever of the two places says it, as containers of either kind do."""
    there, gone = tmp_path / "limit", tmp_path / "gone"
    used = tmp_path / "used"
    used.write_text("500\n")
    places = ((there, used), (gone, gone)) if first else ((gone, gone), (there, used))
    monkeypatch.setattr(memory, "CGROUP_LIMITS", tuple(str(limit) for limit, _ in places))
    monkeypatch.setattr(memory, "CGROUP_USES", places)
    there.write_text("2000\n")
    assert (memory.machine_memory(), memory.available_memory()) == (2000, 1500)


@pytest.mark.parametrize(
    ("parts", "largest"),
    [({"a": 3.0, "b": 2.0}, "a"), ({"a": 2.0, "b": 3.0}, "b"), ({"a": 1.0, "b": 1.0, "c": 3.0}, "c")],
)
def test_all_parts_count_together_and_the_largest_is_named(
    parts: dict[str, float], largest: str
) -> None:
    lower = {name: f"--{name}" for name in parts}
    memory.require_memory("this", parts, lower, 5)
    with pytest.raises(ValueError, match=f"of it for {largest}, .*; lower --{largest}$"):
        memory.require_memory("this", parts, lower, 4)


def test_no_memory_at_all_is_a_limit_and_without_one_the_machines_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "machine_memory", lambda: 5)
    for available, room in ((0, 0.0), (None, 5.0), (7, 7.0)):
        memory.require_memory("this", {"a": room}, {"a": "--a"}, available)
        with pytest.raises(ValueError, match=f"for a, and there are {int(room)} B; lower --a"):
            memory.require_memory("this", {"a": room + 1}, {"a": "--a"}, available)
    monkeypatch.setattr(memory, "machine_memory", lambda: None)
    memory.require_memory("this", {"a": 1e30}, {"a": "--a"})
