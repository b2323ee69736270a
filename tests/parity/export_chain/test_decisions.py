"""Decisions of a bundle's files: each stage of each is compared on every row, near-ties aside."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.export.layers import layer_names
from jax_port.export.stages import Stages
from parity.export_chain import decisions, sides
from parity.export_chain.comparison import Board
from parity.export_chain.decisions import (
    NEAR_TIE,
    SHOWN,
    SPREADS,
    Actions,
    _near_ties,
    _note_ties,
    compare_decisions,
)
from parity.export_chain.observations import BEYOND, Batch, of_episodes
from tests.jax_port.export.made_bundle import bars, bundle, config_of, made_policy

Change = Callable[[Stages], Stages]
Files = dict[str, Change]
"""Changes of what a side tells, by the side's name."""

SIZES = (60, 40, 20)
"""Rows of the batches."""
PLAYED = sum(SIZES)


@cache
def market() -> PreparedMarket:
    return prepare(bars(), config_of(2))


@cache
def batches() -> list[Batch]:
    """Return batches of episodes, of :data:`SIZES` rows."""
    played = next(of_episodes(made_policy(2), market(), 1))
    ends = np.cumsum(SIZES)
    rows = [slice(end - size, end) for size, end in zip(SIZES, ends, strict=True)]
    return [Batch(played.obs[part], played.masks[part]) for part in rows]


def changed(side: sides.Side, change: Change) -> sides.Side:
    return lambda obs, masks: change(dict(side(obs, masks)))


def decided(
    monkeypatch: pytest.MonkeyPatch, files: Files, csharp_least: int = 10_000
) -> tuple[Board, Actions, list[int]]:
    """Return what is said of a bundle whose sides are changed, and the rows of every batch."""
    monkeypatch.setattr(decisions, "of_episodes", lambda *given: iter(batches()))
    csharp = changed(sides.pytorch(bundle(2), torch.float64), files.get("C#", lambda stages: stages))

    def plant(name: str, hop: Callable[..., str]) -> None:
        true = getattr(sides, name)

        def load(*given: Any) -> sides.Side:
            return changed(true(*given), files.get(hop(*given), lambda stages: stages))

        monkeypatch.setattr(sides, name, load)

    bits = {torch.float32: "float32", torch.float64: "float64"}
    plant("pytorch", lambda folder, dtype: f"PyTorch {bits[dtype]}")
    plant("sb3", lambda folder, policy, dtype: f"SB3 {bits[dtype]}")
    plant("program", lambda folder: "PyTorch program (.pt2)")
    plant("onnx", lambda folder: "ONNX Runtime")
    plant("scaled_pytorch", lambda folder, factor: "scaled")
    board, sizes = Board(), list[int]()
    actions = compare_decisions(
        board,
        bundle(2),
        made_policy(2),
        market(),
        PLAYED,
        on_batch=sizes.append,
        csharp=csharp,
        csharp_least=csharp_least,
    )
    return board, actions, sizes


def rows_of(board: Board) -> dict[tuple[str, str], int]:
    return {(one.hop, one.stage): one.compared for one in board.comparisons}


NARROW = ("PyTorch float32", "SB3 float32", "PyTorch program (.pt2)", "ONNX Runtime")


def expected_rows(played: int, csharp: int, first: int) -> dict[tuple[str, str], int]:
    """Return on how many rows each stage of each hop has to be compared."""
    layers = layer_names(made_policy(2).spec)
    every = ("standardised", "clipped", *layers, "action")
    both = played + BEYOND
    expected = {("PyTorch float64", stage): both for stage in every}
    expected |= {("SB3 float64", stage): both for stage in every[1:]}
    expected |= {("C#", stage): csharp for stage in every}
    expected[("JAX float32 against float64", "action_head")] = played
    for hop in NARROW:
        expected |= {(hop, "action_head"): played, (hop, "action"): both}
    for hop in NARROW[:2]:
        expected |= {(hop, "clipped"): both, (hop, "value_head"): played}
    for largest in SPREADS:
        hop = f"PyTorch float32, logits up to {largest:g}"
        expected |= {(hop, "action_head"): first, (hop, "action"): first}
    return expected


def test_every_stage_of_every_file_is_compared_on_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond the clip too; only float32's layers, which rounding moves there, are left out."""
    board, actions, sizes = decided(monkeypatch, {})
    assert sizes == [*SIZES]
    assert board.first_divergence() is None
    assert rows_of(board) == expected_rows(PLAYED, PLAYED + BEYOND, SIZES[0])
    assert actions.compared == actions.to_dict()["compared"] == PLAYED + BEYOND


def off(by: float, action: int) -> Change:
    """Return a change of the last row: each number a little off, and decided otherwise.

    Args:
        by: share of the row's largest number.
        action: how many actions on.
    """

    def change(stages: Stages) -> Stages:
        for name, numbers in stages.items():
            value = np.array(numbers, np.int64 if name == "action" else np.float64)
            value[-1] = (value[-1] + action) % 6 if name == "action" else value[-1] + by * _most(value)
            stages[name] = value
        return stages

    return change


def _most(value: NDArray[Any]) -> float:
    return float(np.abs(value[-1]).max())


def test_a_file_that_lies_a_little_off_is_found_in_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64 by far less than float32 rounds, in float32 by what a wrong number would make."""
    monkeypatch.setattr(decisions, "_near_ties", lambda exact, part, bounds: np.zeros(len(part), bool))
    files = {hop: off(3e-9, 1) for hop in ("PyTorch float64", "SB3 float64")}
    files |= {hop: off(1e-3, 1) for hop in (*NARROW, "scaled")}
    files["C#"] = off(6e-9, 2)  # it is held to PyTorch's own, which is off already
    board, actions, _ = decided(monkeypatch, files)
    right = {(one.hop, one.stage) for one in board.comparisons if one.passed}
    assert right == {("JAX float32 against float64", "action_head")}
    assert actions.near_ties == 0


def test_where_every_row_is_near_no_file_s_action_counts_and_each_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What SB3 and ONNX Runtime decide in float32 is set aside; what float64 decides never is."""
    monkeypatch.setattr(decisions, "_near_ties", lambda exact, part, bounds: np.ones(len(part), bool))
    hops = ("SB3 float64", "SB3 float32", "ONNX Runtime")
    board, actions, _ = decided(monkeypatch, dict.fromkeys(hops, off(0.0, 1)), SIZES[0] + BEYOND + 1)
    assert rows_of(board)["C#", "action"] == SIZES[0] + BEYOND + SIZES[1]  # as many as asked for
    wrong = {one.hop for one in board.comparisons if not one.passed}
    assert wrong == {"SB3 float64"}
    assert actions.near_ties == actions.compared
    assert actions.differing_ties == len(SIZES) + 1  # one row of each batch, and of those beyond
    told = actions.to_dict()
    assert [bool(tie["otherwise"]) for tie in told["examples"]] == [
        *[True] * (len(SIZES) + 1),
        *[False] * (SHOWN - len(SIZES) - 1),
    ]
    assert set(told["examples"][0]["otherwise"]) == {"SB3 float32", "ONNX Runtime"}


def test_a_lead_below_the_limit_and_twice_its_rounding_is_near() -> None:
    """Of allowed actions alone; each row by the rounding of its own sums."""
    logits = np.array([[0.0, 1.0, 1.0 + NEAR_TIE * apart] for apart in (0.99, 1.01, 2.99, 3.01, 0.0)])
    part = Batch(np.zeros((5, 1), np.float32), np.ones((5, 3), np.bool_))
    exact = {"action_head": logits}
    assert _near_ties(exact, part, {}).tolist() == [True, False, False, False, True]
    rounding = {"action_head": np.array([0.0, 0.0, NEAR_TIE, NEAR_TIE, 0.0]), "policy_0": np.ones(5)}
    assert _near_ties(exact, part, rounding).tolist() == [True, False, True, False, True]
    part.masks[:, 1] = False
    assert not _near_ties(exact, part, rounding).any()


def test_ties_are_counted_and_told_row_by_row() -> None:
    rows = 3 * SHOWN
    part = Batch(np.zeros((rows, 1), np.float32), np.ones((rows, 3), np.bool_))
    logits, ours = np.arange(rows * 3.0).reshape(rows, 3), np.arange(rows) % 3
    near = np.arange(rows) % 2 == 0
    other = np.where(np.arange(rows) % 3 == 0, (ours + 1) % 3, ours)
    actions = Actions(compared=rows)
    told = {"a": other, "b": ours, "c": other}
    _note_ties(actions, part, near, {"action_head": logits}, ours, told)
    assert actions.near_ties == rows / 2
    assert actions.differing_ties == rows / 6
    values = actions.to_dict()
    assert len(values["examples"]) == SHOWN
    assert values["near_ties_decided_differently"] == rows / 6
    first = values["examples"][0]
    assert first == {
        "logits": [0.0, 1.0, 2.0],
        "mask": [True] * 3,
        "jax": 0,
        "otherwise": {"a": 1, "c": 1},
    }
    assert [bool(tie["otherwise"]) for tie in values["examples"]] == [
        *[True] * (rows // 6),
        *[False] * (SHOWN - rows // 6),
    ]
