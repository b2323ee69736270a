"""``rltrader advise show`` and ``replay``: all that a table holds, and where it can't be made again."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from markets.advice.table import COLUMNS, About, AdviceTable, TableKey, load_table, save_table
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from rltrader.__main__ import app
from rltrader.advice.tables import show_table
from rltrader.consoles import report_console
from tests.sentences import check_error


def table(advisor: str = "chat", cutoff: str = "", masked: bool = False) -> AdviceTable:
    """Return four answers, one of them from a batch, and one that came too late."""
    values = {
        "row": [1, 4, 5, 9],
        "status": ["ok", "ok", "late", "ok"],
        "hold": [0.2, 0.2, None, 0.2],
        "buy": [0.8, 0.8, None, 0.8],
        "sell": [0.0, 0.0, None, 0.0],
        "confidence": [0.5, 0.5, None, 0.5],
        "latency_ms": [100.0, 300.0, 60_000.0, 0.0],
        "attempts": [1, 2, 1000, 1],
        "prompt_tokens": [1000, 2000, 0, 500],
        "completion_tokens": [10, 20, 0, 5],
    }
    frame = pd.DataFrame({name: values.get(name, "") for name in COLUMNS})
    frame["time"] = pd.date_range("2025-01-06", periods=4, freq="min", tz="UTC")
    key = TableKey("0", advisor, "tiny", "1")
    return AdviceTable(About(key, "ES", 12_000, cutoff, masked), frame)


def shown(one: AdviceTable) -> dict[str, str]:
    out = io.StringIO()
    show_table(report_console(file=out, force_terminal=False), one)
    pairs = [re.split(r"\s{2,}", line.strip()) for line in out.getvalue().splitlines()]
    return dict(pairs)


def test_all_that_a_table_of_a_model_holds_is_shown() -> None:
    both = {
        "market": "ES, 12,000 bars",
        "questions": "4",
        "with advice": "3",
        "no advice, late": "1",
    }
    assert shown(table(cutoff="2024-06-30", masked=True)) == {
        "advisor": "chat, tiny",
        **both,
        "model's cutoff date": "2024-06-30",
        "names and dates masked": "yes",
        "requests": "1,004",
        "tokens asked, answered": "3,500, 35",
        "latency": "median 200 ms, 95% 290 ms",
    }
    unknown = shown(table())
    assert unknown["model's cutoff date"] == "unknown: all bars count as before it"
    assert unknown["names and dates masked"] == "no"
    assert shown(table("rules")) == {"advisor": "rules, tiny", **both}


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        ((), None),
        (("--prompt-price", "2000"), "$7.0000"),
        (("--answer-price", "2000"), "$0.0700"),
        (("--prompt-price", "2000", "--answer-price", "1000"), "$7.0350"),
    ],
)
def test_what_it_cost_is_told_at_prices(
    prices: tuple[str, ...], cost: str | None, tmp_path: Path
) -> None:
    save_table(tmp_path / "advice.parquet", table())
    result = CliRunner().invoke(app, ["advise", "show", str(tmp_path), *prices])
    told = [line for line in result.output.splitlines() if "cost" in line]
    assert told == ([] if cost is None else [f"cost at these prices: {cost}"])


def test_a_table_that_differs_from_its_transcripts_is_told(tmp_path: Path) -> None:
    """And one of other bars is refused."""
    for seed in (5, 6):
        write_bars(synthetic_bars("ES", days=2, seed=seed), tmp_path / f"{seed}.csv")
    bars = ["--data", str(tmp_path / "5.csv"), "--symbol", "ES"]
    made = CliRunner().invoke(app, ["advise", "run", *bars, "--out", str(tmp_path / "rules")])
    assert made.exit_code == 0
    file = tmp_path / "rules" / "advice.parquet"
    changed = load_table(file)
    for row in range(3, 10):
        changed.frame.loc[row, ["hold", "buy", "sell"]] = [0.0, 0.0, 1.0]
        changed.frame.loc[row, "confidence"] = 0.123
    save_table(file, changed)
    result = CliRunner().invoke(app, ["advise", "replay", str(file), *bars])
    assert result.exit_code == 1
    assert result.output.splitlines()[1] == (
        "7 differ from the table, first at bars 103, 104, 105, 106, 107"
    )
    other = ["--data", str(tmp_path / "6.csv"), "--symbol", "ES"]
    check_error(CliRunner().invoke(app, ["advise", "replay", str(file), *other]).exception)
