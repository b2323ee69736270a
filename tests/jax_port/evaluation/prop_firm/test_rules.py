"""Rules of evaluation accounts: those that come with the package, and files that are refused."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from jax_port.evaluation.prop_firm.rules import Rules, Tier, load_rules, names
from tests.sentences import refuses

GOOD = """
name = "an account"
source = "made up"
read = 2026-11-26
account = 50000
profit_target = 3000
drawdown = 2000
trailing = "intraday"
"""


def write(folder: Path, text: str) -> str:
    path = folder / "rules.toml"
    path.write_text(text)
    return str(path)


def test_the_packages_own_rules_say_where_and_when_they_were_read() -> None:
    kinds = {name: load_rules(name) for name in names()}
    assert len(kinds) >= 5
    for rules in kinds.values():
        assert len(rules.source) > 10
        assert rules.read >= date(2026, 11, 26)
        assert rules.sentences()
    assert {rules.trailing for rules in kinds.values()} == {"intraday", "end of day", "static"}
    assert any(rules.daily_loss for rules in kinds.values())
    assert any(rules.best_day_share for rules in kinds.values())
    assert any(len(rules.contracts) > 1 for rules in kinds.values())


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    text = GOOD + "floor_stops_at = 100\n[[contracts]]\nprofit = 0\ncontracts = 2\n"
    assert load_rules(write(tmp_path, text)) == Rules(
        name="an account",
        source="made up",
        read=date(2026, 11, 26),
        account=50_000.0,
        profit_target=3000.0,
        drawdown=2000.0,
        trailing="intraday",
        floor_stops_at=100.0,
        contracts=(Tier(0.0, 2.0),),
    )


def test_what_a_file_leaves_out_limits_nothing(tmp_path: Path) -> None:
    rules = load_rules(write(tmp_path, GOOD))
    assert rules.minimum_days == 1
    assert rules.daily_loss_means == "fail"
    assert (rules.floor_stops_at, rules.daily_loss, rules.best_day_share) == (None, None, None)
    assert (rules.maximum_days, rules.contracts) == (None, ())
    assert (rules.automation, rules.note) == ("ask the firm", "")


def test_rules_in_words() -> None:
    told = dict(load_rules("end-of-day-best-day-50k").sentences())
    assert told["profit target"] == "$3,000 at a day's end"
    assert told["floor (reaching it fails the account)"] == (
        "$2,000 below the highest balance at a day's end; it stops rising at $50,100"
    )
    assert told["best day"] == "at most 50% of the whole profit"
    assert told["days with a trade, at least"] == "5"


@pytest.mark.parametrize(
    "change",
    [
        ("drawdown = 2000", ""),
        ("drawdown = 2000", "drawdown = 0"),
        ("drawdown = 2000", "drawdown = 1e300"),
        ("drawdown = 2000", "drawdown = nan"),
        ("drawdown = 2000", 'drawdown = "a lot"'),
        ('"intraday"', '"weekly"'),
        ("2026-11-26", '"today"'),
        ("account = 50000", "account = 50000\nprice = 3"),
        ("account = 50000", "account = 50000\nbest_day_share = 50"),
        ("account = 50000", "account = 50000\nminimum_days = 1.5"),
        ("account = 50000", "account = 50000\nminimum_days = true"),
        ("account = 50000", "account = 50000\nminimum_days = 30\nmaximum_days = 21"),
        ("account = 50000", "account = 50000\ncontracts = 3"),
        ("account = 50000", "account = 50000\ncontracts = [{profit = 5, contracts = 1}]"),
        (
            "account = 50000",
            "account = 50000\ncontracts = [{profit = 0, contracts = 5}, {profit = 9, contracts = 2}]",
        ),
        ("account = 50000", "account = = 3"),
    ],
    ids=str,
)
def test_bad_files_are_one_sentence(tmp_path: Path, change: tuple[str, str]) -> None:
    assert change[0] in GOOD
    with refuses():
        load_rules(write(tmp_path, GOOD.replace(*change)))


def test_a_floor_that_stops_at_the_start_is_said_to_stop_there(tmp_path: Path) -> None:
    rules = load_rules(write(tmp_path, GOOD + "floor_stops_at = 0\n"))
    assert "it stops rising at $50,000" in str(rules.sentences())


def test_no_such_rules() -> None:
    with refuses():
        load_rules("nowhere")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes(b"\xff\xfe\x00")
    with refuses():
        load_rules(str(tmp_path / "rules.toml"))


DOCS = Path(__file__).parents[4] / "docs" / "evaluation.md"


def test_the_documented_file_is_accepted_and_every_name_documented(tmp_path: Path) -> None:
    page = DOCS.read_text(encoding="utf-8")
    text = page.split("```toml\n")[1].split("```")[0]
    rules = load_rules(write(tmp_path, text))
    assert (rules.drawdown, rules.best_day_share, rules.contracts) == (2500.0, 0.5, (Tier(0.0, 2.0),))
    assert {
        line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and "50k" in line
    } | {"environment-phase2"} == set(names())


LEVEL = "{profit = 0, contracts = 2}, {profit = 5, contracts = 2}"


@pytest.mark.parametrize(
    "line",
    [
        "minimum_days = 0",
        "minimum_days = 5\nmaximum_days = 5",
        "maximum_days = 1",
        "floor_stops_at = -2000",
        "best_day_share = 1",
        "best_day_share = 0.01",
        "daily_loss = 0.01",
        f"contracts = [{LEVEL}]",
        "contracts = [{profit = -1e9, contracts = 0.1}, {profit = 0, contracts = 1e9}]",
    ],
)
def test_the_last_value_within_a_limit_is_taken(tmp_path: Path, line: str) -> None:
    rules = load_rules(write(tmp_path, GOOD + line))
    values = tomllib.loads(line)
    tiers = tuple(Tier(**tier) for tier in values.pop("contracts", []))
    assert rules == replace(load_rules(write(tmp_path, GOOD)), contracts=tiers, **values)


@pytest.mark.parametrize(
    "line",
    [
        "minimum_days = -1",
        "minimum_days = 6\nmaximum_days = 5",
        "minimum_days = 2\nmaximum_days = 1",
        "maximum_days = 0",
        "floor_stops_at = -2000.01",
        "best_day_share = 1.01",
        "best_day_share = 0",
        "daily_loss = 0",
        "daily_loss = true",
        'daily_loss_means = "sometimes"',
        'automation = "perhaps"',
        "note = 3",
        f"contracts = [{LEVEL}, {{profit = 5, contracts = 3}}]",
        f"contracts = [{LEVEL}, {{profit = 4, contracts = 3}}]",
        pytest.param(
            f"contracts = [{LEVEL}, {{profit = 6, contracts = 8}}, {{profit = 7, contracts = 3}}]",
            id="fewer than the one before",
        ),
        "contracts = [{profit = 0, contracts = 0}]",
        "contracts = [{profit = 0.01, contracts = 1}]",
        "contracts = [{profit = 0}]",
        "contracts = [{profit = 0, contracts = 1, price = 2}]",
        "contracts = [{profit = 0, contracts = 1000000001}]",
    ],
)
def test_the_first_value_beyond_a_limit_is_refused(tmp_path: Path, line: str) -> None:
    with refuses():
        load_rules(write(tmp_path, GOOD + line))


GIVEN = [line for line in GOOD.splitlines() if line]


@pytest.mark.parametrize("name", [line.split(" = ")[0] for line in GIVEN])
def test_each_rule_that_says_what_an_account_is_has_to_be_there(tmp_path: Path, name: str) -> None:
    kept = [line for line in GIVEN if not line.startswith(f"{name} = ")]
    assert len(kept) == len(GIVEN) - 1
    with refuses():
        load_rules(write(tmp_path, "\n".join(kept)))


@pytest.mark.parametrize(
    "line",
    [
        *("name = 3", "source = true", "note = [1]", "read = 2026-11-26T08:00:00", "read = 20261126"),
        *("account = 0", "account = true", "account = inf", "account = 1000000001"),
        *("profit_target = -1", "profit_target = 0", 'profit_target = "3000"', "trailing = 3"),
        *("maximum_days = 2.0", "floor_stops_at = true", "best_day_share = true", "contracts = [3]"),
    ],
)
def test_a_rule_of_another_kind_is_refused_by_its_name(tmp_path: Path, line: str) -> None:
    name = line.split(" = ")[0]
    kept = [one for one in GIVEN if not one.startswith(f"{name} = ")]
    with refuses():
        load_rules(write(tmp_path, "\n".join([*kept, line])))


def test_whole_dollars_and_days_are_taken_as_they_are(tmp_path: Path) -> None:
    """The most that a rule may name too, and all rules that may be left out, each with its value."""
    text = GOOD.replace("50000", "1000000000") + (
        "floor_stops_at = 12.5\ndaily_loss = 1_000\ndaily_loss_means = 'stop for the day'\n"
        "best_day_share = 0.25\nminimum_days = 3\nmaximum_days = 30\n"
        "automation = 'own code only'\nnote = 'a note'\n"
        "[[contracts]]\nprofit = 0\ncontracts = 2\n[[contracts]]\nprofit = 500\ncontracts = 2.5\n"
    )
    rules = load_rules(write(tmp_path, text))
    assert rules == Rules(
        "an account", "made up", date(2026, 11, 26), 1e9, 3000.0, 2000.0, "intraday", 12.5, 1000.0,
        "stop for the day", 0.25, 3, 30, (Tier(0.0, 2.0), Tier(500.0, 2.5)), "own code only", "a note",
    )  # fmt: skip
    money = (rules.account, rules.profit_target, rules.drawdown, rules.daily_loss, rules.floor_stops_at)
    assert {type(value) for value in money} == {float}
    assert (type(rules.minimum_days), type(rules.maximum_days)) == (int, int)
