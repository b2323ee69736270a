"""An evaluation as one self-contained page: the verdict first, then numbers, plots and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foundation.report.format import count, dollars, number, percent
from foundation.report.html import templates
from foundation.report.parts import Tile, Tone, Verdict
from jax_port.data.data_loader import PreparedMarket
from jax_port.data.held_out import BEFORE, HELD_OUT, OTHER_MARKET, OVERLAPS, TOO_CLOSE
from jax_port.evaluation import plots, verdicts
from jax_port.evaluation.episode_plots import caption, choose, episode_plot
from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.metrics import below_peak, chain, daily
from jax_port.evaluation.prop_firm.chances import Chances
from jax_port.evaluation.resampling import too_few
from jax_port.evaluation.sheet.tear_sheet import TearSheet
from jax_port.evaluation.sheet.view import accounts_view, sheet_view
from jax_port.runs.lineage import ALIKE, SAME

Values = Mapping[str, Any]


def render(
    values: Values,
    result: Evaluation,
    market: PreparedMarket,
    sheet: TearSheet,
    chances: Sequence[Chances] = (),
) -> str:
    """Return the page.

    Args:
        values: what :func:`jax_port.evaluation.report.to_values` returns.
        result: the evaluation itself, for the curve, the histogram and single episodes.
        market: the bars, for single episodes.
        sheet: the tear sheet.
        chances: of passing each evaluation that was asked for.

    Returns:
        HTML that asks for nothing outside itself.
    """
    curve = chain(result.equity)
    days = daily(result)
    first = np.flatnonzero(result.equity["step"].to_numpy() == 0)
    performance = values["performance"]
    trades = performance["trades"]
    common, traces = choose(result, market)
    seconds = values["seconds"]
    return (
        templates("jax_port.evaluation")
        .get_template("evaluation.html.j2")
        .render(
            v=values,
            verdict=verdict(values),
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
            **sheet_view(values["tear_sheet"], sheet, market.contract),
            **accounts_view(values["evaluation_accounts"], chances),
        )
    )


def verdict(values: Values) -> Verdict:
    """Return what the account made, and whether that tells an edge from luck.

    It is good only if the days were kept from training and the whole 95% interval of the mean PnL of an
    episode lies above zero.
    """
    account, starts = (values["performance"][name] for name in ("account", "starts"))
    pnl, days = account["pnl"], count(account["days"], "day")
    made = "gained" if pnl > 0 else "lost" if pnl < 0 else "made nothing"
    amount = f" {dollars(abs(pnl))}" if pnl else ""
    headline = f"The account {made}{amount} in {days}."
    status = values["held_out"]["status"]
    if status in (OVERLAPS, TOO_CLOSE):
        return Verdict(
            "bad",
            headline,
            f"This says nothing about new days: the range {status}, so the policy may have learned "
            "these very bars.",
        )
    low, high = starts["mean_low"], starts["mean_high"]
    if low is None:
        return Verdict("warn", headline, too_few(starts["days"]))
    interval = (
        f"The 95% interval of the mean PnL of an episode, {dollars(low, 0)} to {dollars(high, 0)},"
    )
    if low <= 0 <= high:
        return Verdict(
            "warn",
            headline,
            f"{interval} holds zero: {count(starts['days'], 'day')} do not tell an edge from luck.",
        )
    side = "above zero" if low > 0 else "below zero: over all starts the policy loses"
    unseen = status in (HELD_OUT, OTHER_MARKET)
    when = (
        "The policy was not trained on these days."
        if unseen
        else "Whether the policy was trained on these days is not known."
        if status != BEFORE
        else "These days came before the ones that the policy was trained on."
    )
    tone: Tone = "bad" if low <= 0 else "good" if unseen else "warn"
    return Verdict(tone, headline, f"{interval} lies {side}. {when}")


def tiles(performance: Values) -> list[Tile]:
    """Return the numbers that head the page."""
    account, starts, trades = (performance[name] for name in ("account", "starts", "trades"))
    of = "an episode a day" if trades["of"] == "daily" else "episodes from every start"
    mean_range = (
        f"95%: {dollars(starts['mean_low'], 0)} to {dollars(starts['mean_high'], 0)}; "
        if starts["mean_low"] is not None
        else ""
    )
    parts = (
        f"closed {dollars(account['closed_pnl'])}, still open {dollars(account['open_pnl'])}; "
        if account["open_pnl"]
        else ""
    )
    return [
        Tile(
            "Total PnL",
            dollars(account["pnl"]),
            f"{parts}one episode a day, {count(account['days'], 'day')}",
        ),
        Tile(
            "Mean PnL of an episode",
            dollars(starts["mean_pnl"]),
            f"{mean_range}{count(starts['episodes'], 'start')} of {count(starts['days'], 'day')}",
        ),
        Tile(
            "Max drawdown",
            dollars(account["max_drawdown"]),
            "largest fall of the daily equity curve from its highest, at every bar's close",
        ),
        Tile(
            "Sharpe per day",
            number(account["sharpe_day"]),
            f"mean / standard deviation of days' PnL; {number(account['sharpe_year'])} a year (× √252)",
        ),
        Tile(
            "Winning days",
            percent(account["winning_days"]),
            f"from {dollars(account['worst_day'])} to {dollars(account['best_day'])}",
        ),
        Tile(
            "Win rate",
            percent(trades["win_rate"]),
            f"{count(trades['trades'], 'trade')}, {of}",
        ),
        Tile(
            "Profit factor",
            number(trades["profit_factor"]),
            f"dollars won / dollars lost; {dollars(trades['expectancy'])} a trade",
        ),
        Tile(
            "Exposure",
            percent(account["exposure"]),
            f"of bars in a position; {number(trades['mean_bars'], 1)} bars a trade",
        ),
    ]


def pills(values: Values) -> list[tuple[Tone, str]]:
    """Return (tone, words) on the range, the proof of parity and, where asked, every second."""
    status, training = values["held_out"]["status"], values["held_out"]["training"]
    pills: list[tuple[Tone, str]]
    if status == HELD_OUT:
        pills = [("good", f"held out: {training['last']} was the last day of training")]
    elif status == BEFORE:
        pills = [("warn", f"before the training data, {training['first']} to {training['last']}")]
    elif status == OTHER_MARKET:
        pills = [("good", status)]
    elif training is None:
        pills = [("warn", "training data: unknown")]
    else:
        pills = [("bad", f"{status}, {training['first']} to {training['last']}")]
    certificate = values["certificate"]
    if isinstance(certificate, Mapping):
        verdict = certificate.get("verdict")
        tone: Tone = "good" if verdict == SAME else "warn" if verdict in ALIKE else "bad"
        made = certificate.get("made")
        when = str(made.get("when", "") if isinstance(made, Mapping) else made or "")[:10]
        words = f"parity at training: {verdict or 'unknown'}"
        pills.append((tone, f"{words}, {when}" if when else words))
    elif certificate == "ungated":
        pills.append(("warn", "ungated: trained without proof of parity"))
    else:
        pills.append(("warn", "parity certificate: unknown"))
    if values["seconds"]:
        pills.append(verdicts.verdict_pill(values))
    if values["advice"]:
        fusion, trained = values["advice"]["fusion"], values["advice"]["trained_with"]
        words = f"advised: {fusion['rule']}, not the bare policy" if fusion else ""
        pills.append(
            ("warn", words or f"trained with advice of {trained['model']}, as {trained['as']}")
        )
    return pills
