"""What the options of ``rltrader train`` ask for, as the plan of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foundation.errors import InputError
from foundation.files import file_digest
from foundation.progress import status
from foundation.report.format import duration
from rltrader.options.agents import read_agents
from rltrader.options.bars import BarOptions
from rltrader.options.environment import environment
from rltrader.options.training import chosen_settings
from rltrader.options.training_advice import remark, with_tables

if TYPE_CHECKING:
    from rich.console import Console

    from jax_port.runs.lineage import Proof
    from jax_port.runs.plan import Plan
    from jax_port.runs.training_data import TrainingData


def make_plan(bars: BarOptions, options: Mapping[str, Any]) -> Plan:
    """Return the plan that a command line asks for, without its proof: see :func:`prove`.

    Args:
        bars: files and how to read them.
        options: the command's others, by name.

    Raises:
        InputError: options contradict each other or are not valid.
    """
    from jax_port.envs.form import default_form
    from jax_port.ppo.settings import TrainSettings
    from jax_port.runs.memory import require_training_memory
    from jax_port.runs.plan import Plan

    first, initial = _first_and_policy(options["first"], options["initial"])
    chosen = chosen_settings(options)
    for part in ("pi", "vf"):
        if options[part] is not None:
            chosen[part] = hidden_sizes(part, options[part])
    chosen["layer_lr"] = _layer_lr(options["layer_factors"], options["freeze"])
    settings = TrainSettings().override(**chosen)
    data = with_tables(_data(bars, options, first), options)
    calls = options["updates_per_call"] or (1 if default_form() == "cpu" else 8)
    config = environment(options["phase"], options["overrides"])
    agents = _agents(options["seeds"], options["agents"])
    require_training_memory(settings, config, len(agents), calls, data.columns)
    return Plan(
        settings=settings,
        data=data,
        config=config,
        agents=agents,
        updates_per_call=calls,
        checkpoint_every=options["checkpoint_every"],
        initial=initial_policy(initial),
    )


def prove(plan: Plan, options: Mapping[str, Any], console: Console) -> Proof:
    """Return the proof under which a plan is trained from here on, and show how strong it is.

    What the certificate does not cover of the plan is compared first, which takes seconds.

    Args:
        plan: what is to be trained.
        options: the command's: certificate, least, require_key and ungated.
        console: for progress.

    Raises:
        InputError: the certificate does not carry this training; says why and what to do.
    """
    from jax_port.runs.gate import UNGATED, pass_gate
    from parity.admission import Demand, Training, admit

    training = Training(plan.data, plan.config, plan.settings)
    demand = Demand(options["least"], options["require_key"])
    with status(console, "parity") as update:
        proof = pass_gate(
            lambda path: admit(path, training, demand, lambda what: update(f"parity: {what}")),
            options["certificate"],
            options["ungated"],
        )
    if proof == UNGATED or isinstance(proof, str):
        console.print("ungated: no proof of parity; every artifact will say so", style="yellow")
    else:
        console.print(_strength(proof), style="green")
    if note := remark(plan.data):
        console.print(note, style="yellow")
    return proof


def _strength(proof: Mapping[str, Any]) -> str:
    """Return in words how strong a proof is, and what was compared for this training alone."""
    numbers = proof["counts"]["numbers_compared"]
    words = f"parity: {proof['verdict']}, strength {proof['strength']}, {numbers:,} numbers compared"
    if proof.get("signed_by"):
        words += f", signed by {proof['signed_by'][:16]}"
    if more := proof.get("data_at_hand"):
        why = "; ".join(more["because"])
        words += f"; {more['numbers']:,} more here, in {duration(more['seconds'])}, for {why}"
    return words


def initial_policy(place: Path | None) -> dict[str, str]:
    """Return a policy file's place and digest; the folder of a run or a bundle stands for its policy.

    Raises:
        InputError: there is no such file, or the run has several policies.
    """
    from jax_port.runs.find_policy import find_policy

    if place is None:
        return {}
    path = find_policy(place)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a policy that `rltrader train` wrote")
    return {"path": str(path.absolute()), "sha256": file_digest(path)}


def hidden_sizes(name: str, text: str) -> tuple[int, ...]:
    """Return sizes such as "256,256" as whole numbers.

    Raises:
        InputError: a part is no whole number; ``name`` is the option's.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--{name} is {text!r}; give sizes such as 256,256") from None


def _data(bars: BarOptions, options: Mapping[str, Any], first: str) -> TrainingData:
    from jax_port.runs import training_data

    return training_data.from_options(
        files=bars.files,
        symbols=bars.symbols,
        synthetic=options["synthetic"],
        pattern=options["pattern"],
        seed=options["data_seed"],
        reader=bars.reader,
        first=first,
        last=options["last"],
    )


def date_or_policy(_: click.Context, __: click.Parameter, value: str) -> str | Path:
    """Return --from as a date, or as the path of a run or a policy file where there is one."""
    return Path(value) if value and Path(value).exists() else value


def _first_and_policy(first: str | Path, policy: Path | None) -> tuple[str, Path | None]:
    """Return --from as a date and as a policy to begin with."""
    if isinstance(first, str):
        return first, policy
    if policy is not None:
        raise InputError("--from and --from-policy both name a policy; give it once")
    return "", first


def _layer_lr(given: tuple[str, ...], frozen: tuple[str, ...]) -> list[tuple[str, float]]:
    """Return LAYER=X texts and frozen layers as pairs."""
    rates = [(name, 0.0) for name in frozen]
    for text in given:
        name, _, value = text.partition("=")
        try:
            rates.append((name, float(value)))
        except ValueError:
            raise InputError(f"--layer-rate {text}: give LAYER=X, such as policy_0=0.1") from None
    return rates


def _agents(seeds: int | None, agents: Path | None) -> tuple[dict[str, Any], ...]:
    """Return each agent's overrides: one a row of the table, else one a seed."""
    if agents is None:
        return tuple({} for _ in range(seeds or 1))
    if seeds is not None:
        raise InputError("--seeds and --agents both say how many agents to train; give one of them")
    return read_agents(agents)
