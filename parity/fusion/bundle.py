"""Proof of the fusion that a bundle carries: its own settings, on its own logits and drawn advice.

Every exported file gives logits of episodes' observations; PyTorch's fusion takes those of PyTorch, of
the program and of ONNX Runtime, C#'s those of C#. What comes out is held against the port's fusion of
the port's logits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from jax_port.export.stages import in_float32
from markets.advice.fusion import FusionSettings, Situation
from parity.engine.compare import Tolerance
from parity.export_chain import sides
from parity.export_chain.comparison import EQUAL
from parity.export_chain.observations import of_episodes
from parity.export_chain.verify import Chain
from parity.fusion.cases import situations
from parity.fusion.sides import Fuse, csharp_side, jax_side, torch_side
from parity.fusion.verify import LIMIT

OBSERVATIONS = 4096
"""Of episodes, each with advice that is drawn."""
DRAWN = 20_000
"""Decisions that are drawn whole, with logits of all sizes and every threshold met exactly."""
NEAR_TIE = 1e-4
"""Probabilities so near to each other may change places by the rounding of a float32's logits."""
CHANCES = Tolerance(1e-4, 0.0)
"""How far probabilities may lie apart: what logits a hundred-thousandth apart make of them."""


def prove_fusion(chain: Chain) -> dict[str, Any] | None:
    """Compare a bundle's fusion on every side, on the chain's board; None where it carries none.

    Returns:
        The settings, and how many decisions were compared.

    Raises:
        InputError: the settings make no sense.
    """
    if "fusion" not in chain.manifest:
        return None
    settings = FusionSettings.from_dict(chain.manifest["fusion"])
    fuses: dict[str, Fuse] = {"PyTorch": torch_side}
    if chain.checker is not None:
        fuses["C#"] = csharp_side(chain.checker.program, chain.scratch)
    _drawn(chain, settings, fuses)
    batch = next(of_episodes(chain.policy, chain.market, OBSERVATIONS, seed=1))
    drawn = situations(len(batch), batch.masks.shape[1], 7, settings)._replace(masks=batch.masks)
    ours = in_float32(chain.policy, batch.obs, batch.masks)["action_head"]
    expected = jax_side(drawn._replace(logits=ours), settings)
    clear = _lead(expected.probabilities) >= NEAR_TIE
    files: dict[str, tuple[sides.Side, Fuse]] = {
        "PyTorch": (sides.pytorch(chain.folder, torch.float32), torch_side),
        "PyTorch program (.pt2)": (sides.program(chain.running), torch_side),
        "ONNX Runtime": (sides.onnx(chain.folder), torch_side),
    }
    if chain.checker is not None:
        files["C#"] = (chain.checker.side(chain.policy), fuses["C#"])
    for name, (side, fuse) in files.items():
        logits = np.asarray(side(batch.obs, batch.masks)["action_head"], np.float32)
        made = fuse(drawn._replace(logits=logits), settings)
        hop = f"fusion, {name}"
        chain.board.at(hop, "probabilities", CHANCES).update(expected.probabilities, made.probabilities)
        actions = np.where(clear, np.asarray(made.action), expected.action)
        chain.board.at(hop, "action", EQUAL).update(expected.action, actions)
    bare = np.where(batch.masks, ours, -np.inf).argmax(axis=1)
    return {
        "settings": settings.to_dict(),
        "drawn": DRAWN,
        "observations": len(batch),
        "changed": int((expected.action != bare).sum()),
    }


def _drawn(chain: Chain, settings: FusionSettings, fuses: dict[str, Fuse]) -> None:
    """Compare each side's fusion on decisions that are drawn whole, where logits are the same."""
    actions = chain.policy.network.num_actions
    given: Situation = situations(DRAWN, actions, 11, settings)
    expected = jax_side(given, settings)
    clear = _lead(expected.probabilities) >= LIMIT
    for name, fuse in fuses.items():
        made = fuse(given, settings)
        hop = f"fusion alone, {name}"
        chain.board.at(hop, "probabilities", Tolerance(LIMIT, 0.0)).update(
            expected.probabilities, made.probabilities
        )
        chosen = np.where(clear, np.asarray(made.action), expected.action)
        chain.board.at(hop, "action", EQUAL).update(expected.action, chosen)


def _lead(probabilities: Any) -> np.ndarray:
    """Return how far each decision's likeliest action lies above the next, (N,)."""
    ordered = np.sort(np.asarray(probabilities, np.float64), axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])
