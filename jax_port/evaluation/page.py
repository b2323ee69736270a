"""An evaluation as one self-contained page: numbers first, then plots and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2
import numpy as np

from jax_port.data.data_loader import PreparedMarket
from jax_port.data.held_out import BEFORE, HELD_OUT, OTHER_MARKET
from jax_port.evaluation import plots as plots
from jax_port.evaluation import verdicts as verdicts
from jax_port.evaluation.episode_plots import caption, choose, episode_plot
from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.format import count, show_money, show_number, show_percent
from jax_port.evaluation.metrics import below_peak, chain, daily


def render(values: Mapping[str, Any], result: Evaluation, market: PreparedMarket) -> str:
    """Return the page.

    Args:
        values: what :func:`jax_port.evaluation.report.to_values` returns.
        result: the evaluation itself, for the curve, the histogram and single episodes.
        market: the bars, for single episodes.

    Returns:
        HTML that asks for nothing outside itself.
    """
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("jax_port.evaluation"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    env.filters.update(money=show_money, percent=show_percent, number=show_number)
    curve = chain(result.equity)
    days = daily(result)
    first = np.flatnonzero(result.equity["step"].to_numpy() == 0)
    performance = values["performance"]
    trades = performance["trades"]
    common, traces = choose(result, market)
    seconds = values["seconds"]
    return env.get_template("evaluation.html.j2").render(
        v=values,
        account=performance["account"],
        starts=performance["starts"],
        trades=trades,
        tiles=tiles(performance),
        pills=pills(values),
        days=days.to_dict("records"),
        equity=plots.equity_plot(curve / 100, list(days["day"]), first),
        drawdown=int(below_peak(curve).max()) / 100,
        histogram=plots.pnl_histogram(
            result.episodes["pnl"].to_numpy(), performance["starts"]["mean_pnl"]
        ),
        hours=plots.hour_plot(trades["by_hour"]),
        exits=plots.exit_plot(trades["by_exit"]),
        common=common,
        episodes=[(*caption(trace), episode_plot(trace)) for trace in traces],
        seconds=seconds,
        verdicts=seconds and verdicts.verdict_rows(seconds),
        differing=seconds and verdicts.episode_rows(seconds),
        covered=seconds and verdicts.coverage(seconds),
    )


def tiles(performance: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the numbers that head the page: label, value and the words below it."""
    account, starts, trades = (performance[name] for name in ("account", "starts", "trades"))
    of = "an episode a day" if trades["of"] == "daily" else "episodes from every start"
    mean_range = (
        f"95%: {show_money(starts['mean_low'], 0)} to {show_money(starts['mean_high'], 0)}; "
        if starts["mean_low"] is not None
        else ""
    )
    parts = (
        f"closed {show_money(account['closed_pnl'])}, still open {show_money(account['open_pnl'])}; "
        if account["open_pnl"]
        else ""
    )
    return [
        {
            "label": "Total PnL",
            "value": show_money(account["pnl"]),
            "below": f"{parts}one episode a day, {count(account['days'], 'day')}",
        },
        {
            "label": "Mean PnL of an episode",
            "value": show_money(starts["mean_pnl"]),
            "below": f"{mean_range}{count(starts['episodes'], 'start')} "
            f"of {count(starts['days'], 'day')}",
        },
        {
            "label": "Max drawdown",
            "value": show_money(account["max_drawdown"]),
            "below": "of the daily equity curve, at every bar's close",
        },
        {
            "label": "Sharpe per day",
            "value": show_number(account["sharpe_day"]),
            "below": f"{show_number(account['sharpe_year'])} a year (× √252)",
        },
        {
            "label": "Winning days",
            "value": show_percent(account["winning_days"]),
            "below": f"from {show_money(account['worst_day'])} to {show_money(account['best_day'])}",
        },
        {
            "label": "Win rate",
            "value": show_percent(trades["win_rate"]),
            "below": f"{count(trades['trades'], 'trade')}, {of}",
        },
        {
            "label": "Profit factor",
            "value": show_number(trades["profit_factor"]),
            "below": f"{show_money(trades['expectancy'])} a trade",
        },
        {
            "label": "Exposure",
            "value": show_percent(account["exposure"]),
            "below": f"of bars in a position; {show_number(trades['mean_bars'], 1)} bars a trade",
        },
    ]


def pills(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (tone, words) on the range, the proof of parity and, where asked, every second."""
    status, training = values["held_out"]["status"], values["held_out"]["training"]
    if status == HELD_OUT:
        found = [("good", f"held out: {training['last']} was the last day of training")]
    elif status == BEFORE:
        found = [("warn", f"before the training data, {training['first']} to {training['last']}")]
    elif status == OTHER_MARKET:
        found = [("good", status)]
    elif training is None:
        found = [("warn", "training data: unknown")]
    else:
        found = [("bad", f"{status}, {training['first']} to {training['last']}")]
    certificate = values["certificate"]
    if isinstance(certificate, Mapping):
        good = certificate.get("verdict") == "same"
        made = certificate.get("made")
        when = str(made.get("when", "") if isinstance(made, Mapping) else made or "")[:10]
        words = f"parity at training: {certificate.get('verdict', 'unknown')}"
        found.append(("good" if good else "bad", f"{words}, {when}" if when else words))
    elif certificate == "ungated":
        found.append(("warn", "ungated: trained without proof of parity"))
    else:
        found.append(("warn", "parity certificate: unknown"))
    if values["seconds"]:
        found.append(verdicts.verdict_pill(values))
    return found
