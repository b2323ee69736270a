"""The command that replays a decision log, called on logs that the strategy wrote, also spoilt ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from rltrader.live.replay import replay
from tests.ninjatrader.hosting import live_files, live_log

Lines = list[dict[str, Any]]


def run(log: Path, *options: str, data: Path | None = None) -> Result:
    return CliRunner().invoke(replay, [str(log), "--data", str(data or live_files()[0]), *options])


def report(log: Path, code: int, *options: str) -> dict[str, Any]:
    done = run(log, "--json", *options)
    assert done.exit_code == code, done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


def lines_of(phase: int) -> Lines:
    return [json.loads(line) for line in live_log(phase).read_text(encoding="utf-8").splitlines()]


def written(tmp_path: Path, lines: Lines) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
