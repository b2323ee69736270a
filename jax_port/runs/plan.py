"""All that decides what a run makes, and how ``run.json`` keeps it."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from msgspec import Meta

from foundation.files import file_digest
from foundation.json_reading import Count, Int32, Struct, convert, read_json
from jax_port.ppo.policy import Policy, load_policy
from jax_port.ppo.settings import (
    OWN,
    RATES,
    HyperParams,
    TrainSettings,
    check_rate,
    check_schedule,
    hyper_params,
)
from jax_port.ppo.transfer import check_fits, extend
from jax_port.runs import lineage
from jax_port.runs.run_file import RUN, RUN_FILE
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, InputError

FORMAT = 1
DRAWN = "drawn"
"""Set in a policy whose weights were drawn by the user's own network, and never trained."""


class _Format(Struct):
    format: Int32


class _Versioned(Struct):
    plan: _Format


class _Advice(Struct):
    use: dict[str, Any]
    tables: list[str]
    latency: float | None


class _Data(Struct):
    sources: Annotated[list[Source], Meta(min_length=1)]
    first: str
    last: str
    advice: _Advice | None = None


class _PlanValues(Struct):
    settings: dict[str, Any]
    data: _Data
    env_config: dict[str, Any]
    agents: list[dict[str, int | float | None]]
    updates_per_call: Count
    checkpoint_every: Count
    certificate: dict[str, Any] | str
    initial: dict[str, str]
    schedules: dict[str, list[float]] = msgspec.field(default_factory=dict)


class _RunFile(Struct):
    """What ``run.json`` must hold to be gone on with."""

    plan: _PlanValues


@dataclass(frozen=True)
class Plan:
    """All that decides what a run makes.

    Attributes:
        settings: of the first agent.
        data: bars and dates.
        config: rules of the environment.
        agents: overrides of each agent: any of :data:`jax_port.ppo.settings.RATES`, and ``seed``.
        updates_per_call: updates in one call of the compiled program.
        checkpoint_every: updates between checkpoints; a multiple of ``updates_per_call`` is used.
        certificate: from :func:`jax_port.runs.gate.pass_gate`, of the run's first stretch.
        initial: policy file to begin with, and its SHA-256; empty to begin from scratch.
        schedules: of numbers of the learner, one value an update; in a call of several updates that
            of the first holds.
        begun: whether it is the plan of a run that has begun, of which nothing can be given otherwise:
            two agents of it may be the same.
    """

    settings: TrainSettings
    data: TrainingData
    config: EnvConfig
    agents: tuple[dict[str, Any], ...] = ({},)
    updates_per_call: int = 1
    checkpoint_every: int = 20
    certificate: dict[str, Any] | str = field(default_factory=dict)
    initial: dict[str, str] = field(default_factory=dict)
    schedules: dict[str, list[float]] = field(default_factory=dict)
    begun: InitVar[bool] = False

    def __post_init__(self, begun: bool) -> None:
        for name in ("updates_per_call", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name, values in self.schedules.items():
            check_schedule(name, values)
            if len(values) < self.settings.num_updates:
                raise InputError(
                    f"the schedule of {name} has {len(values)} values; give one for each of "
                    f"{self.settings.num_updates} updates"
                )
        if not self.agents:
            raise InputError("no agent to train; give at least one seed")
        for number, agent in enumerate(self.agents):
            for name, value in agent.items():
                if name in RATES:
                    check_rate(name, value)
                elif name != "seed":
                    raise InputError(
                        f"agent {number} sets {name!r}; agents may differ in seed, {', '.join(RATES)}"
                    )
        for seed in self.seeds:
            self.settings.override(seed=seed)
        if not begun:
            self._refuse_alike()

    def _refuse_alike(self) -> None:
        """Refuse two agents that would be one, bit for bit, and count as two seeds."""
        names = [name for name in RATES if name not in self.schedules]  # a schedule's holds for all
        first: dict[tuple[Any, ...], int] = {}
        for number, (seed, agent) in enumerate(zip(self.seeds, self.agents, strict=True)):
            values = (agent.get(name, getattr(self.settings, name)) for name in names)
            # In float32, as they are learnt with: what differs less is the same.
            own = (seed, *(None if value is None else float(np.float32(value)) for value in values))
            before = first.setdefault(own, number)
            if before != number:
                raise InputError(
                    f"agents {before} and {number} are the same, seed {seed} included; give one of "
                    "them another seed, or leave it out"
                )

    @property
    def seeds(self) -> list[int]:
        """Seed of each agent; those without one count on from the settings', past what others have."""
        taken = {agent["seed"] for agent in self.agents if "seed" in agent}
        seeds = []
        for number, agent in enumerate(self.agents):
            seed = agent.get("seed", self.settings.seed + number)
            while "seed" not in agent and seed in taken:
                seed += 1
            taken.add(seed)
            seeds.append(seed)
        return seeds

    def hyper(self) -> HyperParams:
        """Return the learner's numbers of all agents, leaves float32 (A,)."""
        base = {name: getattr(self.settings, name) for name in RATES}
        each = [
            hyper_params(**{**base, **{k: v for k, v in agent.items() if k in RATES}})
            for agent in self.agents
        ]
        return jax.tree.map(lambda *numbers: jnp.stack(numbers), *each)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        schedules = {"schedules": dict(self.schedules)} if self.schedules else {}
        return {
            **schedules,
            "format": FORMAT,
            "settings": self.settings.to_dict(),
            "data": self.data.to_dict(),
            "env_config": self.config.to_dict(),
            "agents": [dict(agent) for agent in self.agents],
            "updates_per_call": self.updates_per_call,
            "checkpoint_every": self.checkpoint_every,
            "certificate": self.certificate,
            "initial": dict(self.initial),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """Rebuild a run's plan from :meth:`to_dict`'s values."""
        return cls(
            settings=TrainSettings.from_dict(values["settings"]),
            data=TrainingData.from_dict(values["data"]),
            config=EnvConfig.from_dict(values["env_config"]),
            agents=tuple(values["agents"]),
            updates_per_call=values["updates_per_call"],
            checkpoint_every=values["checkpoint_every"],
            certificate=values["certificate"],
            initial=values["initial"],
            schedules=values.get("schedules", {}),
            begun=True,
        )

    def initial_policy(self) -> Policy | None:
        """Return the policy that agents begin with, in the run's own phase; None for none.

        Raises:
            InputError: it is gone or has changed, or does not fit the run.
        """
        if not self.initial:
            return None
        policy = self._given_policy()
        check_fits(policy, self.settings.network, self.config)
        if self.data.advice is not None and self.data.advice.use.way == "columns":
            raise InputError(
                "advice as columns widens what a policy sees, and the one to begin with has none of "
                "it; begin from scratch, or train with --advice-as prior"
            )
        if policy.config.phase == self.config.phase:
            return policy
        return extend(policy, self.config)

    def grew_from(self) -> dict[str, Any] | None:
        """Return what the policy that agents begin with says of its proof.

        None where there is none, or where its weights were drawn and not trained.

        Raises:
            InputError: it is gone or has changed.
        """
        if not self.initial:
            return None
        policy = self._given_policy()
        if policy.about.get(DRAWN):
            return None
        return lineage.ancestor(policy.about, self.initial["sha256"])

    def _given_policy(self) -> Policy:
        path = Path(self.initial["path"])
        if file_digest(path) != self.initial["sha256"]:
            raise InputError(f"{path}: this is not the file the run began with; put that one back")
        return load_policy(path, self.settings.own)


def read_plan(folder: Path) -> Plan:
    """Return the plan of a run's folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = folder / RUN
    values = read_json(path, dict[str, dict[str, Any]], RUN_FILE)
    version = convert(values, _Versioned, RUN_FILE, where=path).plan.format
    if version != FORMAT:
        raise InputError(f"{path}: format {version} is not {FORMAT}; {RUN_FILE.mend}")
    named = convert(values, _RunFile, RUN_FILE, where=path).plan.settings.get("network")
    if isinstance(named, dict) and OWN in named:
        raise InputError(
            f"{path}: its network {named[OWN]!r} is the user's own code, which no file holds; go on in "
            "Python from its policy: rltrader.MaskablePPO.load(FILE, bars, network=...).learn()"
        )
    with RUN_FILE.checked(path):  # settings have no declared types
        return Plan.from_dict(values["plan"])
