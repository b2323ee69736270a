"""The numbers of an evaluation say what they were made from."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from foundation.files import file_digest, finite
from jax_port.data.held_out import HELD_OUT, OVERLAPS, Relation, Span
from jax_port.evaluation import page, report, verdicts
from jax_port.evaluation.intrabar import Verdicts, side_by_side
from jax_port.evaluation.metrics import daily, summarize
from jax_port.evaluation.prop_firm.chances import Chances
from jax_port.evaluation.prop_firm.rules import Rules
from jax_port.evaluation.report import FILES, SECONDS_FILES, to_values, write
from jax_port.evaluation.sheet import view
from jax_port.evaluation.sheet.tear_sheet import tear_sheet
from tests.jax_port.evaluation.conftest import Week
from tests.snapshots import Snapshot

TRADED = Span(date(2025, 1, 28), date(2025, 2, 5))
TRAINED = Span(date(2025, 1, 2), date(2025, 1, 24))


@pytest.fixture
def made(week: Week, tmp_path: Path) -> Any:
    policy, bars = tmp_path / "policy.safetensors", tmp_path / "bars.csv"
    policy.write_text("weights")
    bars.write_text("bars")
    sheet = tear_sheet(week.result, week.policy, week.market, week.baselines)

    def call(relation: Relation, **options: Any) -> dict[str, Any]:
        asked, result = options.pop("asked", (None, None)), options.pop("result", week.result)
        return to_values(
            result, week.policy, policy, week.market, bars, relation, asked, 1.5, sheet, **options
        )

    return call


def test_where_the_numbers_come_from(made: Any, week: Week, tmp_path: Path) -> None:
    policy, bars = tmp_path / "policy.safetensors", tmp_path / "bars.csv"
    values = made(Relation(HELD_OUT, TRADED, TRAINED, 1), asked=(TRADED.first, None))
    assert values["made"]["seconds"] == 1.5
    told = {name: values["policy"][name] for name in ("path", "sha256", "config")}
    config = week.policy.config.to_dict()
    assert told == {"path": str(policy), "sha256": file_digest(policy), "config": config}
    data = values["data"]
    assert (data["symbol"], data["sha256"], data["bars"]) == (
        "ES",
        week.market.digest,
        len(week.market),
    )
    assert data["file_sha256"] == file_digest(bars)
    assert (data["from"], data["to"]) == ("2025-01-28", None)
    assert (data["first"], data["last"]) == ("2025-01-28", "2025-02-05")
    assert values["held_out"] == {
        "status": HELD_OUT,
        "training": {"first": "2025-01-02", "last": "2025-01-24"},
        "trading_days_between": 1,
    }
    assert (values["seconds"], values["advice"], values["evaluation_accounts"]) == (None, None, [])


@pytest.mark.parametrize("first", [None, date(2025, 1, 27)])
@pytest.mark.parametrize("last", [None, date(2025, 2, 8)])
def test_what_was_asked_for_is_not_what_was_traded(
    made: Any, week: Week, first: date | None, last: date | None
) -> None:
    """A range may begin on a day before the first bar, and end on one after the last."""
    values = made(Relation(HELD_OUT, TRADED, TRAINED, 1), asked=(first, last))
    data = values["data"]
    assert (data["from"], data["to"]) == (first and "2025-01-27", last and "2025-02-08")
    assert (data["first"], data["last"]) == ("2025-01-28", "2025-02-05")
    assert data["contract"] == asdict(week.market.contract)
    assert data["source"] == week.market.source
    assert values["policy"]["network"] == {"pi": [16, 16], "vf": [8], "activation": "relu"}


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({}, "unknown"),
        ({"certificate": None}, "unknown"),
        ({"certificate": "ungated", "steps": 7}, "ungated"),
        ({"certificate": {"verdict": "same"}}, {"verdict": "same"}),
    ],
    ids=str,
)
def test_the_certificate_is_the_policys_own(
    made: Any, week: Week, about: dict[str, Any], told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(week.policy.about):
        monkeypatch.delitem(week.policy.about, name)  # type: ignore[arg-type]
    for name, value in about.items():
        monkeypatch.setitem(week.policy.about, name, value)  # type: ignore[arg-type]
    values = made(Relation(HELD_OUT, TRADED))
    assert (values["certificate"], values["policy"]["made"]) == (told, about)


def test_an_unknown_training_has_no_dates(made: Any) -> None:
    assert made(Relation("unknown", TRADED))["held_out"]["training"] is None


def test_advice_is_named_and_counted(made: Any, week: Week) -> None:
    table = Path("advice.parquet")
    plain = made(Relation(HELD_OUT, TRADED), advice=(table, {"fusion": {"rule": "gated"}}))["advice"]
    none = {"trained_with": None, "questions": None, "advised": None, "changed": None}
    assert plain == {"path": "advice.parquet", "fusion": {"rule": "gated"}, **none}
    asked = pd.DataFrame({"questions": [1, 2], "advised": [10, 20], "changed": [3, 4]})
    result = replace(week.result, advised=asked)
    told = made(
        Relation(HELD_OUT, TRADED), advice=(table, {"trained_with": {"as": "columns"}}), result=result
    )
    counts = {"questions": 3, "advised": 30, "changed": 7}
    trained = {"trained_with": {"as": "columns"}, "fusion": None}
    assert told["advice"] == {"path": "advice.parquet", **trained, **counts}


def by_the_second(week: Week) -> Verdicts:
    """Return verdicts of which the second's is hand-made: the third start ended sooner."""
    episodes = week.result.episodes.copy()
    episodes.loc[2, ["done_reason", "steps", "pnl"]] = [1, 7, -123.25]
    second = replace(week.result, episodes=episodes, trades=week.result.trades[3:])
    seconds: Any = SimpleNamespace(source="ES_1s.csv", digest="of seconds")
    return Verdicts(week.result, second, seconds, 900, 30)


def test_both_verdicts_say_what_they_were_made_from(made: Any, week: Week, tmp_path: Path) -> None:
    path = tmp_path / "seconds.csv"
    path.write_text("seconds")
    both = by_the_second(week)
    values = made(Relation(HELD_OUT, TRADED), verdicts=both, seconds_path=path)["seconds"]
    told = {
        name: values[name] for name in ("source", "sha256", "file_sha256", "minutes", "minutes_without")
    }
    assert told == {
        "source": "ES_1s.csv", "sha256": "of seconds", "file_sha256": file_digest(path),
        "minutes": 900, "minutes_without": 30,
    }  # fmt: skip
    assert values["differ"] == {"starts": 1, "daily": int(week.result.episodes["daily"][2])}
    assert [row["episode"] for row in values["episodes"]] == [2]
    assert values["minute"]["trades"] - values["second"]["trades"] == 3


@pytest.mark.parametrize("with_seconds", [True, False], ids=["seconds", "minutes"])
def test_every_table_is_its_own(
    week: Week, tmp_path: Path, with_seconds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an evaluation of before left of seconds, advice or a comparison is taken away."""
    given: list[Any] = []
    monkeypatch.setattr(report, "render", lambda *told: given.append(told) or "the page")
    for name in (*SECONDS_FILES, "advice.json", "comparison.html", "notes.txt"):
        (tmp_path / name).write_text("of before")
    both = by_the_second(week) if with_seconds else None
    sheet: Any = "sheet"
    chances: Any = ["chances"]
    write(tmp_path, {"format": 1}, week.result, week.market, sheet, both, chances)
    expected = {
        "trades": week.result.trades, "episodes": week.result.episodes, "equity": week.result.equity,
    }  # fmt: skip
    if both is not None:
        expected |= {"seconds_episodes": side_by_side(both), "seconds_trades": both.second.trades}
    for name, table in expected.items():
        written = pd.read_parquet(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(written, table, check_dtype=False)
    names = {*FILES, *(SECONDS_FILES if with_seconds else ()), "notes.txt"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "trades.csv").read_text().count("\n") == 1 + len(week.result.trades)
    assert (tmp_path / "report.html").read_text() == "the page"
    (told,) = given
    assert told[0] == {"format": 1}
    assert told[1] is week.result
    assert told[2] is week.market
    assert told[3:] == ("sheet", ["chances"])


def test_the_page_draws_the_account_from_each_days_first_bar(
    made: Any, week: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(page.plots, "equity_plot", lambda *given: drawn.extend(given) or "a plot")
    values = made(Relation(HELD_OUT, TRADED, TRAINED, 1))
    sheet = tear_sheet(week.result, week.policy, week.market, week.baselines)
    page.render(values, week.result, week.market, sheet)
    curve, days, first = drawn
    assert days == week.result.episodes.query("daily")["day"].tolist()
    assert week.result.equity["step"].iloc[first].tolist() == [0] * len(days)
    assert curve[0] == 50_000.0
    assert curve[-1] == pytest.approx(50_000.0 + values["performance"]["account"]["pnl"])


class Template:
    """Stands for the page's template: keeps what it is given."""

    def __init__(self) -> None:
        self.name, self.given = "", dict[str, Any]()

    def get_template(self, name: str) -> Template:
        self.name = name
        return self

    def render(self, **given: Any) -> str:
        self.given = given
        return "the page"


@pytest.mark.parametrize("with_seconds", [True, False], ids=["seconds", "minutes"])
def test_each_part_of_the_page_is_given_its_own(
    made: Any, week: Week, tmp_path: Path, with_seconds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "seconds.csv"
    path.write_text("seconds")
    more = {"verdicts": by_the_second(week), "seconds_path": path} if with_seconds else {}
    values = made(Relation(HELD_OUT, TRADED, TRAINED, 1), **more)
    values["evaluation_accounts"] = ["an account"]
    template = Template()
    monkeypatch.setattr(page, "templates", lambda package: (package, template)[1])
    for name in ("equity_plot", "pnl_histogram", "hour_plot", "exit_plot"):
        monkeypatch.setattr(page.plots, name, lambda *given, name=name: (name, *given))
    chosen: list[Any] = []
    monkeypatch.setattr(page, "choose", lambda *given: chosen.append(given) or ("days", ["a", "b"]))
    monkeypatch.setattr(page, "caption", lambda trace: (f"title of {trace}", f"words on {trace}"))
    monkeypatch.setattr(page, "episode_plot", lambda trace: f"plot of {trace}")
    monkeypatch.setattr(page, "sheet_view", lambda *given: {"of the sheet": given})
    monkeypatch.setattr(page, "accounts_view", lambda *given: {"of accounts": given})
    sheet: Any = "a sheet"
    chances: Any = ["chances"]
    assert page.render(values, week.result, week.market, sheet, chances) == "the page"
    assert template.name == "evaluation.html.j2"
    given, performance, seconds = template.given, values["performance"], values["seconds"]
    _, *drawn = given.pop("equity")
    assert [len(drawn[0]), len(drawn[1]), len(drawn[2])] == [len(week.result.equity), 7, 7]
    kind, pnl, mean = given.pop("histogram")
    assert (kind, mean) == ("pnl_histogram", performance["starts"]["mean_pnl"])
    assert pnl.tolist() == week.result.episodes["pnl"].tolist()
    assert chosen == [(week.result, week.market)]
    assert given == {
        "v": values,
        "verdict": page.verdict(values),
        "account": performance["account"],
        "starts": performance["starts"],
        "trades": performance["trades"],
        "tiles": page.tiles(performance),
        "pills": page.pills(values),
        "days": daily(week.result).to_dict("records"),
        "drawdown": performance["account"]["max_drawdown"],
        "hours": ("hour_plot", performance["trades"]["by_hour"]),
        "exits": ("exit_plot", performance["trades"]["by_exit"]),
        "common": "days",
        "episodes": [(f"title of {one}", f"words on {one}", f"plot of {one}") for one in "ab"],
        "seconds": seconds,
        "verdicts": verdicts.verdict_rows(seconds) if with_seconds else None,
        "differing": verdicts.episode_rows(seconds) if with_seconds else None,
        "covered": verdicts.coverage(seconds) if with_seconds else None,
        "of the sheet": (values["tear_sheet"], "a sheet", week.market.contract),
        "of accounts": (["an account"], ["chances"]),
    }
    assert (seconds is not None) == with_seconds


def test_all_parts_of_the_numbers_are_there_with_their_units(made: Any, week: Week) -> None:
    values = made(Relation(HELD_OUT, TRADED, TRAINED, 1))
    assert set(values) == {
        *("format", "units", "made", "policy", "data", "held_out", "certificate", "performance"),
        *("tear_sheet", "evaluation_accounts", "seconds", "advice"),
    }
    assert values["format"] == 1
    assert values["units"] == (
        "money in US dollars, prices in points, time in UTC, days and hours in New York"
    )
    assert values["performance"] == finite(summarize(week.result))
    assert {"when", "seconds", "versions"} <= set(values["made"])


@pytest.mark.parametrize("with_seconds", [True, False], ids=["seconds", "minutes"])
def test_the_page_is_as_it_was_read(
    made: Any,
    week: Week,
    tmp_path: Path,
    with_seconds: bool,
    snapshot: Snapshot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All but its plots, which are tested by what is drawn."""
    path = tmp_path / "seconds.csv"
    path.write_text("seconds")
    rules = Rules(
        "a firm", "its page", date(2026, 1, 1), 50_000, 3_000, 2_000, "static", daily_loss=900
    )
    accounts = [
        Chances(
            replace(rules, profit_target=1_000.0 * at), 7, "once a day", at, 0.25 * at, 0.125,
            (0.0625, 0.375), (0.03125, 0.5), {"passed": 0.25 * at, "undecided": 0.5}, (3.0, 5.0, 9.0),
            (4.0, 8.0) if at == 1 else (np.nan, np.nan), np.zeros((at, 3)), np.zeros(at, np.int8), 70,
        )
        for at in (1, 2)
    ]  # fmt: skip
    told = {"versions": {"python": "3.0", "jax": "0.1"}, "device": "a device"}
    monkeypatch.setattr(report, "made_with", lambda: told)
    for place, names in (
        (page.plots, ("equity_plot", "pnl_histogram", "hour_plot", "exit_plot")),
        (view.plots, ("curves_plot", "rolling_plot", "weekday_plot", "histogram", "reach_plot")),
        (view, ("paths_plot",)),
        (page, ("episode_plot",)),
    ):
        for name in names:
            monkeypatch.setattr(place, name, lambda *_, name=name, **__: Markup(f"<p>{name}</p>"))
    options: dict[str, Any] = {"asked": (TRADED.first, None), "chances": accounts}
    if with_seconds:
        options |= {"verdicts": by_the_second(week), "seconds_path": path}
        relation = Relation(HELD_OUT, TRADED, TRAINED, 1)
    else:
        relation = Relation(OVERLAPS, TRADED, TRADED)
        used = {"rule": "weighted", "weight": 1.5, "every": 5}
        options |= {"advice": (Path("table.parquet"), {"fusion": used})}
    values = made(relation, **options)
    sheet = tear_sheet(week.result, week.policy, week.market, week.baselines)
    (tmp_path / "page.html").write_text(page.render(values, week.result, week.market, sheet, accounts))
    snapshot("page.html", tmp_path / "page.html")
    snapshot("values", values)
