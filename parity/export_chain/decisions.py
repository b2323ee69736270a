"""Decisions of every exported file against the port's, stage by stage from observation to action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from jax_port.data.data_loader import PreparedMarket
from jax_port.export.checks.rounding import Bounds, layer_rounding, layer_roundings
from jax_port.export.layers import layer_names
from jax_port.export.stages import Stages, in_float32, in_float64, lead
from jax_port.ppo.policy import Policy
from parity.export_chain import sides
from parity.export_chain.comparison import FLOAT32, FLOAT64, LOGITS32, Board
from parity.export_chain.observations import Batch, beyond_the_clip, of_episodes

NEAR_TIE = 1e-4
"""Logits so near to each other may change places by float32's own rounding: they are counted apart.
Twice what rounding may do to each of them is added to it."""
SHOWN = 20
SPREADS = (24.0, 200.0)
"""Largest logits of the checks with logits far apart."""
LARGEST_WEIGHT = 1e30
"""An action head is not multiplied beyond this; one of zeros has no logits to set apart."""

OUTER = ("action_head", "action")


@dataclass
class Actions:
    """Decisions compared: how many, how many of them near-ties, and what was decided there.

    Attributes:
        compared: observations.
        near_ties: those whose two best allowed logits lie within :data:`NEAR_TIE`.
        differing_ties: near-ties that some file decides otherwise than the port.
        examples: near-ties to show, those that are decided otherwise first.
    """

    compared: int = 0
    near_ties: int = 0
    differing_ties: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "compared": self.compared,
            "near_tie_below": NEAR_TIE,
            "near_ties": self.near_ties,
            "near_ties_decided_differently": self.differing_ties,
            "examples": sorted(self.examples, key=lambda tie: not tie["otherwise"])[:SHOWN],
        }


def compare_decisions(
    board: Board,
    folder: Path,
    policy: Policy,
    market: PreparedMarket,
    observations: int,
    *,
    on_batch: Callable[[int], None] = lambda count: None,
    running: Path | None = None,
    csharp: sides.Side | None = None,
    csharp_least: int = 10_000,
) -> Actions:
    """Decide on the observations of episodes with every exported file, and compare all stages.

    Args:
        board: is told every distance.
        folder: the bundle.
        policy: of the bundle, as the port reads it.
        market: prepared with its rules.
        observations: at least this many of episodes.
        on_batch: told the size of every batch that is done.
        running: folder of the files that run when they are loaded; by default the bundle.
        csharp: the C# side, where there is one.
        csharp_least: at least this many observations go to it.
    """
    layers = layer_names(policy.spec)
    running = running or folder
    wide = sides.pytorch(folder, torch.float64)
    narrow: dict[str, tuple[sides.Side, tuple[str, ...]]] = {
        "PyTorch float32": (
            sides.pytorch(folder, torch.float32),
            ("clipped", "action_head", "value_head", "action"),
        ),
        "SB3 float32": (
            sides.sb3(running, policy, torch.float32),
            ("clipped", "action_head", "value_head", "action"),
        ),
        "PyTorch program (.pt2)": (sides.program(running), OUTER),
        "ONNX Runtime": (sides.onnx(running), OUTER),
    }
    wide_sb3 = sides.sb3(running, policy, torch.float64)
    actions = Actions()
    first = True
    for batch in of_episodes(policy, market, observations):
        parts = [batch, beyond_the_clip(policy, batch)] if first else [batch]
        for part in parts:
            exact = in_float64(policy, part.obs, part.masks)
            exact_torch = wide(part.obs, part.masks)
            of_kinds = layer_roundings(policy, exact["clipped"])
            wide_bounds, bounds = of_kinds["float64"], of_kinds["float32"]
            ties = _near_ties(exact, part, bounds)
            stages = ("standardised", "clipped", *layers, "action")
            board.stages("PyTorch float64", exact, exact_torch, stages, FLOAT64, wide_bounds)
            exact_sb3 = wide_sb3(part.obs, part.masks)
            board.stages("SB3 float64", exact, exact_sb3, stages[1:], FLOAT64, wide_bounds)
            ours = in_float32(policy, part.obs, part.masks)
            # Beyond the clip layers add up numbers so large that float32 alone is off by its limit.
            far = part is not batch
            if not far:
                board.at("JAX float32 against float64", "action_head", LOGITS32).update(
                    exact["action_head"], ours["action_head"], bounds.get("action_head")
                )
            decided = _compare_narrow(board, narrow, part, ours, ties, far, bounds)
            if csharp is not None and actions.compared < csharp_least:
                stages_of_side = csharp(part.obs, part.masks)
                board.stages("C#", exact_torch, stages_of_side, stages, FLOAT64, wide_bounds)
            actions.compared += len(part)
            _note_ties(actions, part, ties, exact, ours["action"], decided)
        if first:
            for largest in SPREADS:
                _spread(board, folder, policy, batch, largest)
        first = False
        on_batch(len(batch))
    if not actions.compared:
        board.at("decisions", "observations of episodes")  # nothing compared, which does not pass
    return actions


def _compare_narrow(
    board: Board,
    narrow: dict[str, tuple[sides.Side, tuple[str, ...]]],
    part: Batch,
    ours: Any,
    ties: Any,
    far: bool,
    rounding: Bounds,
) -> dict[str, Any]:
    """Compare the float32 files with the port, near-ties aside, and return what each decided."""
    decided = {}
    for hop, (side, every) in narrow.items():
        names = tuple(name for name in every if not far or name in ("clipped", "action"))
        stages = side(part.obs, part.masks)
        decided[hop] = stages["action"]
        clear = {**stages, "action": np.where(ties, ours["action"], stages["action"])}
        board.stages(hop, ours, clear, names, FLOAT32, rounding)
    return decided


def _near_ties(exact: Stages, part: Batch, rounding: Bounds) -> NDArray[np.bool_]:
    """Return the rows whose two best allowed logits lie too near for float32: bool (N,)."""
    return lead(exact["action_head"], part.masks) < NEAR_TIE + 2 * rounding.get("action_head", 0.0)


def _note_ties(
    actions: Actions, part: Batch, ties: Any, exact: Any, ours: Any, decided: dict[str, Any]
) -> None:
    """Count near-ties and write down what each file decides there."""
    for row in np.flatnonzero(ties):
        otherwise = {
            hop: int(stages_of_side[row])
            for hop, stages_of_side in decided.items()
            if stages_of_side[row] != ours[row]
        }
        actions.near_ties += 1
        actions.differing_ties += bool(otherwise)
        if sum(bool(tie["otherwise"]) == bool(otherwise) for tie in actions.examples) < SHOWN:
            actions.examples.append(
                {
                    "logits": exact["action_head"][row].tolist(),
                    "mask": part.masks[row].tolist(),
                    "jax": int(ours[row]),
                    "otherwise": otherwise,
                }
            )


def _spread(board: Board, folder: Path, policy: Policy, batch: Batch, largest: float) -> None:
    """Compare with an action head so large that logits reach ``largest``; as it is where it is zero."""
    logits = in_float32(policy, batch.obs, batch.masks)["action_head"]
    layers = {name: dict(kinds) for name, kinds in policy.params["params"].items()}
    head = layers["action_head"]
    weight = max(float(np.abs(x).max()) for x in head.values())
    reached = float(np.abs(logits).max())
    factor = min(largest / reached, LARGEST_WEIGHT / weight) if reached else 1.0
    layers["action_head"] = {kind: np.asarray(x) * np.float32(factor) for kind, x in head.items()}
    apart = replace(policy, params={"params": layers})
    ours = in_float32(apart, batch.obs, batch.masks)
    stages_of_side = sides.scaled_pytorch(folder, factor)(batch.obs, batch.masks)
    exact = in_float64(apart, batch.obs, batch.masks)
    bounds = layer_rounding(apart, exact["clipped"], "float32")
    ties = _near_ties(exact, batch, bounds)
    clear = {**stages_of_side, "action": np.where(ties, ours["action"], stages_of_side["action"])}
    board.stages(f"PyTorch float32, logits up to {largest:g}", ours, clear, OUTER, FLOAT32, bounds)
