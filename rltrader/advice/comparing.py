"""What ``rltrader evaluate`` does with ``--advice``: the fused policy, and the comparison beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foundation.command_line.numbers import Number
from foundation.errors import InputError
from foundation.progress import progress_bar
from rltrader.consoles import say
from rltrader.options.fusion import RULE, RULES, fusion_settings, refuse_without_advice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from jax_port.data.data_loader import PreparedMarket
    from jax_port.evaluation.advice.advised import Advised
    from jax_port.evaluation.tasks import Played
    from jax_port.ppo.policy import Policy
    from markets.advice.by_bar import AdviceUse
    from markets.advice.fusion import FusionSettings
    from markets.advice.schedule import AdviceOnBars

Command = Callable[..., None]


def advice_options(command: Command) -> Command:
    """Add ``--advice`` and what goes with it; the command gets them by name."""
    options = [
        click.option(
            "--advice",
            type=click.Path(path_type=Path),
            help="Table of advice on these bars: play the fused policy, or one trained with advice.",
        ),
        click.option(
            "--fusion",
            type=click.Choice(RULES),
            help="Rule by which advice and policy meet; gated by default.",
        ),
        click.option(
            "--fusion-set",
            multiple=True,
            metavar="NAME=VALUE",
            help="Another setting of the fusion, such as weight=0.5; may be repeated.",
        ),
        click.option("--latency", type=Number(0), help="Seconds of every answer, not its own."),
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


def refuse_unused(options: Mapping[str, Any]) -> None:
    """Refuse what goes with ``--advice`` where there is none.

    Raises:
        InputError: an option is given that would change nothing.
    """
    if options["advice"] is None:
        names = ("fusion", "fusion_set", "latency", "also")
        given = {f"--{name.replace('_', '-')}": options[name] for name in names}
        refuse_without_advice(given | {"--tried": options["tried"] or None})


def read_advised(
    market: PreparedMarket, policy: Policy, options: dict[str, Any]
) -> tuple[AdviceOnBars | None, Advised | None]:
    """Return the table's answers on the bars, and what a policy is fused with; None without.

    A policy that was trained with advice is fused with nothing: the answers are its own.

    Raises:
        InputError: the table is of other bars or of another advisor, or a setting makes no sense.
    """
    if options["advice"] is None:
        return None, None
    from jax_port.data.advisor_view import view_of
    from jax_port.evaluation.advice.advised import Advised
    from markets.advice.schedule import lay
    from markets.advice.table import check_market, load_table, require_latency

    table = load_table(options["advice"])
    if policy.advice is not None:
        policy.advice.check_table(table, options["advice"])
    check_market(table, view_of(market, policy.config), options["advice"])
    latency = options["latency"]
    require_latency(table, latency, options["advice"])
    bars = lay(table, market.timestamps_ns, None if latency is None else 1000 * latency)
    if policy.advice is None:
        return bars, Advised(bars, fusion_settings(options["fusion"] or RULE, options["fusion_set"]))
    if options["fusion"] or options["fusion_set"]:
        raise InputError(
            f"the policy was trained with advice as {policy.advice.way} and is fused with nothing "
            "more; leave out --fusion and --fusion-set"
        )
    return bars, None


def read_others(
    paths: Sequence[Path],
    policy: Policy,
    market: PreparedMarket,
    rows: NDArray[np.int64],
    allow_overlap: bool,
) -> tuple[Policy, ...]:
    """Return the policies of other seeds, each held to what the first one is held to.

    Args:
        paths: of ``--also``.
        policy: the first.
        market, rows: the bars, and where episodes start.
        allow_overlap: whether a policy may have been trained on them.

    Raises:
        InputError: one can't be read or played, was trained otherwise than the first or on these dates,
            or is given twice.
    """
    from jax_port.data import held_out
    from jax_port.data.trained_contract import require_same_contract
    from jax_port.evaluation.evaluate import check_policy
    from jax_port.ppo.policy import load_policy

    read = [policy]
    for path in paths:
        other = load_policy(path, advised=policy.advice is not None)
        check_policy(other, path)
        _require_alike(other, policy, path)
        try:
            require_same_contract(other.about, market.contract)
            if not allow_overlap:
                relation = held_out.relate(market, other.config, rows, other.about)
                held_out.require_held_out(relation, market)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        if any(_same_network(other, one) for one in read):
            raise InputError(
                f"{path}: the same network as a policy before it; give each policy once, since copies "
                "would count as several seeds"
            )
        read.append(other)
    return tuple(read[1:])


def compare(played: Played, options: dict[str, Any], out: Path) -> None:
    """Play every arm on the same days and write the comparison beside the evaluation."""
    from jax_port.evaluation.advice_comparison import report
    from jax_port.evaluation.advice_comparison.comparison import make_arms, make_own_arms, play_arms
    from markets.advice.table import TABLE, load_table

    use, laid = played.policy.advice, played.laid
    assert laid is not None
    policies = [played.policy, *played.others]
    judged: FusionSettings | AdviceUse
    if use is None:
        assert played.advised is not None
        judged = played.advised.settings
        arms = make_arms(judged)
    else:
        judged, arms = use, make_own_arms(use)
    with progress_bar("comparing", "arms") as bar:
        task = bar.add_task("", total=len(arms))
        made, days = play_arms(
            arms, policies, played.market, laid, played.rows, lambda: bar.update(task, advance=1)
        )
    place = options["advice"]
    values = report.to_values(
        arms,
        made,
        days,
        load_table(place),
        place / TABLE if place.is_dir() else place,
        judged,
        [played.policy_path, *options["also"]],
        played.market,
        options["tried"],
    )
    report.write(out, values, made, days)
    verdict = report.verdict(values)
    say(f"{verdict.sign} {verdict.headline} {verdict.reason}")
    say(f"comparison: {out / 'advice.html'}")


def _require_alike(other: Policy, policy: Policy, path: Path) -> None:
    for differs, words in (
        (other.advice != policy.advice, "with other advice"),
        (other.config != policy.config, "in another environment"),
    ):
        if differs:
            raise InputError(
                f"{path}: trained {words} than the first policy; give policies that differ in their "
                "seed alone"
            )


def _same_network(one: Policy, other: Policy) -> bool:
    import jax
    import numpy as np

    mine, its = (jax.tree.leaves((policy.params, policy.statistics)) for policy in (one, other))
    return len(mine) == len(its) and all(map(np.array_equal, mine, its))
