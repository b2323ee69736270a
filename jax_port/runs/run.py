"""A run: a folder that says what is trained, goes on from its newest checkpoint, and ends in policies.

``run.json`` says everything that decides the result and is written first; ``log.jsonl``,
``tensorboard`` and ``checkpoints`` grow; ``policy-K.safetensors`` are written last, and
``finished.json`` when they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from msgspec import Meta

from foundation import provenance
from foundation.files import file_digest, write_json, write_text
from foundation.json_reading import Count, Int32, Struct, convert, read_json
from foundation.lock import folder_lock
from jax_port.envs.state import EnvParams
from jax_port.ppo.policy import Policy, load_policy
from jax_port.ppo.settings import RATES, HyperParams, TrainSettings, check_rate, hyper_params
from jax_port.ppo.sharding import (
    check_split,
    everywhere,
    make_mesh,
    to_host,
)
from jax_port.ppo.transfer import check_shapes, extend
from jax_port.runs import lineage
from jax_port.runs.checkpoints import Checkpoints, identity_of
from jax_port.runs.divergence import require_finite_losses, require_finite_weights
from jax_port.runs.gate import UNGATED, refuse_other_numbers
from jax_port.runs.lineage import Proof
from jax_port.runs.memory import require_training_memory
from jax_port.runs.policies import write_policies
from jax_port.runs.run_file import RUN, RUN_FILE, note_lineage
from jax_port.runs.runner import Runner
from jax_port.runs.training_data import Source, TrainingData
from jax_port.runs.training_log import Record, TrainingLog
from markets import EnvConfig, InputError

FORMAT = 1
PACKAGES = ("flax", "jax", "jaxlib", "numpy", "optax")


class _Format(Struct):
    format: Int32


class _Versioned(Struct):
    plan: _Format


class _Data(Struct):
    sources: Annotated[list[Source], Meta(min_length=1)]
    first: str
    last: str


class _PlanValues(Struct):
    settings: dict[str, Any]
    data: _Data
    env_config: dict[str, Any]
    agents: list[dict[str, int | float | None]]
    updates_per_call: Count
    checkpoint_every: Count
    certificate: dict[str, Any] | str
    initial: dict[str, str]


class _RunFile(Struct):
    """What ``run.json`` must hold to be gone on with."""

    plan: _PlanValues


Tell = Callable[[int, list[Record]], None]
"""(updates made, records since the last call)."""


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
    """

    settings: TrainSettings
    data: TrainingData
    config: EnvConfig
    agents: tuple[dict[str, Any], ...] = ({},)
    updates_per_call: int = 1
    checkpoint_every: int = 20
    certificate: dict[str, Any] | str = field(default_factory=dict)
    initial: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("updates_per_call", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not self.agents:
            raise InputError("no agent to train; give at least one seed")
        for number, agent in enumerate(self.agents):
            for name, value in agent.items():
                if name == "seed":
                    self.settings.override(seed=value)
                elif name in RATES:
                    check_rate(name, value)
                else:
                    raise InputError(
                        f"agent {number} sets {name!r}; agents may differ in seed, {', '.join(RATES)}"
                    )

    @property
    def seeds(self) -> list[int]:
        """Seed of each agent; agents without one count on from the settings' seed."""
        return [
            int(agent.get("seed", self.settings.seed + number))
            for number, agent in enumerate(self.agents)
        ]

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
        return {
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
        """Rebuild a plan from :meth:`to_dict`'s values."""
        return cls(
            settings=TrainSettings.from_dict(values["settings"]),
            data=TrainingData.from_dict(values["data"]),
            config=EnvConfig.from_dict(values["env_config"]),
            agents=tuple(values["agents"]),
            updates_per_call=values["updates_per_call"],
            checkpoint_every=values["checkpoint_every"],
            certificate=values["certificate"],
            initial=values["initial"],
        )

    def initial_policy(self) -> Policy | None:
        """Return the policy that agents begin with, in the run's own phase; None for none.

        Raises:
            InputError: it is gone or has changed, or does not fit the run.
        """
        if not self.initial:
            return None
        policy = self._given_policy()
        check_shapes(policy, self.settings.network)
        if policy.config.phase == self.config.phase:
            return policy
        return extend(policy, self.config)

    def grew_from(self) -> dict[str, Any] | None:
        """Return what the policy that agents begin with says of its proof; None for none.

        Raises:
            InputError: it is gone or has changed.
        """
        if not self.initial:
            return None
        return lineage.ancestor(self._given_policy().about, self.initial["sha256"])

    def _given_policy(self) -> Policy:
        path = Path(self.initial["path"])
        policy = load_policy(path)
        if file_digest(path) != self.initial["sha256"]:
            raise InputError(f"{path}: this is not the file the run began with; put that one back")
        return policy


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
    convert(values, _RunFile, RUN_FILE, where=path)
    try:
        return Plan.from_dict(values["plan"])
    except (TypeError, ValueError, AttributeError) as error:  # settings have no declared types
        raise RUN_FILE.damaged(path, str(error)) from None


def start(plan: Plan, folder: Path, texts: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write ``run.json`` into a new or empty folder, and texts beside it by their files' names.

    Raises:
        InputError: there is a run already.
    """
    refuse_occupied(folder)
    for name, text in texts.items():
        write_text(folder / name, text)
    write_json(folder / RUN, {"plan": plan.to_dict(), "made": made_with()})


def refuse_occupied(folder: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        InputError: naming it.
    """
    if (folder / RUN).exists():
        raise InputError(
            f"{folder}: there is a run here already; go on with --resume, or choose another folder"
        )


def go_on(
    plan: Plan,
    folder: Path,
    tell: Tell = lambda updates, records: None,
    stop: Callable[[], bool] = lambda: False,
    *,
    enough: Callable[[], bool] = lambda: False,
    begin: bool = False,
    texts: Mapping[str, str] = MappingProxyType({}),
    certificate: Proof | None = None,
) -> bool:
    """Train a run from its newest checkpoint, or from the start, to its end.

    Args:
        plan: as :func:`read_plan` gives it.
        folder: of the run; only the first process writes.
        tell: told after every call of the program.
        stop: asked after every call; True saves and leaves.
        enough: asked after every call; True ends the run there, as if it were at its last update.
        begin: write ``run.json`` first, once everything else was found to be in order.
        texts: written beside it, by name of file.
        certificate: proof of this stretch; by default the plan's where the run begins, and none where
            it is gone on with, since the code may be another by then.

    Returns:
        Whether the run is finished.

    Raises:
        InputError: the data is not what it was, a checkpoint can't be used, another process trains
            in the folder, or a loss or a weight is no number any more; then the newest checkpoint is
            the last good one.
        WriteError: the folder can't be written to.
    """
    refuse_other_numbers()
    require_training_memory(plan.settings, plan.config, len(plan.agents), plan.updates_per_call)
    mesh = make_mesh()
    check_split(mesh, plan.settings.n_envs, plan.settings.order_groups)
    main = jax.process_index() == 0
    params, facts = plan.data.load(plan.config)
    plan.initial_policy()  # refused here, before anything is written
    proof = certificate if certificate is not None else plan.certificate if begin else UNGATED
    held = folder_lock(folder, "trains") if main else nullcontext()
    with held:
        if begin and main:
            start(plan, folder, texts)
        return _train(plan, folder, mesh, params, facts, proof, _Asked(tell, stop, enough))


class _Asked(NamedTuple):
    """What is called after every call of the program; see :func:`go_on`."""

    tell: Tell
    stop: Callable[[], bool]
    enough: Callable[[], bool]


def _train(
    plan: Plan,
    folder: Path,
    mesh: Mesh,
    params: EnvParams,
    facts: list[dict[str, Any]],
    proof: Proof,
    asked: _Asked,
) -> bool:
    """Train in a folder that is this process's alone; return whether the run is finished."""
    main, grew_from = jax.process_index() == 0, plan.grew_from()
    # Two packages, or two devices, may differ in the last bit: a run stays with the one it began on.
    identity = identity_of({**plan.to_dict(), "data": facts})
    params = everywhere(mesh, params)
    hyper = everywhere(mesh, plan.hyper())
    runner = Runner(plan, mesh, params, hyper)
    checkpoints = Checkpoints(folder, identity)
    agent, done, before = runner.begin(checkpoints)
    groups = plan.settings.order_groups
    stretches = lineage.going_on(before, lineage.stretch(done, proof, made_with(), groups))
    if main:
        note_lineage(folder, stretches, grew_from)
    asked.tell(done, [])
    total = plan.settings.num_updates
    log = TrainingLog(folder, done, len(plan.agents), plan.settings.rollout_size) if main else None
    try:
        saved = done
        while done < total:
            agent, records, made = runner.call(agent, done)
            done += made
            if log:
                log.write(records)
            require_finite_losses(records, folder, saved)
            asked.tell(done, records)
            leaving, ending = asked.stop(), asked.enough() or done == total
            if done - saved >= plan.checkpoint_every or ending or leaving:
                host = to_host(mesh, agent)
                require_finite_weights(host, done, folder, saved)
                stretches = lineage.reached(stretches, done)
                checkpoints.save(done, host, stretches)
                saved = done
            if ending:
                break
            if leaving:
                return False
    finally:
        if log:
            log.close()
    last = to_host(mesh, agent)  # all processes take part
    if main:
        shown = lineage.reached(stretches, done)
        note_lineage(folder, shown, grew_from)
        about = {
            **made_with(),
            "data": facts[0] if len(facts) == 1 else list(facts),
            "certificate": lineage.weakest(shown, grew_from),
            "lineage": lineage.lineage_of(shown, grew_from),
            "initial": plan.initial,
            "updates": done,
            "steps": done * plan.settings.rollout_size,
        }
        write_policies(plan, folder, last, about)
    return True


def made_with() -> dict[str, Any]:
    """Return versions and devices, for the provenance of what a run makes."""
    return provenance.made_with(PACKAGES, jax.devices())
