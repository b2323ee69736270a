"""Damaged files of a run: each is refused by a sentence that names it, or read as what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jax_port.ppo.settings import TrainSettings
from jax_port.runs import lineage
from jax_port.runs.logs.training_log import LOG, TrainingLog, read_log
from jax_port.runs.plan import FORMAT, Plan, read_plan
from jax_port.runs.run_file import RUN, note_lineage, shown_proof
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig
from tests.damage import damaged, damaged_bytes, refusal
from tests.sentences import refuses

PLAN = Plan(
    settings=TrainSettings(layer_lr=(("policy_0", 0.5),)),
    data=TrainingData((Source("ES", "bars.csv", reader={"snap": True}),), "2025-01-01", ""),
    config=EnvConfig.phase2(),
    agents=({"seed": 3}, {"learning_rate": 0.001}),
    certificate="ungated",
    initial={"path": "x", "sha256": "0"},
)


def test_a_run_with_one_value_damaged_is_refused_by_name_or_read_as_it_says(tmp_path: Path) -> None:
    values = {"plan": PLAN.to_dict(), "made": {}}
    path = tmp_path / RUN
    refused = 0
    for what, made in damaged(json.loads(json.dumps(values))):
        path.write_text(json.dumps(made))
        sentence = refusal(lambda: read_plan(tmp_path))
        if sentence is not None:
            assert sentence.startswith(f"{path}: "), what
            refused += 1
            continue
        again = json.loads(json.dumps(read_plan(tmp_path).to_dict()))
        assert set(again) == set(values["plan"]), what
        assert again["format"] == FORMAT
    assert refused > 500


def test_a_run_of_damaged_bytes_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / RUN
    good = json.dumps({"plan": PLAN.to_dict(), "made": {}}).encode()
    for data in damaged_bytes(good):
        path.write_bytes(data)
        sentence = refusal(lambda: read_plan(tmp_path))
        assert sentence is None or sentence.startswith(f"{path}: ")


def lines() -> list[bytes]:
    return [json.dumps({"update": n, "agent": 0, "loss": 0.5}).encode() for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b'{"agent": 0}', b'{"update": "x", "agent": 0}', b"\xff\xfe{}", b"[" * 100_000],
    ids=["empty", "cut off", "array", "no update", "text", "no text", "deep array"],
)
def test_a_damaged_line_of_the_log_is_named_and_dropped_when_the_run_goes_on(
    tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / LOG
    first, _, last = lines()
    path.write_bytes(b"\n".join([first, line, last, b""]))
    with refuses():
        read_log(tmp_path)
    TrainingLog(tmp_path, after=3, agents=1, rollout_size=8).close()
    assert path.read_bytes() == first + b"\n"
    assert read_log(tmp_path) == [{"update": 1, "agent": 0, "loss": 0.5}]


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    with refuses():
        read_log(tmp_path)


def test_a_run_is_shown_by_the_weakest_it_grew_from(tmp_path: Path) -> None:
    (tmp_path / RUN).write_text(json.dumps({"plan": PLAN.to_dict(), "made": {}}))
    proof = {"verdict": "same", "made": {}, "sha256": "1", "counts": {}}
    own = [lineage.stretch(0, proof, {})]
    for grew_from, shown in ((None, proof), ({"certificate": "ungated", "lineage": {}}, "ungated")):
        note_lineage(tmp_path, own, grew_from)
        assert shown_proof(tmp_path) == shown


def test_a_lineage_is_noted_beside_all_else_that_a_run_says(tmp_path: Path) -> None:
    """Where there is no run, none is made; one that says nothing of its lineage has no proof."""
    own = [lineage.stretch(0, {"verdict": "same", "sha256": "1"}, {"device": "cpu"})]
    note_lineage(tmp_path, own, None)
    assert not list(tmp_path.iterdir())
    values = {"plan": PLAN.to_dict(), "made": {"device": "cpu"}, "more": 5}
    (tmp_path / RUN).write_text(json.dumps(values))
    assert shown_proof_of(tmp_path, {"plan": values["plan"]}) == "ungated"
    for grew_from in (None, {"sha256": "2", "certificate": own[0]["certificate"], "lineage": {}}):
        note_lineage(tmp_path, own, grew_from)
        noted = json.loads((tmp_path / RUN).read_text())
        described = json.loads(json.dumps(lineage.lineage_of(own, grew_from)))
        assert noted == {**json.loads(json.dumps(values)), "lineage": described}


def shown_proof_of(folder: Path, values: object) -> object:
    """Return the proof of a run that says these values."""
    (folder / "other").mkdir()
    (folder / "other" / RUN).write_text(json.dumps(values))
    return shown_proof(folder / "other")
