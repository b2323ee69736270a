"""What ``rltrader evaluate`` does with ``--advice``: the fused policy, and the comparison beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foundation.errors import InputError
from foundation.progress import progress_bar
from rltrader.consoles import say

if TYPE_CHECKING:
    from jax_port.data.data_loader import PreparedMarket
    from jax_port.evaluation.advice.advised import Advised
    from jax_port.ppo.policy import Policy
    from markets.advice.fusion import FusionSettings

Command = Callable[..., None]
RULES = ("weighted", "gated", "agreement", "veto", "alone")
"""Names of :data:`markets.advice.fusion.RULES`, without importing it."""


def advice_options(command: Command) -> Command:
    """Add ``--advice`` and what goes with it; the command gets them by name."""
    options = [
        click.option(
            "--advice",
            type=click.Path(path_type=Path),
            help="Table of advice on these bars: play the fused policy, and compare.",
        ),
        click.option(
            "--fusion",
            type=click.Choice(RULES),
            default="gated",
            show_default=True,
            help="Rule by which advice and policy meet.",
        ),
        click.option(
            "--fusion-set",
            multiple=True,
            metavar="NAME=VALUE",
            help="Another setting of the fusion, such as weight=0.5; may be repeated.",
        ),
        click.option(
            "--latency", type=click.FloatRange(0), help="Seconds of every answer, not its own."
        ),
        click.option(
            "--also",
            multiple=True,
            type=click.Path(path_type=Path),
            help="A policy of another seed, for the comparison; may be repeated.",
        ),
        click.option(
            "--tried",
            type=click.IntRange(0),
            default=0,
            help="Fusions tried on these days before, for the correction.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def read_advised(market: PreparedMarket, policy: Policy, options: dict[str, Any]) -> Advised | None:
    """Return what the policy is advised with; None without ``--advice``.

    Raises:
        InputError: the table is of other bars, or a setting makes no sense.
    """
    if options["advice"] is None:
        return None
    from jax_port.evaluation.advice.advised import Advised
    from jax_port.data.advisor_view import view_of
    from markets.advice.schedule import lay
    from markets.advice.table import check_market, load_table

    table = load_table(options["advice"])
    check_market(table, view_of(market, policy.config), options["advice"])
    latency = options["latency"]
    bars = lay(table, market.timestamps_ns, None if latency is None else 1000 * latency)
    return Advised(bars, fusion_settings(options["fusion"], options["fusion_set"]))


def fusion_settings(rule: str, changes: Sequence[str]) -> FusionSettings:
    """Return a fusion from a rule and NAME=VALUE texts.

    Raises:
        InputError: a name is unknown, or a value makes no sense.
    """
    from markets.advice.fusion import FusionSettings

    values = FusionSettings(rule=rule).to_dict()
    for text in changes:
        name, equals, value = text.partition("=")
        if not equals or name not in values or name == "rule":
            names = ", ".join(name for name in values if name != "rule")
            raise InputError(f"--fusion-set {text}: give NAME=VALUE with one of {names}")
        values[name] = _number(text, value, type(values[name]))
    return FusionSettings(**values)


def _number(text: str, value: str, kind: type) -> Any:
    if kind is bool:
        if value not in ("true", "false"):
            raise InputError(f"--fusion-set {text}: give true or false")
        return value == "true"
    try:
        return kind(value)
    except ValueError:
        raise InputError(f"--fusion-set {text}: give a number") from None


def compare(
    policy: Policy,
    path: Path,
    market: PreparedMarket,
    advised: Advised,
    rows: Any,
    options: dict[str, Any],
    out: Path,
) -> None:
    """Play every arm on the same days and write the comparison beside the evaluation."""
    from jax_port.evaluation.advice import report
    from jax_port.evaluation.advice.comparison import make_arms, play_arms
    from jax_port.ppo.policy import load_policy
    from markets.advice.table import TABLE, load_table

    paths = [path, *options["also"]]
    policies = [policy, *_others(options["also"], policy, load_policy)]
    arms = make_arms(advised.settings)
    with progress_bar("comparing", "arms") as bar:
        task = bar.add_task("", total=len(arms))
        played, days = play_arms(
            arms, policies, market, advised.bars, rows, lambda: bar.update(task, advance=1)
        )
    place = options["advice"]
    file = place / TABLE if place.is_dir() else place
    values = report.to_values(
        arms,
        played,
        days,
        load_table(place),
        file,
        advised.settings,
        paths,
        market,
        options["tried"],
    )
    report.write(out, values, played, days)
    found = report.verdict(values)
    say(f"{found.sign} {found.headline} {found.reason}")
    say(f"comparison: {out / 'advice.html'}")


def _others(paths: Sequence[Path], policy: Policy, load: Callable[[Path], Policy]) -> list[Policy]:
    others = [load(path) for path in paths]
    for path, other in zip(paths, others, strict=True):
        if other.config != policy.config:
            raise InputError(
                f"{path}: trained in another environment than the first policy; give policies that "
                "differ in their seed alone"
            )
    return others
