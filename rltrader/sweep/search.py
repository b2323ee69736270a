"""The search of ``rltrader sweep``: one worker's share of a study's trials, and their table."""

from __future__ import annotations

import json
import time
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
from rltrader.options.bars import BarOptions
from rltrader.options.config_file import search_table, to_toml
from rltrader.options.train_plan import prove
from rltrader.sweep import table
from rltrader.sweep.attempts import SharedTrials, origin_of
from rltrader.sweep.run_trial import LostError, Stopped, Task, run_trial
from rltrader.sweep.space import Space, read_space
from rltrader.sweep.storage import open_storage

ELSEWHERE: dict[str, Any] = {"initial": None, "agents": None, "layer_factors": (), "freeze": ()}
"""Options of ``rltrader train`` that a sweep has not, at their defaults."""
ASKED = "asked"
"""User attribute of a study: what its trials have in common."""
PATIENCE_S = 5.0
"""For how long a worker that joins waits for what the first one asks for."""
PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    # Judgements count from 1, and the first tells too little to end a trial by.
    "median": lambda: optuna.pruners.MedianPruner(n_warmup_steps=2),
    "halving": optuna.pruners.SuccessiveHalvingPruner,
    "none": optuna.pruners.NopPruner,
}


def search(ctx: click.Context, bars: BarOptions, out: Path, options: dict[str, Any]) -> None:
    """Run trials of a study until all have ended, and write and print their table.

    Args:
        ctx: of the command, whose ``--config`` holds what is searched.
        bars: files and how to read them.
        out: the sweep's folder.
        options: the command's others, by name.

    Raises:
        InputError: something asked for can't be used, or the study was begun with other options.
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
        _await_asked(study, asked)
    study.pruner = PRUNERS[options["pruner"]]()
    before = study.user_attrs[ASKED]
    if other := sorted(name for name in asked if before.get(name) != asked[name]):
        raise InputError(
            f"study {name!r} was begun with other {' and '.join(other)}; give the same options to "
            "every worker, or another --out or --study"
        )
    return study


def _await_asked(study: optuna.Study, asked: dict[str, Any]) -> None:
    """Wait for what the worker that made a study asks for; write it, if that one has died."""
    end = time.monotonic() + PATIENCE_S
    while ASKED not in study.user_attrs:
        if time.monotonic() >= end:
            study.set_user_attr(ASKED, asked)
            return
        time.sleep(0.1)


def _sampler(seed: int | None) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _ended(shared: SharedTrials, task: Task, trial: Trial, lease: float, console: Console) -> str:
    """Run a trial to its end; return in words how it went."""
    name = f"trial {origin_of(trial)}"  # as its folder and the table call it
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
