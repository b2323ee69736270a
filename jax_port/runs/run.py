"""A run: a folder that says what is trained, goes on from its newest checkpoint, and ends in policies.

``run.json`` says everything that decides the result and is written first; ``log.jsonl``,
``tensorboard`` and ``checkpoints`` grow; ``policy-K.safetensors`` are written last, and
``finished.json`` when they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from foundation import provenance
from foundation.files import write_json, write_text
from foundation.lock import folder_lock
from jax_port.envs.state import EnvParams
from jax_port.ppo.policy import Policy
from jax_port.ppo.sharding import (
    check_split,
    everywhere,
    make_mesh,
    to_host,
)
from jax_port.ppo.train_ppo_jax import TrainState
from jax_port.runs import lineage
from jax_port.runs.checkpoints import Checkpoints, identity_of
from jax_port.runs.divergence import require_finite_losses, require_finite_weights
from jax_port.runs.gate import UNGATED, refuse_other_numbers
from jax_port.runs.lineage import Proof
from jax_port.runs.logs.loggers import Logger, check_loggers, make_loggers
from jax_port.runs.logs.ranking import of_the_end, rank, write_ranking
from jax_port.runs.logs.training_log import Record, TrainingLog, read_log
from jax_port.runs.memory import require_training_memory
from jax_port.runs.plan import Plan
from jax_port.runs.policies import (
    AGENTS,
    missing_policies,
    no_longer_finished,
    note_finished,
    policies_of,
    refuse_ended,
    write_last_and_best,
    write_policies,
)
from jax_port.runs.run_file import RUN, note_lineage
from jax_port.runs.runner import Programs, Runner
from markets import InputError

PACKAGES = ("flax", "jax", "jaxlib", "numpy", "optax")


OnProgress = Callable[[int, list[Record]], None]
"""(updates made, records since the last call)."""


class Moment(NamedTuple):
    """Where a run stands after a call of the program.

    Attributes:
        updates: made so far.
        records: of the updates since the last call.
        policies: returns each agent's policy as it is now, which copies the weights from the device.
    """

    updates: int
    records: list[Record]
    policies: Callable[[], list[Policy]]


OnCall = Callable[[Moment], None]
"""Called after every call of the program."""


def start(plan: Plan, folder: Path, texts: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write ``run.json`` into a new or empty folder, and texts beside it by their files' names.

    Its lineage is there from the start: a run that is killed before its first update has its proof.

    Raises:
        InputError: there is a run already, or the policy that it begins with can't be read.
    """
    refuse_occupied(folder)
    first = lineage.stretch(0, plan.certificate, made_with(), plan.settings.order_groups)
    described = lineage.lineage_of([first], plan.grew_from())
    for name, text in texts.items():
        write_text(folder / name, text)
    write_json(folder / RUN, {"plan": plan.to_dict(), "made": made_with(), "lineage": described})


def refuse_occupied(folder: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        InputError: naming it.
    """
    if (folder / RUN).exists():
        raise InputError(
            f"{folder}: there is a run here already; go on with --resume, or choose another folder"
        )


def run(
    plan: Plan,
    folder: Path,
    on_progress: OnProgress = lambda updates, records: None,
    stop: Callable[[], bool] = lambda: False,
    *,
    enough: Callable[[], bool] = lambda: False,
    watch: OnCall = lambda moment: None,
    begin: bool = False,
    texts: Mapping[str, str] = MappingProxyType({}),
    certificate: Proof | None = None,
    programs: Programs | None = None,
    loggers: Sequence[str] = (),
) -> bool:
    """Train a run from its newest checkpoint, or from the start, to its end.

    Args:
        plan: as :func:`read_plan` gives it.
        folder: of the run; only the first process writes.
        on_progress: told after every call of the program.
        stop: asked after every call; True saves and leaves.
        enough: asked after every call; True ends the run there, as if it were at its last update.
        watch: called after every call and before ``stop`` and ``enough`` are asked.
        begin: write ``run.json`` first, once everything else was found to be in order.
        texts: written beside it, by name of file.
        certificate: proof of this stretch; by default the plan's where the run begins, and none where
            it is gone on with, since the code may be another by then.
        programs: that earlier runs of this process compiled, to which this one's are added.
        loggers: names of :data:`jax_port.runs.logs.loggers.LOGGERS` that follow the run too.

    A run that is at its last update already is left as it is; one that ``enough`` ended is not
    finished any more while it is gone on with.

    Returns:
        Whether the run is finished.

    Raises:
        InputError: the data is not what it was, a checkpoint can't be used or a run that has ended has
            none any more, another process trains in the folder, or a loss or a weight is no number any
            more; then the newest checkpoint is the last good one.
        WriteError: the folder can't be written to.
    """
    refuse_other_numbers()
    check_loggers(loggers)
    require_training_memory(
        plan.settings, plan.config, len(plan.agents), plan.updates_per_call, plan.data.columns
    )
    mesh = make_mesh()
    check_split(mesh, plan.settings.n_envs, plan.settings.order_groups)
    main = jax.process_index() == 0
    params, facts = plan.data.load(plan.config)
    plan.initial_policy()  # refused here, before anything is written
    proof = certificate if certificate is not None else plan.certificate if begin else UNGATED
    held = folder_lock(folder, "trains") if main else nullcontext()
    with held:
        if begin and main:
            refuse_occupied(folder)
        if not begin:
            refuse_ended(folder)
        others = make_loggers(loggers, folder, plan) if main else []  # one may not be to be had
        asked = _Asked(_told(on_progress, others), stop, enough, watch)
        try:
            if begin and main:
                start(plan, folder, texts)
            return _train(plan, folder, mesh, params, facts, proof, asked, programs)
        finally:
            for one in others:
                one.close()


def _told(on_progress: OnProgress, loggers: Sequence[Logger]) -> OnProgress:
    """Return what tells the loggers too."""

    def told(updates: int, records: list[Record]) -> None:
        for one in loggers if records else ():
            one.write(records)
        on_progress(updates, records)

    return told


class _Asked(NamedTuple):
    """What is called after every call of the program; see :func:`run`."""

    on_progress: OnProgress
    stop: Callable[[], bool]
    enough: Callable[[], bool]
    watch: OnCall


def _train(
    plan: Plan,
    folder: Path,
    mesh: Mesh,
    params: EnvParams,
    facts: list[dict[str, Any]],
    proof: Proof,
    asked: _Asked,
    programs: Programs | None,
) -> bool:
    """Train in a folder that is this process's alone; return whether the run is finished."""
    main, grew_from = jax.process_index() == 0, plan.grew_from()
    identity = identity_of(deciding(plan, facts))
    params = everywhere(mesh, params)
    hyper = everywhere(mesh, plan.hyper())
    runner = Runner(plan, mesh, params, hyper, programs)
    checkpoints = Checkpoints(folder, identity)
    agent, done, before = runner.begin(checkpoints)
    total, missing = plan.settings.num_updates, missing_policies(plan, folder, done)
    groups = plan.settings.order_groups
    stretches = before  # what is only written under this code was not trained under it
    if done < total:
        stretches = lineage.going_on(before, lineage.stretch(done, proof, made_with(), groups))
        checkpoints.require_room(stretches)
        missing = None
    elif missing == []:
        asked.on_progress(done, [])
        return True
    if main:
        if done < total:
            no_longer_finished(folder)
        note_lineage(folder, stretches, grew_from)
    asked.on_progress(done, [])
    log = TrainingLog(folder, done, len(plan.agents), plan.settings.rollout_size) if main else None

    def policies(host: TrainState) -> list[Policy]:
        """Return the policies of agents on the host, with what they were made from."""
        shown = lineage.reached(stretches, done)
        return policies_of(plan, host, _about(plan, facts, done, shown, grew_from))

    try:
        saved, since = done, []
        while done < total:
            agent, records, made = runner.call(agent, done)
            done += made
            if log:
                log.write(records)
            since += records
            require_finite_losses(records, folder, saved)
            asked.on_progress(done, records)
            now = agent
            asked.watch(Moment(done, records, lambda: policies(to_host(mesh, now))))  # noqa: B023
            leaving, ending = asked.stop(), asked.enough() or done == total
            if done - saved >= plan.checkpoint_every or ending or leaving:
                host = to_host(mesh, agent)
                require_finite_weights(host, done, folder, saved)
                stretches = lineage.reached(stretches, done)
                checkpoints.save(done, host, stretches)
                if main:
                    about = _about(plan, facts, done, stretches, grew_from)
                    write_last_and_best(plan, folder, host, about, since)
                saved, since = done, []
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
        about = _about(plan, facts, done, shown, grew_from)
        write_policies(plan, folder, last, about, missing)
        own = [{**plan.agents[number], "seed": seed} for number, seed in enumerate(plan.seeds)]
        write_ranking(folder, rank(of_the_end(read_log(folder))), own)
        note_finished(folder, done, len(plan.agents))
    return True


def deciding(plan: Plan, facts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return all that decides a run's numbers: what its checkpoints must share.

    Where its data lie is left out, since files may be moved; how advice is used is not, which the
    markets' facts do not say.
    """
    values = {**plan.to_dict(), "data": facts}
    if plan.data.advice is not None:
        told = plan.data.advice.to_dict()
        values["advice"] = {name: told[name] for name in ("use", "latency")}
    return values


def _about(
    plan: Plan,
    facts: list[dict[str, Any]],
    updates: int,
    stretches: list[lineage.Stretch],
    grew_from: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return what policies say of what they were made from."""
    return {
        **made_with(),
        "data": facts[0] if len(facts) == 1 else list(facts),
        "certificate": lineage.weakest(stretches, grew_from),
        "lineage": lineage.lineage_of(stretches, grew_from),
        "initial": plan.initial,
        "updates": updates,
        "steps": updates * plan.settings.rollout_size,
        AGENTS: len(plan.agents),
    }


def made_with() -> dict[str, Any]:
    """Return versions and devices, for the provenance of what a run makes."""
    return provenance.made_with(PACKAGES, jax.devices())
