import json
from pathlib import Path
from typing import Any

from benchmarks.accelerator.recorder import Recorder


class Clock:
    """Seconds that go on when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def written(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text())
    return values


def test_a_row_is_on_disk_before_its_part_ends(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    recorder = Recorder(path, 100.0)
    with recorder.part("first", needs=1) as part:
        part.add({"speed": 3})
        assert written(path)["parts"]["first"]["rows"] == [{"speed": 3}]
        part.note(best=3)
        assert written(path)["parts"]["first"]["best"] == 3


def test_a_part_that_fails_keeps_its_rows_and_the_next_begins(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "report.json", 100.0)
    with recorder.part("first", needs=1) as part:
        part.add({"speed": 3})
        raise RuntimeError("out of memory\nand more")
    with recorder.part("second", needs=1) as part:
        assert part.enough
    parts = written(tmp_path / "report.json")["parts"]
    assert parts["first"]["error"] == "RuntimeError: out of memory"
    assert parts["first"]["rows"] == [{"speed": 3}]
    assert "error" not in parts["second"]


def test_a_part_without_enough_time_is_left_out(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(tmp_path / "report.json", 100.0, clock)
    clock.now = 60.0
    with recorder.part("long", needs=50) as part:
        assert not part.enough
    with recorder.part("short", needs=30) as part:
        assert part.enough
        clock.now = 70.0
    values = written(tmp_path / "report.json")
    assert values["parts"]["long"]["error"] == "left out: 40 s were left, it takes 50 s"
    assert values["parts"]["short"]["seconds"] == 10.0
    assert values["elapsed_seconds"] == 70.0
