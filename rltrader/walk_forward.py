"""``rltrader walk-forward``: train on each window of dates and judge on the dates that follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foundation.errors import InputError
from foundation.files import write_text
from foundation.signals import stop_on_signal
from rltrader.consoles import report_console, say
from rltrader.options.bars import BarOptions, bar_options
from rltrader.options.config_file import config_option_without, path_of, to_toml
from rltrader.options.days import Days
from rltrader.options.environment import environment_options
from rltrader.options.proof import proof_options
from rltrader.options.run_toml import texts_of
from rltrader.options.train_plan import make_plan, prove
from rltrader.options.training import settings_options
from rltrader.train import answering, progress, what_is_trained

if TYPE_CHECKING:
    from jax_port.data.data_loader import PreparedMarket
    from jax_port.evaluation.walk_forward.joined import Judged
    from jax_port.evaluation.walk_forward.tried import Tried
    from jax_port.evaluation.walk_forward.windows import Window
    from jax_port.runs.plan import Plan
    from jax_port.runs.runner import Programs

CONFIG = "walk_forward.toml"
"""What was asked for, as ``--config`` reads it again."""
ELSEWHERE: dict[str, Any] = {
    "synthetic": None,
    "pattern": None,
    "data_seed": 0,
    "initial": None,
    "seeds": None,
    "agents": None,
    "updates_per_call": None,
    "checkpoint_every": 20,
    "layer_factors": (),
    "freeze": (),
}
"""Options of ``rltrader train`` that a walk-forward has not, at their defaults."""


@click.command("walk-forward")
@config_option_without("from", "to", "seeds", "updates_per_call", "checkpoint_every")
@bar_options("required", "required")
@click.option("--train", required=True, type=Days(), help="Trading days of a training, 60 or 60d.")
@click.option("--test", required=True, type=Days(), help="Trading days judged after it.")
@click.option("--step", type=Days(), help="Days between windows; --test by default.")
@click.option(
    "--gap",
    type=Days(),
    default=1,
    show_default=True,
    help="Days between training and judging.",
)
@environment_options
@settings_options
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="Settings that these were chosen from, themselves included; by default those of the sweep "
    "whose trial's run.toml --config names, else 1.",
)
@click.option(
    "--sweep",
    type=click.Path(path_type=Path),
    help="Folder of the sweep that these settings were chosen in; by default that of the trial whose "
    "run.toml --config names.",
)
@proof_options
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.pass_context
def walk_forward(ctx: click.Context, /, bars: BarOptions, out: Path, **options: Any) -> None:
    """Train on each window of dates, judge on the dates that follow, and join what was judged.

    The same command goes on with what an interrupted one left in --out. Exit code 130 means stopped by
    Ctrl-C or 143 by SIGTERM, 2 bad input.
    """
    from jax_port.data.data_loader import load
    from jax_port.evaluation.walk_forward import joined
    from jax_port.evaluation.walk_forward.tried import settings_tried
    from jax_port.evaluation.walk_forward.windows import windows_of
    from jax_port.runs.training_data import trading_days

    plan = make_plan(bars, {**ELSEWHERE, **options, "first": "", "last": ""})
    contract, (file,) = bars.contract(), bars.files
    market = load(file, contract, plan.config, **bars.reader)
    windows = windows_of(
        trading_days(market), options["train"], options["test"], options["step"], options["gap"]
    )
    tried = settings_tried(path_of(ctx), options["trials"], options["sweep"])
    # The file lies elsewhere than the one that the sweep was found by.
    asked = to_toml(ctx, found={"sweep": tried.source} if tried.source else {})
    if not (out / CONFIG).exists():
        write_text(out / CONFIG, asked)
    judged: list[Judged] = []
    programs: Programs = {}
    for number, window in enumerate(windows, 1):
        say(f"window {number} of {len(windows)}: {window}")
        policy = _trained(plan, window, out / f"window-{number}", options, programs)
        judged.append(_judged(policy, window, file, market, out, tried))
    result, sheet = joined.judge(judged, market, tried)
    values = joined.to_values(judged, result, sheet, market, tried)
    joined.write(out, values, result)
    # A walk that was gone on with may have judged other days, or counted other trials.
    write_text(out / CONFIG, asked)
    _tell_others(out, len(windows))
    verdict = joined.verdict(values)
    say(f"{verdict.sign} {verdict.headline} {verdict.reason}")
    say(f"page: {out / 'walk_forward.html'}")


def _tell_others(out: Path, count: int) -> None:
    """Say which windows are there of an earlier walk of more: they were trained, and are kept."""
    for place in sorted(out.glob("window-*")):
        number = place.name.removeprefix("window-")
        own = number.isascii() and number.isdecimal() and place.name == f"window-{int(number)}"
        if own and int(number) > count and (place / "run" / "run.json").is_file():
            say(f"{place} is of an earlier walk of more windows, and not on this page; it is kept")


def _trained(
    plan: Plan, window: Window, place: Path, options: dict[str, Any], programs: Programs
) -> Path:
    """Train in a window, or go on with its training; return the policy's file."""
    from jax_port.runs import run as runs
    from jax_port.runs.plan import read_plan
    from jax_port.runs.policies import FINISHED
    from jax_port.runs.run_file import RUN

    data = replace(plan.data, first=str(window.train_first), last=str(window.train_last))
    own, folder = replace(plan, data=data), place / "run"
    policy = folder / "policy-0.safetensors"
    begun = (folder / RUN).exists()
    if begun:
        before = read_plan(folder)
        if replace(before, certificate=own.certificate) != own:
            raise InputError(
                f"{folder}: this window was trained with other settings, bars or dates; choose another "
                "--out, or give the same options"
            )
        if (folder / FINISHED).exists():
            _require_same_bars(policy, own, folder)
            return policy
        own = before  # whose checkpoints are of the plan as it was written, its first proof included
    console = report_console(stderr=True)
    proof = prove(own, options, console)
    if not begun:
        own = replace(own, certificate=proof)
    console.print(what_is_trained(own))
    with progress(console, own) as tell, stop_on_signal() as stopped:
        on_update = answering(stopped, tell)
        texts = {} if begun else texts_of(own)
        finished = runs.run(
            own,
            folder,
            on_update,
            stopped,
            begin=not begun,
            texts=texts,
            certificate=proof,
            programs=programs,
        )
    if not finished:
        console.print("stopped and saved; the same command goes on")
        raise SystemExit(stopped.exit_code)
    return policy


def _require_same_bars(policy: Path, plan: Plan, folder: Path) -> None:
    """Refuse a trained window whose file holds other bars by now: a plan names the path alone."""
    from jax_port.ppo.policy import load_policy

    _, facts = plan.data.prepared(plan.config)
    trained = load_policy(policy, advised=True).about.get("data")
    if not isinstance(trained, dict) or trained.get("sha256") != facts[0]["sha256"]:
        raise InputError(
            f"{folder}: this window was trained on other bars than {facts[0]['source']} holds now; "
            "choose another --out, or give the bars that it was trained on"
        )


def _judged(
    path: Path, window: Window, file: Path, market: PreparedMarket, out: Path, tried: Tried
) -> Judged:
    """Let a window's policy trade the dates after its training, and write its own page."""
    import time

    from jax_port.data import held_out
    from jax_port.evaluation.evaluate import evaluate
    from jax_port.evaluation.report import write
    from jax_port.evaluation.tasks import Played, finish
    from jax_port.evaluation.walk_forward.joined import Judged
    from jax_port.ppo.policy import load_policy

    policy = load_policy(path)
    rows = held_out.starts_within(market, policy.config, window.test_first, window.test_last)
    relation = held_out.relate(market, policy.config, rows, policy.about)
    held_out.require_held_out(relation, market)
    began = time.perf_counter()
    result = evaluate(policy, market, rows=rows)
    played = Played(
        policy=policy,
        policy_path=path,
        market=market,
        data_path=file,
        relation=relation,
        asked=(window.test_first, window.test_last),
        took=round(time.perf_counter() - began, 1),
        result=result,
        rows=rows,
    )
    report = finish(played, [], tried.trials, tried.sharpes)
    place = path.parents[1] / "evaluation"
    write(place, report.values, result, market, report.sheet)
    return Judged(window, policy, result, (place / "report.html").relative_to(out))
