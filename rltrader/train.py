"""``rltrader train``: train agents on the device, or go on with a run that was cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from foundation.errors import InputError
from foundation.progress import ReportedProgress
from foundation.report.format import count as plural
from foundation.report.format import dollars, number, percent, show
from foundation.signals import StopRequest, stop_on_signal
from rltrader.consoles import report_console, say
from rltrader.options.bars import BarOptions, bar_options, synthetic_options
from rltrader.options.config_file import config_option, print_schema, to_toml
from rltrader.options.environment import environment_options
from rltrader.options.loggers import logger_option
from rltrader.options.processes import join_processes
from rltrader.options.proof import proof_options
from rltrader.options.run_toml import RUN_TOML, register_contracts_of
from rltrader.options.train_plan import date_or_policy, make_plan, prove
from rltrader.options.training import settings_options
from rltrader.options.training_advice import training_advice_options

if TYPE_CHECKING:
    from jax_port.runs.plan import Plan
    from jax_port.runs.run import OnProgress

PROCESSES = ("distributed", "coordinator", "processes", "process_id")
COMPILING = "compiling (an alarm of XLA about slow compiling is no fault)"
MAY_CHANGE = {"out", "resume", "loggers", "certificate", "ungated", "least", "require_key", *PROCESSES}
"""Parameters that a run may be gone on with; all others are the run's own."""


@click.command()
@config_option
@bar_options("several", "several", "Contract of each file; of synthetic bars ES by default.")
@synthetic_options
@click.option(
    "--from",
    "first",
    callback=date_or_policy,
    default="",
    help="First New York date to train on, or as --from-policy.",
)
@click.option("--to", "last", default="", help="Last New York date to train on.")
@environment_options
@click.option(
    "--from-policy",
    "initial",
    type=click.Path(path_type=Path),
    help="Policy file to begin with; one of phase 1 may start phase 2.",
)
@click.option("--freeze", multiple=True, metavar="LAYER", help="Layer that keeps its weights.")
@click.option(
    "--layer-rate", "layer_factors", multiple=True, metavar="LAYER=X", help="Factor on its own rate."
)
@settings_options
@training_advice_options
@click.option("--seeds", type=click.IntRange(min=1), help="Agents to train side by side.")
@click.option(
    "--agents", type=click.Path(path_type=Path), help="CSV with one row of settings an agent."
)
@click.option("--updates-per-call", type=click.IntRange(min=1), help="Updates between two reports.")
@click.option("--checkpoint-every", default=20, show_default=True, help="Updates between checkpoints.")
@proof_options
@logger_option
@click.option("--distributed", is_flag=True, help="Join the other processes of a cluster first.")
@click.option("--coordinator", metavar="HOST:PORT", help="Of process 0, where no cluster is detected.")
@click.option("--processes", type=click.IntRange(min=1), help="Processes in all, with --coordinator.")
@click.option("--process-id", type=click.IntRange(min=0), help="This one's number from 0.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="The run's folder.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_schema,
    help="Print a JSON schema of --config's file, for editors.",
)
@click.pass_context
def train(
    ctx: click.Context,
    /,
    bars: BarOptions,
    out: Path | None,
    resume: bool,
    distributed: bool,
    coordinator: str | None,
    processes: int | None,
    process_id: int | None,
    **options: Any,
) -> None:
    """Train with MaskablePPO on the device, behind the parity gate.

    Exit code 0 means finished, 130 stopped by Ctrl-C or 143 by SIGTERM (go on with --resume), 2 bad
    input.
    """
    if out is None:
        raise InputError("no --out; name the folder that the run is to be written to")
    join_processes(distributed, coordinator, processes, process_id)
    from jax_port.runs import lineage
    from jax_port.runs import run as runs
    from jax_port.runs.gate import UNGATED, refuse_other_numbers
    from jax_port.runs.run_file import shown_proof

    refuse_other_numbers()
    if resume:
        plan = _resumed_plan(ctx, out, options)
    else:
        plan = make_plan(bars, options)
        runs.refuse_occupied(out)
    texts = {} if resume else {RUN_TOML: to_toml(ctx)}
    console = report_console(stderr=True)
    if resume and shown_proof(out) == UNGATED:
        options["ungated"] = True  # nothing that is proved now can mend what was not
    proof = prove(plan, options, console)
    if not resume:
        plan = replace(plan, certificate=proof)
    console.print(what_is_trained(plan))
    with progress(console, plan) as on_progress, stop_on_signal() as stopped:
        on_update = answering(stopped, on_progress)
        finished = runs.run(
            plan,
            out,
            on_update,
            stopped,
            begin=not resume,
            certificate=proof,
            texts=texts,
            loggers=options["loggers"],
        )
    if not finished:
        go_on = f"rltrader train --out {out} --resume"
        console.print(f"stopped and saved; go on with: {go_on}", soft_wrap=True)
        raise SystemExit(stopped.exit_code)
    count = len(plan.agents)
    proof = lineage.in_words(shown_proof(out))
    if count > 1:
        report_console().print(ranked_table(out, plan))
    say(f"{count} {'policy' if count == 1 else 'policies'} trained, parity: {proof}; saved in {out}")


def what_is_trained(plan: Plan) -> str:
    """Return in words how many steps a run will make, since rollouts are whole."""
    settings, count = plan.settings, len(plan.agents)
    updates, asked = settings.num_updates, settings.total_timesteps
    steps = updates * settings.rollout_size
    words = (
        f"{steps:,} steps{'' if count == 1 else f' of each of {count} agents'} in "
        f"{plural(updates, 'update')} of {settings.n_envs:,} environments x {settings.n_steps:,} steps"
    )
    if steps == asked:
        return words
    return f"{words}: the {asked:,} asked for, rounded up to whole updates (--envs, --n-steps)"


def ranked_table(folder: Path, plan: Plan) -> Table:
    """Return the agents of a finished run, ranked by what their last training episodes made."""
    from jax_port.runs.logs.ranking import of_the_end, rank
    from jax_port.runs.logs.training_log import read_log

    table = Table(box=None, header_style="dim", title_justify="left", title_style="bold")
    table.title = "agents by the PnL of their training episodes in the last quarter of updates"
    names = list(dict.fromkeys(name for agent in plan.agents for name in agent if name != "seed"))
    table.add_column("policy", no_wrap=True)
    for name in ("PnL an episode", "reward", "trades", "trades won", "seed", *names):
        table.add_column(name, justify="right", no_wrap=True)
    for one in rank(of_the_end(read_log(folder))):
        own = plan.agents[one.agent]
        table.add_row(
            f"policy-{one.agent}",
            dollars(one.pnl_dollars),
            number(one.reward),
            number(one.trades, 1),
            percent(one.win_rate),
            str(plan.seeds[one.agent]),
            *(show(own.get(name, getattr(plan.settings, name))) for name in names),
        )
    return table


def answering(stopped: StopRequest, on_progress: OnProgress) -> OnProgress:
    """Return ``on_progress``, which from the first update on says that a signal was heard.

    Before that there is nothing to save, and a signal ends the process at once.
    """

    def told(updates: int, records: list[dict[str, Any]]) -> None:
        if records:
            stopped.answer()
        on_progress(updates, records)

    return told


def _resumed_plan(ctx: click.Context, out: Path, options: dict[str, Any]) -> Plan:
    """Return the plan of the run in a folder; refuse options that are the run's own."""
    from jax_port.runs.plan import read_plan
    from jax_port.runs.run_file import RUN

    plan = read_plan(out)
    register_contracts_of(out)
    given = [
        param.opts[0]
        for param in ctx.command.params
        if param.name not in MAY_CHANGE
        and ctx.get_parameter_source(param.name or "") not in (None, ParameterSource.DEFAULT)
    ]
    if given:
        raise InputError(
            f"--resume goes on with what {out / RUN} says; leave out {', '.join(sorted(given))}, "
            "or start a new run"
        )
    return plan


@contextmanager
def progress(console: Console, plan: Plan) -> Iterator[Callable[[int, list[dict[str, Any]]], None]]:
    """Show a run's progress: updates, steps a second, mean PnL of an episode, time left.

    Yields what is to be told of the updates made and of the records since the last call.
    """
    columns = (
        TextColumn("training", style="bold"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[pnl]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with ReportedProgress(*columns, console=console) as bar:
        total = plan.settings.num_updates
        task = bar.add_task("training", total=total, rate=COMPILING, pnl="")

        def on_progress(updates: int, records: list[dict[str, Any]]) -> None:
            shown: dict[str, Any] = {}
            if records:
                shown["rate"] = f"{records[-1]['steps_per_second']:,.0f} steps/s"
                pnl = [
                    r["episode_pnl_dollars"] for r in records if r["episode_pnl_dollars"] is not None
                ]
                if pnl:
                    shown["pnl"] = f"{dollars(sum(pnl) / len(pnl), 0)} an episode"
            bar.update(task, completed=updates, **shown)

        yield on_progress
