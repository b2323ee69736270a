"""What the templates show of the tear sheet and of evaluation accounts: plots, lists and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foundation.report.format import DASH, dollars, number, percent
from jax_port.evaluation.metrics import EXITS
from jax_port.evaluation.prop_firm.chances import HORIZON, Chances
from jax_port.evaluation.prop_firm.plots import paths_plot
from jax_port.evaluation.sheet import plots
from jax_port.evaluation.sheet.calendar import MONTHS
from jax_port.evaluation.sheet.tear_sheet import TearSheet, evidence
from jax_port.evaluation.sheet.trade_list import COLUMNS, embedded, minutes_of, trade_rows
from markets import Contract

_PLATFORM = (
    ("total_net_profit", "Total net profit", dollars),
    ("gross_profit", "Gross profit", dollars),
    ("gross_loss", "Gross loss", dollars),
    ("commission", "Commission", dollars),
    ("profit_factor", "Profit factor", number),
    ("max_drawdown", "Max. drawdown", dollars),
    ("sharpe_ratio", "Sharpe ratio", number),
    ("sortino_ratio", "Sortino ratio", number),
    ("ulcer_index", "Ulcer index", dollars),
    ("r_squared", "R squared", number),
    ("total_trades", "Total # of trades", number),
    ("percent_profitable", "Percent profitable", percent),
    ("winning_trades", "# of winning trades", number),
    ("losing_trades", "# of losing trades", number),
    ("even_trades", "# of even trades", number),
    ("average_trade", "Avg. trade", dollars),
    ("average_winning_trade", "Avg. winning trade", dollars),
    ("average_losing_trade", "Avg. losing trade", dollars),
    ("average_win_by_average_loss", "Ratio avg. win / avg. loss", number),
    ("max_consecutive_winners", "Max. consec. winners", number),
    ("max_consecutive_losers", "Max. consec. losers", number),
    ("largest_winning_trade", "Largest winning trade", dollars),
    ("largest_losing_trade", "Largest losing trade", dollars),
    ("average_trades_per_day", "Avg. # of trades per day", number),
    ("average_time_in_market", "Avg. time in market", "minutes"),
    ("average_bars_in_trade", "Avg. bars in trade", number),
    ("profit_per_month", "Profit per month", dollars),
    ("max_time_to_recover", "Max. time to recover", "minutes"),
    ("longest_flat_period", "Longest flat period", "minutes"),
    ("average_mae", "Avg. MAE", dollars),
    ("average_mfe", "Avg. MFE", dollars),
    ("average_etd", "Avg. ETD", dollars),
)


def sheet_view(values: Mapping[str, Any], sheet: TearSheet, contract: Contract) -> dict[str, Any]:
    """Return what the template of the tear sheet is given.

    Args:
        values: of the sheet, NaN as None.
        sheet: itself, for the plots.
        contract: for the decimals of prices.
    """
    days = list(sheet.days["day"])
    trades, reach = sheet.trades, sheet.reach
    pnl = trades["pnl"].to_numpy(np.float64)
    minutes = minutes_of(trades)
    rolling = np.array(sheet.values["rolling"]["sharpe_year"], np.float64)
    months = [abs(cell) for row in values["years"] for cell in row["months"] if cell is not None]
    rows = trade_rows(trades, reach, contract)
    return {
        "sheet": values,
        "evidence": evidence(sheet.values, int(sheet.pnl.sum()) / 100),
        "curves": plots.curves_plot(days, sheet.pnl, sheet.baselines),
        "opened": int(sheet.days["trades"].sum()),
        "month_names": MONTHS,
        "heat": max([*months, 1.0]),
        "rolling": plots.rolling_plot(days, rolling, values["rolling"]["window"]),
        "weekdays": plots.weekday_plot(values["by_weekday"]),
        "trade_plots": [
            ("PnL of a trade", plots.histogram("trade-pnl", pnl, "PnL of a trade ($)")),
            (
                "Time in a trade",
                plots.histogram("trade-time", minutes, "minutes from entry to exit", money=False),
            ),
            ("Against the trader", plots.reach_plot("mae", reach.mae / 100, pnl, "MAE ($)")),
            ("In the trader's favour", plots.reach_plot("mfe", reach.mfe / 100, pnl, "MFE ($)")),
            ("Given back", plots.histogram("etd", reach.etd / 100, "ETD ($)")),
        ],
        "rows": rows,
        "total": len(trades),
        "columns": COLUMNS,
        "exit_names": list(EXITS.values()),
        "embedded": embedded(rows),
        "platform": [(name, _shown(values["platform"][key], how)) for key, name, how in _PLATFORM],
    }


def accounts_view(values: Sequence[Mapping[str, Any]], chances: Sequence[Chances]) -> dict[str, Any]:
    """Return what the template of evaluation accounts is given.

    Args:
        values: of each, NaN as None.
        chances: the same, for the paths.
    """
    return {
        "horizon": HORIZON,
        "accounts": [
            {
                "numbers": plain,
                "sentences": one.rules.sentences(),
                "paths": paths_plot(f"paths-{at}", one),
                "shown": len(one.traces),
            }
            for at, (plain, one) in enumerate(zip(values, chances, strict=True))
        ],
    }


def _shown(value: float | None, how: Any) -> str:
    """Return a number as text; "minutes" as days, hours and minutes."""
    if value is None or how != "minutes":
        return DASH if value is None else str(how(value))
    whole = round(value)
    days, hours, minutes = whole // 1440, whole % 1440 // 60, whole % 60
    parts = ((days, "d"), (hours, "h"), (minutes, "min"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 min"
