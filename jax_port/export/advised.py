"""A policy that was trained with advice as a bundle: its prior is the fusion of a live strategy.

Source: "Training with advice" and "Fusion" in ``docs/advice.md``. A prior is added to the logits before
the mask, and so is the weighted log advice of the rules ``weighted`` and ``gated``; a softmax does not
see that the fusion's logits are normalised first. So the files of the bundle hold the network, and the
manifest the fusion that is the prior. Without an answer both add zero.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jax_port.ppo.policy import Policy, load_policy
from markets import InputError
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings

TRAINED_WITH = "trained_with_advice"
"""Name in a manifest of how the policy was trained with advice; null for without."""


def fusion_of(use: AdviceUse, where: object) -> FusionSettings:
    """Return the fusion that is a policy's prior, with a question every bar, as in training.

    Args:
        use: how the policy was trained with advice.
        where: what messages call it, such as its file.

    Raises:
        InputError: it was trained with advice as columns.
    """
    if use.way == "columns":
        raise InputError(
            f"{where}: trained with advice as columns, so its network takes four more numbers of each "
            "bar than a bundle's programs and a live strategy have; train it with --advice-as prior, "
            "which can be exported, or play it with `rltrader evaluate --advice TABLE`"
        )
    return replace(use.settings, every=1, cooldown=0, at_entries=False)


def require_no_prior(noted: object, path: Path) -> None:
    """Require that a network decides as it was trained to, without a prior of advice.

    Args:
        noted: what its zip's note or its manifest holds under :data:`TRAINED_WITH`.
        path: of the zip or the bundle.

    Raises:
        InputError: it was trained with one.
    """
    if noted:
        raise InputError(
            f"{path}: trained with advice as a prior, which is no part of these weights, and without "
            "it they decide otherwise; go on from the run's own policy file"
        )


def load_network(path: Path) -> tuple[Policy, AdviceUse | None]:
    """Return a policy as its network decides without a prior, and how it was trained with advice.

    Raises:
        InputError: as :func:`jax_port.ppo.policy.load_policy` does, or it cannot be exported.
    """
    policy = load_policy(path, advised=True)
    if policy.advice is None:
        return policy, None
    fusion_of(policy.advice, path)
    return replace(policy, advice=None), policy.advice
