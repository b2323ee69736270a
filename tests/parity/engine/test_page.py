"""The page shows what the report says, asks for nothing outside itself, and survives odd reports."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from parity.engine.compare import FAR, Comparison, close, compare, exact
from parity.engine.diverge import Divergence, FieldDifference
from parity.engine.format import amount, amount_apart, runs, ulps
from parity.engine.page import render, tiles
from parity.engine.plots import MAX_CURVES, chosen_curves
from parity.engine.report import Report
from parity.engine.verify import CheckResult, Mismatch
from tests.foundation.report.layout import layout_faults, needs_browser, outside_requests
from tests.snapshots import Snapshot

VOID = {"meta", "link", "br", "hr", "img", "input"}

WORLD = {"name": "<b>ES</b>", "source": "a.csv", "digest": "0123456789abcdef", "bars": 48419}
"""A world whose name would be markup if it were not escaped."""


class Reader(HTMLParser):
    """Reads a page: its balanced tags, its attributes, and its text without styles and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: Counter[str] = Counter()
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """The text as a reader sees it, white space made single."""
        return " ".join("".join(self.words).split())


def curve(reference: list[float], port: list[float], policy: str = "seldom") -> dict[str, object]:
    return {"field": "balance", "policy": policy, "start": 13664, "reference": reference, "port": port}


def replayed(
    port: list[float], obs: list[float], world: str = "<b>ES</b>", first: Mismatch | None = None
) -> CheckResult:
    """A replay whose statistics come from a comparison of real arrays."""
    reference = [5_000_000.0, 4_999_750.0, 5_010_000.0]
    _, balance = compare(exact("cents"), np.array(reference), np.array(port))
    _, seen = compare(close(4), np.ones(len(obs), np.float32), np.array(obs, np.float32))
    return CheckResult(
        "replay",
        world,
        1234567,
        {"balance": balance, "obs": seen},
        first,
        Counter({"exit: stop": 151, "floor: rose": 7}),
        {
            "episodes": 12,
            "reward_deviation_max": 3.0e-07,
            "reward_deviation_limit": 0.05,
            "policies": {"seldom": 12},
            "curves": [curve(reference, port)],
        },
    )


def report(checks: list[CheckResult], divergences: list[Divergence], required: set[str]) -> Report:
    return Report(
        "a pair",
        7,
        "jitted, float32",
        [WORLD],
        checks,
        frozenset(required),
        divergences,
        {"replay": 12, "generated": 20_000},
        12.34,
    )


@pytest.fixture(scope="module")
def passing() -> Report:
    near = float(np.nextafter(np.float32(1), np.float32(2)))
    return report(
        [replayed([5_000_000.0, 4_999_750.0, 5_010_000.0], [1.0, near, 1.0])], [], {"exit: stop"}
    )


@pytest.fixture(scope="module")
def failing() -> Report:
    first = Mismatch(3, 41, "balance", (), 4_999_750.0, 5_002_250.0)
    far = Mismatch(4, -1, "obs", (2,), 1.0, math.nan)
    state = {"balance": 4_999_750, "market": 0}
    found = [FieldDifference("after", f"obs[{i}]", 1.0, 1.0000001192092896, 1) for i in range(299)]
    found.append(FieldDifference("after", "balance", 4_999_750, 5_002_250, None))
    divergences = [
        Divergence(
            "replay", "<b>ES</b>", 3, 41, first, "logic", [0], state, "a & b", found,
            {"bar": 388, "high": 6536.75}, "rltrader parity case --state '{\"balance\": 4999750}'",
        ),
        Divergence(
            "generated", "<b>ES</b>", 4, -1, far, "logic", [2, 2, 2, 0], None, "", [], {}, "again",
        ),
    ]  # fmt: skip
    checks = [
        replayed([5_000_000.0, 5_002_250.0, 5_010_000.0], [1.0, math.nan, 2.0], first=first),
        CheckResult("restart", "<b>ES</b>", 12, first=Mismatch(0, 284, "restarted", (), 1.0, 0.0)),
        CheckResult("data", "<b>ES</b>", 0, error="fields without a counterpart or a rule: <x>"),
    ]
    return report(checks, divergences, {"exit: stop", "exit: target"})


@pytest.fixture(scope="module")
def good(passing: Report) -> str:
    return render(passing.to_dict())


@pytest.fixture(scope="module")
def bad(failing: Report) -> str:
    return render(failing.to_dict())


def test_the_verdict_and_its_numbers_head_the_page(
    good: str, tmp_path: Path, snapshot: Snapshot
) -> None:
    text = Reader(good).text
    assert text.index("The two sides are the same.") < text.index("Transitions compared")
    assert "Transitions compared1,234,5671,234,567 in 12 replayed episodes, 0 generated" in text
    assert "Mismatches0of 6 numbers; 0 of 1 checks failed" in text
    assert (
        "Largest error, observation / reward1 / 0ulps, the steps from one float to the next; 4 allowed"
        in text
    )
    assert "Episode reward deviation0.00%at most 3e−7 of it; the limit is ±5%" in text
    assert "Branches covered1 of 1ways that a rule can go, of those that must be taken" in text
    assert "Where they differ" not in text
    (tmp_path / "page.html").write_text(good)
    snapshot("page", tmp_path / "page.html")


def test_a_divergence_says_what_where_and_how_to_see_it_again(
    bad: str, tmp_path: Path, snapshot: Snapshot
) -> None:
    text = Reader(bad).text
    assert "The two sides differ.3 of 3 checks failed." in text
    assert text.index("Where they differ") < text.index("Both sides, episode by episode")
    assert "balance logic must be equal Seen in 1 data set of 1, by replay Smallest in" in text
    assert "Smallest in replay, <b>ES</b>, episode 3, step 41 · a & b" in text
    assert "Reference$49,997.50 (4,999,750 cents)" in text
    assert "Port$50,022.50 (5,002,250 cents)" in text
    assert "+$25.00 (+2,500 cents)" in text
    assert "Distancenone: must be equal" in text
    assert "high6,536.75" in text
    assert "rltrader parity case --state '{\"balance\": 4999750}'" in text
    assert "obs[0]after11.0000001+1.19209e−71" in text
    assert "288 more, 188 of them here" in text
    assert "obs[199]" in text
    assert "obs[200]" not in text
    (tmp_path / "page.html").write_text(bad)
    snapshot("page", tmp_path / "page.html")


def test_a_divergence_from_the_start_of_an_episode(bad: str) -> None:
    text = Reader(bad).text
    assert "case 4, before the first step" in text
    assert "4 actions from the start of the episode 2 ×3 0" in text
    assert "PortNaN" in text
    assert "Distancenot finite" in text


def test_a_divergence_that_no_case_shows_has_no_command(failing: Report) -> None:
    hidden = [replace(one, command="") for one in failing.divergences]
    text = Reader(render(replace(failing, divergences=hidden).to_dict())).text
    assert "Reproduce it No single case shows it: put in the state before that step, both" in text


def test_failed_checks_say_why(bad: str) -> None:
    text = Reader(bad).text
    assert (
        "reference $49,997.50 (4,999,750 cents), port $50,022.50 (5,002,250 cents) at episode 3" in text
    )
    assert "restarted: reference 1, port 0 at episode 0, step 284" in text
    assert "fields without a counterpart or a rule: <x>" in text
    assert "Never taken: exit: target." in text


def test_fields_worlds_and_making_are_told(good: str) -> None:
    text = Reader(good).text
    assert "balanceequal (cents)30–0cents" in text
    assert "obswithin 4 ulps or 1e-093011.1920929e−7–" in text
    assert "<b>ES</b>a.csv0123456789ab48,419" in text
    assert "generated20,000" in text
    assert "seed7" in text
    assert "Compiled form of the port: jitted, float32" in text


def test_not_enough_seen_is_its_own_verdict(passing: Report) -> None:
    unseen = report(passing.checks, [], {"exit: stop", "never"})
    text = Reader(render(unseen.to_dict())).text
    assert "Not enough was seen." in text
    assert "Branches covered1 of 21 required never taken" in text
    assert "Never taken: never." in text


@pytest.mark.parametrize("name", ["good", "bad"])
def test_the_page_asks_for_nothing_outside_itself(name: str, request: pytest.FixtureRequest) -> None:
    assert outside_requests(request.getfixturevalue(name)) == []


@needs_browser
@pytest.mark.parametrize("name", ["good", "bad"])
def test_nothing_is_cut_on_a_screen_or_a_phone(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert layout_faults(request.getfixturevalue(name), tmp_path) == []


@pytest.mark.parametrize("name", ["good", "bad"])
def test_ids_are_unique_and_every_reference_finds_its_own(
    name: str, request: pytest.FixtureRequest
) -> None:
    page = request.getfixturevalue(name)
    reader = Reader(page)
    ids = [value for _, attribute, value in reader.attributes if attribute == "id"]
    assert reader.tags["svg"] == 3
    assert len(ids) == len(set(ids)) > 50
    wanted = set(re.findall(r"url\(#([^)]*)\)", page)) | set(re.findall(r'xlink:href="#([^"]*)"', page))
    assert wanted
    assert wanted <= set(ids)


def test_strings_are_escaped(good: str, bad: str) -> None:
    for page in (good, bad):
        assert "<b>ES</b>" not in page
        assert "&lt;b&gt;ES&lt;/b&gt;" in page
    assert "<x>" not in bad


def test_branch_names_may_hold_anything(passing: Report) -> None:
    odd = passing.to_dict()
    odd["coverage"] = {'<i>$x$ \N{CJK UNIFIED IDEOGRAPH-4E2D} & "y"': 3, **odd["coverage"]}
    reader = Reader(render(odd))
    assert not reader.tags["i"] - Reader(render(passing.to_dict())).tags["i"]
    assert '<i>$x$ \N{CJK UNIFIED IDEOGRAPH-4E2D} & "y"' in reader.text


def test_the_plots_take_the_pages_colours_and_keep_text(good: str) -> None:
    drawing = good[good.index("<svg") :]
    assert "stroke: var(--reference)" in drawing
    assert "stroke: var(--port)" in drawing
    assert "#00fe" not in drawing
    text = Reader(good).text
    assert "exit: stop" in text
    assert "balance ($)no difference" in text


def test_a_difference_between_curves_is_named(bad: str) -> None:
    assert "balance ($)differs by up to $25.00" in Reader(bad).text


def test_the_same_report_gives_the_same_page(failing: Report) -> None:
    made = failing.to_dict()
    first = render(made)
    assert render(made) == first
    # Read from JSON, tuples are lists; the page can't tell.
    assert render(json.loads(json.dumps(made))) == first


def test_an_empty_report_is_a_page() -> None:
    empty = Report("nothing", 0, "", [], [], frozenset())
    text = Reader(render(empty.to_dict())).text
    assert "No check was made." in text
    assert "Not enough was seen.No number was compared." in text
    assert "Episode reward deviation–no episodes replayed" in text
    assert "Branches covered–" in text


def test_numbers_that_are_not_finite_are_shown(passing: Report) -> None:
    check = replayed([5_000_000.0, 4_999_750.0, 5_010_000.0], [1.0, math.inf, 2.0])
    check.notes["reward_deviation_max"] = math.nan
    check.notes["curves"] = [
        curve([1.0, math.nan, 3.0], [1.0, math.inf, 3.0]),
        curve([math.nan], [math.nan]),
        curve([], []),
        curve([1e300, 0.0], [-1e300, 0.0]),
        curve([5.0], [5.0]),
    ]
    check.fields["obs"].max_abs = math.inf
    made = report([check], [], set()).to_dict()
    tile = {tile.label: tile for tile in tiles(made)}
    assert tile["Episode reward deviation"].value == "NaN"
    assert tile["Episode reward deviation"].bad
    assert tile["Largest error, observation / reward"].value == "not finite / 0"
    reader = Reader(render(made))
    assert reader.tags["svg"] == 7
    assert "not finite" in reader.text
    assert "∞" in reader.text


def test_a_deviation_over_its_limit_is_marked() -> None:
    check = replayed([5_000_000.0, 4_999_750.0, 5_010_000.0], [1.0])
    check.notes["reward_deviation_max"] = 0.0501
    tile = next(t for t in tiles(report([check], [], set()).to_dict()) if "deviation" in t.label)
    assert (tile.value, tile.bad) == ("5.01%", True)


def test_a_deviation_above_the_whole_says_why() -> None:
    check = replayed([5_000_000.0, 4_999_750.0, 5_010_000.0], [1.0])
    check.notes["reward_deviation_max"] = 5.535331
    tile = next(t for t in tiles(report([check], [], set()).to_dict()) if "deviation" in t.label)
    assert tile.value == "553.53%"
    assert "above 100% the difference is larger than the reference's own reward" in tile.below


def test_many_worlds_make_a_small_page() -> None:
    steps = np.random.default_rng(0).integers(-500, 500, 400).cumsum().astype(float).tolist()
    checks = []
    for number in range(30):
        check = replayed([5_000_000.0, 4_999_750.0, 5_010_000.0], [1.0], f"world {number}")
        check.notes["curves"] = [curve(steps, steps, policy) for policy in "abcdef"]
        checks.append(check)
        for name in ("restart", "generated", "data"):
            stats = {"obs": Comparison(**vars(check.fields["obs"]))}
            checks.append(CheckResult(name, f"world {number}", 12, stats))
    made = report(checks, [], {"exit: stop"}).to_dict()
    page = render(made)
    assert len(page) < 1_500_000
    reader = Reader(page)
    assert reader.tags["svg"] == MAX_CURVES + 2
    assert "12 of 180 kept episodes are shown" in reader.text
    assert "✓ 30 of 30 pass" in reader.text
    shown, kept = chosen_curves(made["checks"])
    assert kept == 180
    assert {(c["world"], c["policy"]) for c in shown} == {
        (f"world {number}", "abcdef"[number % 6]) for number in range(12)
    }


def test_curves_that_differ_come_first() -> None:
    checks = [
        {
            "world": "w",
            "fields": {},
            "notes": {"curves": [curve([1.0], [1.0])] * 20 + [curve([1.0], [2.0])]},
        }
    ]
    shown, kept = chosen_curves(checks)
    assert kept == 21
    assert shown[0]["port"] == [2.0]


def test_distances_and_actions_in_words() -> None:
    assert [ulps(x) for x in (None, 262144, FAR)] == ["–", "262,144", "not finite"]
    assert runs([2, 2, 0, 2]) == [(2, 2), (0, 1), (2, 1)]


def test_cents_are_shown_as_dollars_with_the_cents_beside_them() -> None:
    assert amount(4_999_750, "cents") == ("$49,997.50", "(4,999,750 cents)")
    assert amount(-3.75, "cents") == ("−$0.0375", "(−3.75 cents)")
    assert amount(math.nan, "cents") == ("NaN", "(NaN cents)")
    assert amount(True, "cents") == ("yes", "cents")
    assert amount(3, "ticks") == ("3", "ticks")
    assert amount_apart(2500.0, "cents") == ("+$25.00", "(+2,500 cents)")
    assert amount_apart(-0.25, "") == ("−0.25", "")
