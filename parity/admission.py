"""Whether a trainer may start: the certificate must be sound, strong, of this code, and cover it all.

What it does not cover of a training is compared first, on the data at hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.files import file_digest
from foundation.loaded_code import loaded_digests
from foundation.provenance import jax_flags
from markets import InputError
from parity.engine.certificate import MEND, misfits, other_flags, read, unsound

if TYPE_CHECKING:
    from jax_port.ppo.settings import TrainSettings
    from jax_port.runs.training_data import TrainingData
    from markets import EnvConfig

CERTIFICATE = Path("reports/parity/certificate.json")
"""Where ``rltrader parity run`` leaves it."""

NAMED = 5
"""Reasons given before the rest are only counted."""

LEAST = "standard"
"""Strength that a training asks for, unless more is asked for."""


REQUIRE_KEY = "RLTRADER_REQUIRE_KEY"
"""Environment variable: the key that must have signed every certificate, for a whole team."""


@dataclass(frozen=True)
class Demand:
    """What is asked of a certificate.

    Attributes:
        least: strength, of :data:`parity.gate.strength.STRENGTHS`.
        key: PEM file of the public key that must have signed it; None for the one that
            :data:`REQUIRE_KEY` names, if it is set, else no matter who made it.
    """

    least: str = LEAST
    key: Path | None = None


@dataclass(frozen=True)
class Training:
    """What is about to be trained, as far as a certificate must cover it.

    Attributes:
        data: bars and dates.
        config: the environment's rules.
        settings: the learner's.
    """

    data: TrainingData
    config: EnvConfig
    settings: TrainSettings


def admit(
    path: Path = CERTIFICATE,
    training: Training | None = None,
    demand: Demand | None = None,
    on_progress: Callable[[str], None] = lambda what: None,
) -> dict[str, Any]:
    """Return a certificate that carries a training, with the SHA-256 of its file and its strength.

    Args:
        path: of the certificate.
        training: what it must cover; what it does not is compared here and now ("data_at_hand").
        demand: strength and signature; :data:`LEAST` and none by default.
        on_progress: told what is compared on the data at hand.

    Raises:
        InputError: there is none, it can't be read, its evidence is unsound or too weak, it is of other
            code or made with other settings of JAX, or the two sides differ on the data at hand; says
            what to do.
    """
    from parity.gate.strength import STRENGTHS, lacks, strength_of
    from parity.suites.trading import MODULES

    demand = demand or Demand()
    if demand.least not in STRENGTHS:
        raise InputError(f"strength {demand.least!r}: choose one of {', '.join(STRENGTHS)}")
    key = demand.key or os.environ.get(REQUIRE_KEY)
    certificate = read(path, Path(key) if key else None)
    _refuse(path, "is no proof", unsound(certificate))
    weak = lacks(certificate, demand.least)
    _refuse(path, f"is not of strength {demand.least!r}", weak)
    _refuse(path, "does not fit the code at hand", misfits(certificate, loaded_digests(MODULES)))
    _refuse(path, "was made with other settings of JAX", other_flags(certificate, _flags()))
    admitted = {**certificate, "sha256": file_digest(path), "strength": strength_of(certificate)}
    return admitted if training is None else admitted | _cover(path, certificate, training, on_progress)


def _flags() -> dict[str, str]:
    import jax

    return jax_flags(jax.config)


def _refuse(path: Path, what: str, reasons: Sequence[str]) -> None:
    if not reasons:
        return
    more = f" and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
    raise InputError(f"{path} {what}: {'; '.join(reasons[:NAMED])}{more}; {MEND}")


def _cover(
    path: Path,
    certificate: dict[str, Any],
    training: Training,
    on_progress: Callable[[str], None],
) -> dict[str, Any]:
    """Compare what a certificate lacks of a training, and say so; nothing where it lacks nothing."""
    from jax_port.data.data_loader import prepare
    from parity.gate.covered import PROVABLE, missing
    from parity.gate.data_at_hand import prove_missing

    settings = training.settings
    if settings.own is not None:
        raise InputError(
            f"{path} does not cover network {settings.own.name!r}: MaskablePPO has none of its shape "
            "to hold it against"
        )
    if settings.precision not in PROVABLE:
        raise InputError(
            f"{path} does not cover precision {settings.precision!r}: only {', '.join(PROVABLE)} can "
            "be held against the reference; train in that"
        )
    on_progress("reading bars")
    bars = training.data.bars()
    markets = [prepare(one, training.config) for one in bars]
    advice = training.data.advice
    way = "" if advice is None else advice.use.way
    lacking = missing(certificate, markets, training.config, settings, way)
    if not lacking:
        return {}
    return {"data_at_hand": prove_missing(lacking, bars, training.config, settings, on_progress)}
