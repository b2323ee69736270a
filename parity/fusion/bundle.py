"""Proof of the fusion that a bundle carries: its own settings, on its own logits and drawn advice.

Every exported file gives logits of episodes' observations; PyTorch's fusion takes those of PyTorch, of
the program and of ONNX Runtime, C#'s those of C#. What comes out is held against the port's fusion of
the port's logits. Where the fusion is the prior that a policy was trained with, each is also held
against what the port adds to the logits in training.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import torch
from numpy.typing import NDArray

from jax_port.data.advised_market import with_advice
from jax_port.data.data_loader import stack
from jax_port.envs.registry import phase_of
from jax_port.export import torch_policy
from jax_port.export.stages import in_float32
from jax_port.ppo.networks import masked_log_probs, mode
from jax_port.ppo.prior import prior_at, shifted
from markets.advice.by_bar import AdviceUse, by_bar
from markets.advice.fusion import Fused, FusionSettings, Situation
from parity.engine.compare import Tolerance
from parity.export_chain import sides
from parity.export_chain.comparison import EQUAL
from parity.export_chain.observations import Batch, of_episodes
from parity.export_chain.verify import Chain
from parity.fusion.cases import situations
from parity.fusion.sides import Fuse, csharp_side, jax_side, torch_side
from parity.fusion.verify import LIMIT
from parity.learner.advice import drawn_answers

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
    files: dict[str, tuple[sides.Side, Fuse]] = {
        "PyTorch": (sides.pytorch(chain.folder, torch.float32), torch_side),
        "PyTorch program (.pt2)": (sides.program(chain.running), torch_side),
        "ONNX Runtime": (sides.onnx(chain.running), torch_side),
    }
    if chain.checker is not None:
        files["C#"] = (chain.checker.side(chain.policy), fuses["C#"])
    batch = next(of_episodes(chain.policy, chain.market, OBSERVATIONS, seed=1))
    drawn = situations(len(batch), batch.masks.shape[1], 7, settings)._replace(masks=batch.masks)
    ours = in_float32(chain.policy, batch.obs, batch.masks)["action_head"]
    expected = jax_side(drawn._replace(logits=ours), settings)
    with_prior: WithPrior | None = None
    if chain.use is not None:
        with_prior = _with_prior(chain, chain.use, batch, ours)
        _module(chain, batch, with_prior)
    for name, (side, fuse) in files.items():
        logits = np.asarray(side(batch.obs, batch.masks)["action_head"], np.float32)
        _compare(chain, f"fusion, {name}", expected, fuse(drawn._replace(logits=logits), settings))
        if with_prior is not None:
            made = fuse(with_prior.given._replace(logits=logits), settings)
            _compare(chain, f"fusion is the prior, {name}", with_prior.trained, made)
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


def _compare(chain: Chain, hop: str, expected: Fused, made: Fused) -> None:
    """Compare decisions on logits that are equal but for rounding."""
    clear = _lead(expected.probabilities) >= NEAR_TIE
    chain.board.at(hop, "probabilities", CHANCES).update(expected.probabilities, made.probabilities)
    actions = np.where(clear, np.asarray(made.action), expected.action)
    chain.board.at(hop, "action", EQUAL).update(expected.action, actions)


class WithPrior(NamedTuple):
    """Decisions with drawn answers on drawn bars.

    Attributes:
        given: what is fused.
        trained: what training makes of it.
        ages: of the answers, int64 (N,); -1 for none.
    """

    given: Situation
    trained: Fused
    ages: NDArray[np.int64]


def _with_prior(chain: Chain, use: AdviceUse, batch: Batch, logits: NDArray[np.float32]) -> WithPrior:
    """Return decisions with drawn answers, on drawn bars that stand for those of the observations."""
    laid = drawn_answers(chain.market.timestamps_ns)
    bars = np.random.default_rng(5).integers(0, len(chain.market), len(batch))
    phase, config = phase_of(chain.policy.config), chain.policy.config
    params = phase.make_params(stack([with_advice(chain.market, laid, use)]), config)
    prior = prior_at(jnp.asarray(bars), phase.num_actions, params)
    log_chances = masked_log_probs(shifted(jnp.asarray(logits), prior), jnp.asarray(batch.masks))
    known = by_bar(laid, use.settings)
    given = Situation(
        logits,
        batch.masks,
        known.advice[bars],
        known.confidence[bars],
        known.fresh[bars],
        np.zeros(len(bars), np.int32),
        np.ones(len(bars), np.float32),
    )
    trained = Fused(np.exp(np.asarray(log_chances)), np.asarray(mode(log_chances)))
    row = known.row[bars]
    ages = np.where(row < 0, -1, laid.minute[bars] - laid.minute[np.maximum(row, 0)] - 1)
    return WithPrior(given, trained, ages)


def _module(chain: Chain, batch: Batch, told: WithPrior) -> None:
    """Compare what the bundle's own PyTorch module makes of a prior, from the ages of answers."""
    given = told.given
    advice, confidence, masks = map(torch.tensor, (given.advice, given.confidence, batch.masks))
    prior = torch_policy.prior_of(chain.folder, advice, confidence, torch.tensor(told.ages))
    with torch.no_grad():
        module = torch_policy.load(chain.folder)
        action, logits = module.advised(torch.tensor(batch.obs), masks, prior)
        forbidden = torch.full_like(logits, torch_policy.FORBIDDEN_LOGIT)
        chances = torch.softmax(torch.where(masks, logits, forbidden), -1)
    made = Fused(chances.numpy(), action.numpy())
    _compare(chain, "fusion is the prior, PyTorch module", told.trained, made)


def _lead(probabilities: Any) -> np.ndarray:
    """Return how far each decision's likeliest action lies above the next, (N,)."""
    ordered = np.sort(np.asarray(probabilities, np.float64), axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])
