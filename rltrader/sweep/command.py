"""``rltrader sweep``: search for settings with Optuna, by as many workers as take part."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.trial import Trial
from rich.console import Console

from foundation.errors import InputError, is_out_of_memory
from foundation.files import WriteError, write_text
from foundation.report.format import dollars
from rltrader.consoles import report_console, say
from rltrader.options.bars import BarOptions, bar_options, synthetic_options
from rltrader.options.config_file import config_option, search_table, to_toml
from rltrader.options.environment import environment_options
from rltrader.options.loggers import logger_option
from rltrader.options.proof import proof_options
from rltrader.options.train_plan import prove
from rltrader.options.training import settings_options
from rltrader.sweep import table
from rltrader.sweep.attempts import SharedTrials
from rltrader.sweep.run_trial import OBJECTIVES, LostError, Stopped, Task, run_trial
from rltrader.sweep.space import Space, read_space
from rltrader.sweep.storage import open_storage

ELSEWHERE: dict[str, Any] = {"initial": None, "agents": None, "layer_factors": (), "freeze": ()}
"""Options of ``rltrader train`` that a sweep has not, at their defaults."""
ASKED = "asked"
"""User attribute of a study: what its trials have in common."""
PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "median": lambda: optuna.pruners.MedianPruner(n_warmup_steps=1),
    "halving": optuna.pruners.SuccessiveHalvingPruner,
    "none": optuna.pruners.NopPruner,
}


@click.command()
@config_option
@bar_options("several", "several", "Contract of the file; of synthetic bars ES by default.")
@synthetic_options
@click.option("--from", "first", default="", help="First New York date, of training and judging.")
@click.option("--to", "last", default="", help="Last New York date, of training and judging.")
@environment_options
@settings_options
@click.option("--trials", required=True, type=click.IntRange(min=1), help="Of all workers together.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Agents of a trial, trained side by side; their mean counts.",
)
@click.option(
    "--validate",
    type=click.IntRange(min=1),
    help="Last trading days, to judge on and not to train on; a fifth by default.",
)
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default="pnl",
    show_default=True,
    help="What is maximised on these days: mean PnL of an episode, or Sharpe ratio of a day.",
)
@click.option(
    "--judgements",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Times that a trial is judged, and may be cut short.",
)
@click.option("--pruner", type=click.Choice(list(PRUNERS)), default="median", show_default=True)
@click.option("--storage", help="Journal, URL of a database or grpc://HOST:PORT; a file in --out.")
@click.option("--study", help="Name of the study; the name of --out by default.")
@click.option(
    "--lease",
    type=click.FloatRange(min=1.0),
    default=120.0,
    show_default=True,
    help="Seconds without a sign of life after which a trial's worker is taken for dead.",
)
@click.option("--updates-per-call", type=click.IntRange(min=1), help="Updates between two reports.")
@click.option("--checkpoint-every", default=20, show_default=True, help="Updates between checkpoints.")
@proof_options
@logger_option
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The sweep's folder."
)
@click.pass_context
def sweep(ctx: click.Context, /, bars: BarOptions, out: Path, **options: Any) -> None:
    """Search for settings: a trial a set of them, judged on days that training leaves out.

    The [search] table of --config says what is searched. The same command again, here or on another
    machine that sees the storage, is another worker of the same study; it goes on with what a dead one
    left. Exit code 130 means stopped by Ctrl-C or 143 by SIGTERM, 2 bad input.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file, searched = search_table(ctx)
    space = read_space(searched, ctx.command, file)
    console = report_console(stderr=True)
    task, asked = _prepare(bars, {**ELSEWHERE, **options}, out)
    prove(task.plan({}), options, console)
    study = _open_study(options, out, {**asked, "space": _described(space)})
    if not (out / "sweep.toml").exists():
        write_text(out / "sweep.toml", to_toml(ctx, searched))
    shared = SharedTrials(study, space, options["trials"], options["lease"])
    about = {"study": study.study_name, "objective": options["objective"], **_dates(task)}
    while (trial := shared.next()) is not None:
        say(_ended(shared, task, trial, options["lease"], console))
        _write(task, study, about, options["seeds"])
    rows = _write(task, study, about, options["seeds"])
    table.show(rows, options["objective"], out, report_console())


def _prepare(bars: BarOptions, options: dict[str, Any], out: Path) -> tuple[Task, dict[str, Any]]:
    """Return what trials have in common, and the same in plain values for workers to agree on."""
    from jax_port.data.data_loader import prepare
    from jax_port.evaluation.validation import Validation, split_days
    from jax_port.runs.training_data import trading_days
    from rltrader.options.train_plan import make_plan

    plan = make_plan(bars, options)
    if len(plan.data.sources) > 1:
        raise InputError(f"{len(plan.data.sources)} markets; a sweep is of one, so give one --data")
    (whole,) = plan.data.bars()
    market = prepare(whole, plan.config)
    split = split_days(trading_days(market), options["validate"])
    validation = Validation(market, plan.config, split.judge_first, split.judge_last)
    task = Task(
        bars=bars,
        options=options,
        validation=validation,
        split=split,
        objective=options["objective"],
        judgements=options["judgements"],
        folder=out,
    )
    asked = {
        "settings": plan.settings.to_dict(),
        "environment": plan.config.to_dict(),
        "bars": market.digest,
        "dates": [str(day) for day in split],
        "seeds": options["seeds"],
        "objective": options["objective"],
        "judgements": options["judgements"],
        "pruner": options["pruner"],
    }
    return task, json.loads(json.dumps(asked))


def _described(space: Space) -> dict[str, str]:
    return {name: optuna.distributions.distribution_to_json(one) for name, one in sorted(space.items())}


def _dates(task: Task) -> dict[str, Any]:
    names = ("train_first", "train_last", "judge_first", "judge_last")
    return {name: str(day) for name, day in zip(names, task.split, strict=True)}


def _open_study(options: Mapping[str, Any], out: Path, asked: dict[str, Any]) -> optuna.Study:
    """Return the study, made by this worker or joined.

    Raises:
        InputError: another sweep of other settings has the name, or the storage can't be used.
    """
    storage = open_storage(options["storage"], out)
    name = options["study"] or out.resolve().name
    seed = options["seed"] or 0
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", sampler=_sampler(seed)
        )
        study.set_user_attr(ASKED, asked)
    except DuplicatedStudyError:  # workers that join must not suggest what the first one does
        study = optuna.load_study(storage=storage, study_name=name, sampler=_sampler(None))
    study.pruner = PRUNERS[options["pruner"]]()
    before = study.user_attrs.get(ASKED, asked)
    if other := sorted(name for name in asked if before.get(name) != asked[name]):
        raise InputError(
            f"study {name!r} was begun with other {' and '.join(other)}; give the same options to "
            "every worker, or another --out or --study"
        )
    return study


def _sampler(seed: int | None) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _ended(shared: SharedTrials, task: Task, trial: Trial, lease: float, console: Console) -> str:
    """Run a trial to its end; return in words how it went."""
    name = f"trial {trial.number}"
    try:
        value, pruned = run_trial(task, trial, lease, console)
    except WriteError:  # of this machine's disk, not of the settings
        shared.give_up(trial)
        raise
    except InputError as error:
        shared.give_up(trial, str(error))
        return f"{name}: failed, {error}"
    except LostError:
        return f"{name}: another worker took it over"
    except Stopped as stopped:
        shared.give_up(trial)
        say(f"{name}: stopped and saved; the same command goes on")
        raise SystemExit(stopped.code) from None
    except Exception as error:
        shared.give_up(trial, (str(error).splitlines() or [type(error).__name__])[0])
        if is_out_of_memory(error):
            return f"{name}: failed, out of memory"
        raise
    except BaseException:
        shared.give_up(trial)
        raise
    if not shared.finish(trial, value, pruned):
        return f"{name}: another worker took it over"
    shown = f"{dollars(value)} an episode" if task.objective == "pnl" else f"{value:.3f}"
    return f"{name}: {shown}{', cut short' if pruned else ''}"


def _write(task: Task, study: optuna.Study, about: dict[str, Any], seeds: int) -> list[table.Row]:
    rows = table.ranked(study.get_trials(deepcopy=False))
    table.write(task.folder, rows, about, seeds)
    return rows
