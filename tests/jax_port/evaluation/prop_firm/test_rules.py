"""Rules of evaluation accounts: those that come with the package, and files that are refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from jax_port.evaluation.prop_firm.rules import Rules, Tier, load_rules, names
from markets import InputError

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


def test_rules_in_words() -> None:
    told = dict(load_rules("end-of-day-best-day-50k").sentences())
    assert told["profit target"] == "$3,000 at a day's end"
    assert told["floor (reaching it fails the account)"] == (
        "$2,000 below the highest balance at a day's end; it stops rising at $50,100"
    )
    assert told["best day"] == "at most 50% of the whole profit"
    assert told["days with a trade, at least"] == "5"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("drawdown = 2000", ""), "the rule 'drawdown' is missing; add it"),
        (("drawdown = 2000", "drawdown = 0"), "drawdown is 0; give a number above 0"),
        (("drawdown = 2000", "drawdown = 1e300"), "drawdown is 1e+300; give a number of at most"),
        (("drawdown = 2000", "drawdown = nan"), "drawdown is nan; give a number above 0"),
        (("drawdown = 2000", 'drawdown = "a lot"'), "drawdown is 'a lot'; give a number above 0"),
        (
            ('"intraday"', '"weekly"'),
            "trailing is 'weekly'; choose one of intraday, end of day, static",
        ),
        (("2026-11-26", '"today"'), "read is 'today'; write the date as 2026-11-26, unquoted"),
        (("account = 50000", "account = 50000\nprice = 3"), "unknown rule 'price'; known are account"),
        (
            ("account = 50000", "account = 50000\nbest_day_share = 50"),
            "best_day_share is 50; give a share",
        ),
        (("account = 50000", "account = 50000\nminimum_days = 1.5"), "minimum_days is 1.5; give whole"),
        (
            ("account = 50000", "account = 50000\nminimum_days = true"),
            "minimum_days is True; give whole",
        ),
        (("account = 50000", "account = 50000\ncontracts = 3"), "contracts is 3; give [[contracts]]"),
        (
            ("account = 50000", "account = 50000\ncontracts = [{profit = 5, contracts = 1}]"),
            "must begin at profit 0 and rise from there",
        ),
        (("account = 50000", "account = = 3"), "not a readable file of rules"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(InputError) as caught:
        load_rules(write(tmp_path, GOOD.replace(*change)))
    assert words in str(caught.value)
    assert "rules.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_rules() -> None:
    with pytest.raises(
        InputError, match="no such file of rules; give a TOML file, or one of end-of-day"
    ):
        load_rules("nowhere")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a readable file of rules"):
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
