"""The chain's page from committed reports: its verdict, no request outside, nothing cut."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import escape

from foundation.files import WriteError
from parity.export_chain import report as module
from parity.export_chain.day import BARS, DAY, to_csv
from parity.export_chain.page import (
    by_hop,
    certificate_words,
    render,
    share,
    small,
    tiles,
    verdict,
)
from parity.export_chain.report import ATTESTATION, NUMBERS, PAGE, write_day, write_report
from tests.foundation.report.layout import (
    REMAKE,
    layout_faults,
    needs_browser,
    outside_requests,
    words_of,
)
from tests.jax_port.export.made_bundle import bars
from tests.snapshots import Snapshot

REPORTS = Path(__file__).parents[3] / "reports" / "reference" / "export_chain"


@pytest.fixture(scope="module", params=["phase1", "phase2"])
def path(request: pytest.FixtureRequest) -> Path:
    return REPORTS / request.param / "chain.json"


@pytest.fixture(scope="module")
def report(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text())
    return values


def test_the_page_says_its_verdict_first(
    report: dict[str, Any], tmp_path: Path, snapshot: Snapshot
) -> None:
    page = render(report)
    assert page.index("Every hop decides the same.") < page.index("Decisions compared")
    assert "ONNX and C#" in page
    assert "A hop is one step" in page
    assert outside_requests(page) == []
    for hop in by_hop(report):
        assert escape(hop["hop"]) in page
    pnl = [tile for tile in tiles(report) if tile.label.startswith("PnL")]
    assert len(pnl) == 2
    assert all(tile.value.lstrip("−").startswith("$") for tile in pnl)
    place = tmp_path / "page.html"
    place.write_text(page)
    snapshot("page", place)


def test_a_hop_that_differs_is_the_verdict(report: dict[str, Any]) -> None:
    hops = [dict(stage) for stage in report["hops"]]
    hops[0] |= {"passed": False, "largest_difference": None, "share_of_limit": None}
    broken = {**report, "verdict": "different", "first_divergence": "files: <lost>", "hops": hops}
    page = render(broken)
    assert page.index("The chain comes apart.") < page.index("files: &lt;lost&gt;")
    assert "✕ fail" in page
    assert "no number" in page


@needs_browser
def test_nothing_is_cut_on_a_screen_or_a_phone(report: dict[str, Any], tmp_path: Path) -> None:
    assert layout_faults(render(report), tmp_path) == []


def test_the_committed_page_is_this_one(path: Path, report: dict[str, Any]) -> None:
    assert words_of(path.with_suffix(".html").read_text()) == words_of(render(report)), REMAKE


def test_differences_and_shares_in_words() -> None:
    assert [small(x) for x in (None, 0, 2.5e-7)] == ["no number", "0", "2.5e−7"]
    shares = [share(x) for x in (None, 0, 1e-4, 0.247, 1.37)]
    assert shares == ["beyond", "0", "below 0.1%", "24.7%", "137.0%, beyond"]


def stage(hop: str, rows: int, **values: Any) -> dict[str, Any]:
    return {
        "hop": hop,
        "rows": rows,
        "largest_difference": 1e-9,
        "share_of_limit": 0.25,
        "passed": True,
        **values,
    }


def test_a_hop_is_told_by_the_worst_of_its_stages() -> None:
    one = [
        stage("one", 10, largest_difference=3e-9, share_of_limit=0.5),
        stage("one", 30, largest_difference=2e-9, share_of_limit=0.75),
        stage("one", 20),
    ]
    two = [stage("two", 5), stage("two", 4, largest_difference=None, share_of_limit=None, passed=False)]
    found = by_hop({"hops": [one[0], two[0], *one[1:], two[1]]})
    assert found == [
        {
            "hop": "one",
            "stages": 3,
            "rows": 30,
            "largest": "3.0e−9",
            "share": "75.0%",
            "passed": True,
            "each": one,
        },
        {
            "hop": "two",
            "stages": 2,
            "rows": 5,
            "largest": "no number",
            "share": "beyond",
            "passed": False,
            "each": two,
        },
    ]


def test_ends_of_shares_and_what_a_certificate_says() -> None:
    told = [share(x) for x in (9.99e-4, 1e-3, 1.0, 1.0001)]
    assert told == ["below 0.1%", "0.1%", "100.0%", "100.0%, beyond"]
    assert certificate_words({"verdict": "different"}) == "different"
    assert certificate_words({}) == "–"
    assert certificate_words("none") == "none"


@pytest.mark.parametrize("csharp", ["checked", "refused", "not checked, since mcs is not installed"])
def test_the_verdict_names_c_sharp_only_where_it_was_checked(csharp: str) -> None:
    told = verdict({"verdict": "same", "csharp": csharp})
    languages = "ONNX and C#." if csharp == "checked" else "ONNX."
    assert (told.tone, told.headline) == ("good", "Every hop decides the same.")
    assert told.reason == f"From raw bars to action, in JAX, PyTorch, Stable-Baselines3, {languages}"


def test_tiles_tell_each_number_in_its_place() -> None:
    report: dict[str, Any] = {
        "actions": {
            "compared": 100_512,
            "near_ties": 1,
            "near_tie_below": 1e-4,
            "near_ties_decided_differently": 3,
        },
        "replay": {"episodes": 20, "trades": 41, "pnl_dollars": {"jax": 12.5, "sb3 by itself": -37.25}},
        "day": {"day": "2025-01-08", "bars": 450, "decisions": 1_390, "trades": 1},
    }
    told = [(tile.label, tile.value, tile.below) for tile in tiles(report)]
    ties = "1 near-tie (the best two actions' scores within 0.0001), 3 decided differently"
    money = "US dollars, all episodes together"
    assert told == [
        ("Decisions compared", "100,512", ties),
        ("Episodes replayed in the reference", "20", "41 trades"),
        ("C# over a whole day, 2025-01-08", "450 bars", "1,390 decisions, 1 trade"),
        ("PnL of the replay, JAX", "$12.50", money),
        ("PnL of the replay, Stable-Baselines3 by itself", "−$37.25", money),
    ]
    report["replay"]["trades"] = 0
    report["day"] = "not checked over a whole day: too few bars"
    labels = [(tile.label, tile.below) for tile in tiles(report)]
    assert labels[1][1].startswith("the policy takes no trade, so only the episodes")
    assert len(labels) == 4


REPORT = Path(__file__).parents[3] / "reports" / "reference" / "export_chain" / "phase1" / "chain.json"


def test_numbers_a_page_and_an_attestation_where_there_is_one(tmp_path: Path) -> None:
    report: dict[str, Any] = json.loads(REPORT.read_text())
    write_report(tmp_path / "bare", report)
    names = {"chain.json", "chain.html"}
    assert {path.name for path in (tmp_path / "bare").iterdir()} == names
    write_report(tmp_path / "with", report, {"payload": "signed"})
    found = tmp_path / "with"
    assert {path.name for path in found.iterdir()} == {*names, "chain.attestation.json"}
    assert json.loads((found / "chain.json").read_text()) == report
    assert (found / "chain.html").read_text() == render(report)
    assert json.loads((found / "chain.attestation.json").read_text()) == {"payload": "signed"}


def test_a_day_s_bars_end_with_its_last_one(tmp_path: Path) -> None:
    few = bars().select(np.arange(len(bars())) < 6)
    seconds = (few.timestamps_ns // 1_000_000_000).tolist()
    day = {"day": "2025-01-06", "features": [{"time": seconds[2]}, {"time": seconds[4]}]}
    write_day(tmp_path / "day", few, day)
    assert {path.name for path in (tmp_path / "day").iterdir()} == {"bars.csv", "day.json"}
    assert (tmp_path / "day" / "bars.csv").read_text() == to_csv(few, seconds[4])
    assert json.loads((tmp_path / "day" / "day.json").read_text()) == day


# What is written beside the page


@pytest.fixture
def short_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that says which report it is of."""
    monkeypatch.setattr(module, "render", lambda report: f"page of {report['verdict']}")


def written(folder: Path) -> dict[str, Any]:
    """Return what lies in a folder by name, JSON as values."""
    return {
        path.name: json.loads(path.read_text()) if path.suffix == ".json" else path.read_text()
        for path in folder.iterdir()
    }


@pytest.mark.usefixtures("short_page")
def test_numbers_page_and_attestation_are_of_one_proof(tmp_path: Path) -> None:
    out = tmp_path / "made" / "out"
    first, second = {"verdict": "same", "hops": [1]}, {"verdict": "different", "hops": []}
    write_report(out, first, {"payload": "x"})
    expected = {NUMBERS: first, PAGE: "page of same", ATTESTATION: {"payload": "x"}}
    assert written(out) == expected
    (out / "notes.txt").write_text("mine")
    write_report(out, second)  # of which no attestation was asked
    assert written(out) == {NUMBERS: second, PAGE: "page of different", "notes.txt": "mine"}
    write_report(out, first, {"payload": "y"})
    assert written(out) == {**expected, ATTESTATION: {"payload": "y"}, "notes.txt": "mine"}


@pytest.mark.usefixtures("short_page")
def test_a_report_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(tmp_path, {"verdict": "same"}, {"payload": "x"})
    before = written(tmp_path)

    def fail(report: Any) -> str:
        raise OSError(28, "no space left")

    monkeypatch.setattr(module, "render", fail)
    with pytest.raises((OSError, WriteError)):
        write_report(tmp_path, {"verdict": "different"})
    assert written(tmp_path) == before


def test_a_day_is_written_with_the_bars_up_to_its_last_one(tmp_path: Path) -> None:
    few = bars().select(np.arange(len(bars())) < 9)
    seconds = (few.timestamps_ns // 1_000_000_000).tolist()
    day = {"day": "2025-01-06", "features": [{"time": seconds[at]} for at in (2, 3, 6)]}
    (tmp_path / DAY).write_text("of before")
    write_day(tmp_path, few, day)
    assert set(written(tmp_path)) == {BARS, DAY}
    assert (tmp_path / BARS).read_text() == to_csv(few, seconds[6])
    assert (tmp_path / BARS).read_text().count("\n") == 1 + 7
    text = (tmp_path / DAY).read_text()
    assert json.loads(text) == day
    assert text.count("\n") == 1  # as small as it can be
