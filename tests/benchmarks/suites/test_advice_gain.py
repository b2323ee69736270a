"""The planted advisor speaks of a signal from its bar on, and never before."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.baselines.pattern_agents import SETTINGS
from benchmarks.suites import advice_gain
from benchmarks.suites.advice_gain import (
    BARE,
    CONFIG,
    FUSED,
    KNOWN_BARS,
    OWN,
    code_digest,
    main,
    spoken,
)
from foundation.json_lines import require_same
from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import prepare
from markets.advice.fusion import FusionSettings
from markets.advice.view import MarketView
from markets.synthetic.pattern import hidden_signals, pattern_bars
from tests import commands
from tests.sentences import refuses


@pytest.mark.costly
@pytest.mark.parametrize("there", ["out/knows-weighted-2/advice.json", "scratch/bare-0.safetensors"])
def test_a_study_of_other_options_is_not_gone_on_with(tmp_path: Path, there: str) -> None:
    asked = {"steps": 64, "train-days": 4, "days": 4, "code": code_digest()}
    assert len(asked["code"]) == 64
    (tmp_path / there).parent.mkdir(parents=True)
    (tmp_path / there).write_text("{}")
    for name in ("out", "scratch"):
        require_same(tmp_path / name / "asked.json", asked, begun=False)
    words = ["--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch"), "--way", "none"]
    for others in ((65, 4, 4), (64, 5, 4), (64, 4, 5)):
        told = zip(("--steps", "--train-days", "--days"), map(str, others), strict=True)
        with refuses():
            main.main([*words, *(word for pair in told for word in pair)], standalone_mode=False)
    assert (tmp_path / there).read_text() == "{}"


def test_it_speaks_of_a_signal_from_its_bar_on() -> None:
    signals, told = hidden_signals(5, 8), spoken(5, 8)
    (places,) = np.nonzero(signals)
    assert (told[places] == signals[places]).all()
    assert (told[places - 1] == 0).all()
    assert (told[places + KNOWN_BARS - 1] == signals[places]).all()
    assert (told[places + KNOWN_BARS] == 0).all()
    assert (told != 0).sum() == KNOWN_BARS * len(places)


class Parts(SimpleNamespace):
    """What an arm did, told apart by its day's PnL."""

    def __init__(self, number: int, changed: bool = True) -> None:
        trades = np.array([[1, 2, number], [4, 0, 3]])
        steps = np.array([[10, 20, 30], [40, 50, 50]])
        super().__init__(
            pnl=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]]) * number, trades=trades, steps=steps,
            changed=np.array([[1, 2, 3], [4, 5, 5]]) * number if changed else None,
        )  # fmt: skip


def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let arms do what their place among all that are played says; return what was played."""
    played: list[Any] = []

    def play_arms(arms: Any, policies: Any, market: Any, bars: Any, starts: Any) -> Any:
        made = {}
        for one in arms:
            played.append((one, policies, market, bars, starts))
            made[one.name] = Parts(len(played), changed=one.kind != BARE)
        return made, ["day 1", "day 2", "day 3"]

    def gain(one: Any, other: Any, chosen: Any) -> Any:
        assert chosen.tolist() == [True] * 3
        apart = float(one.pnl[0, 0] - other.pnl[0, 0])
        return SimpleNamespace(mean=apart, low=apart - 0.25, high=apart + 0.5)

    monkeypatch.setattr(advice_gain, "play_arms", play_arms)
    monkeypatch.setattr(advice_gain, "gain", gain)
    monkeypatch.setattr(advice_gain, "lay", lambda table, stamps: (table, stamps))
    return played


MARKET: Any = SimpleNamespace(timestamps_ns="stamps", starts="starts")
TABLES: Any = {name: f"table {name}" for name in ("knows", "sure", "useless")}


def test_each_rule_and_weight_is_held_against_the_bare_policy_and_the_advisor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played = stand_in(monkeypatch)
    agents: Any = [(Path("a"), "policy a"), (Path("b"), "policy b")]
    rows = advice_gain.rules_and_weights(TABLES, MARKET, agents)
    weights = [(rule, weight) for rule in ("weighted", "gated") for weight in (0.3, 1.0, 2.0, 5.0)]
    names = ["bare", "alone", *(f"{rule} {weight:g}" for rule, weight in weights)]
    assert [(row["advisor"], row["arm"]) for row in rows] == [
        (advisor, name) for advisor in ("knows", "sure", "useless") for name in names
    ]
    for number, ((arm, *rest), row) in enumerate(zip(played, rows, strict=True)):
        assert rest == [
            ["policy a", "policy b"],
            MARKET,
            (f"table {row['advisor']}", "stamps"),
            "starts",
        ]
        place = number % 10
        rule, weight = [("", 0), ("alone", 1.0), *weights][place]
        settings = None if place == 0 else FusionSettings(rule=rule, weight=weight)
        assert (arm.kind, arm.settings) == (BARE if place == 0 else FUSED, settings)
        own = number + 1
        assert row == {
            "advisor": row["advisor"], "arm": arm.name, "mean_day": pytest.approx(4.0 * own),
            "over_bare": [place, place - 0.25, place + 0.5],
            "over_alone": [place - 1, place - 1.25, place - 0.5],
            "trades_a_day": pytest.approx((10 + own) / 6),
            "changed": None if place == 0 else pytest.approx(20 * own / 200),
        }  # fmt: skip


def test_what_training_brings_is_over_each_bare_arm_beside_the_same_advisor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played = stand_in(monkeypatch)
    bare: Any = [(Path("a"), "a"), (Path("b"), "b")]
    trained: Any = {"prior": [(Path("c"), "c"), (Path("d"), "d")], "columns": [(Path("e"), "e")]}
    rows = json.loads(json.dumps(advice_gain.what_training_brings(TABLES, MARKET, bare, trained)))
    expected = []
    for first, advisor in ((1, "knows"), (6, "useless")):
        for own, way in ((first + 3, "prior"), (first + 4, "columns")):
            over = {
                f"over_{name}": [own - other, own - other - 0.25, own - other + 0.5]
                for other, name in enumerate(("bare", "alone", "fused"), first)
            }
            made = {"mean_day": pytest.approx(4.0 * own), "trades_a_day": pytest.approx((10 + own) / 6)}
            expected.append({"advisor": advisor, "way": way, **over, **made})
    assert rows == expected
    assert [(one.name, one.kind, one.settings, policies) for one, policies, *_ in played[:5]] == [
        ("bare", BARE, None, ["a", "b"]),
        ("alone", FUSED, FusionSettings(rule="alone", weight=1.0), ["a", "b"]),
        ("fused", FUSED, FusionSettings(rule="weighted", weight=2.0), ["a", "b"]),
        (OWN, FUSED, None, ["c", "d"]),
        (OWN, FUSED, None, ["e"]),
    ]
    assert [bars[0] for _, _, _, bars, _ in played] == ["table knows"] * 5 + ["table useless"] * 5


def test_a_table_speaks_of_every_bar_for_its_side_or_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each fiftieth bar here, which is soon written."""
    name, sure, all_rows = "sure", 0.9, MarketView.rows
    monkeypatch.setattr(MarketView, "rows", lambda view, every: all_rows(view, 50 * every))
    market = prepare(pattern_bars(days=2, seed=3), CONFIG)
    told = np.zeros(len(market), np.int8)
    view = view_of(market, CONFIG)
    rows = view.rows(1)
    told[rows[0]], told[rows[5]], told[rows[-1]] = 1, -1, 1
    table = advice_gain.make_table(market, told, name, tmp_path / "table")
    frame = table.frame.set_index("row")
    assert frame.index.tolist() == rows.tolist()
    assert (table.about.key.advisor, table.about.key.model, table.about.cutoff) == (
        "planted",
        name,
        "never",
    )
    for row in rows:
        buy, sell = {1: (0.9, 0.05), -1: (0.05, 0.9), 0: (0.05, 0.05)}[int(told[row])]
        said = frame.loc[row, ["hold", "buy", "sell", "confidence"]].tolist()
        assert said == pytest.approx([1 - buy - sell, buy, sell, 0.9 if told[row] else sure])


def test_a_study_compares_each_advisor_each_fusion_and_each_way_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = commands.Parts(monkeypatch)
    told = parts.told

    def part(name: str, answer: Any) -> None:
        parts.stand_for({f"benchmarks.suites.advice_gain.{name}": answer})

    def agents(days: int, steps: int, out: Path, way: str = "") -> Any:
        return [(Path(f"{way}-0"), SimpleNamespace(advice=f"use of {way}" if way else None))]

    part("require_same", lambda *_: None)
    part("make_table", lambda market, told, name, place: f"table {name} of {told}")
    part("spoken", lambda days, seed: f"{days} days of {seed}")
    part("train_agents", agents)
    part("rules_and_weights", lambda *_: ["weights"])
    part("what_training_brings", lambda *_: [{"row": 1}])
    part("compare", lambda name, *_: {"of": name})
    part("_show", lambda *_: None)
    part("_show_weights", lambda *_: None)
    part("prepare", lambda bars, config: ("market", bars.digest))
    monkeypatch.setattr(advice_gain, "code_digest", lambda: "code")
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    words = ["--steps", "77", "--train-days", "5", "--days", "6", "--way", "columns", "--way", "prior"]
    words += ["--out", str(out), "--scratch", str(scratch)]
    main.main(words, standalone_mode=False)
    asked = {"steps": 77, "train-days": 5, "days": 6, "code": "code"}
    assert told["require_same"] == [(place / "asked.json", asked, False) for place in (out, scratch)]
    market = ("market", pattern_bars(days=6, seed=21, hidden=True).digest)
    tables = {
        name: f"table {name} of 6 days of {seed}"
        for name, seed in (("knows", 21), ("sure", 21), ("useless", 1021))
    }
    assert told["make_table"] == [
        (market, f"6 days of {seed}", name, scratch / name)
        for name, seed in (("knows", 21), ("sure", 21), ("useless", 1021))
    ]
    assert told["train_agents"] == [
        (5, 77, scratch), (5, 77, scratch, "columns"), (5, 77, scratch, "prior"),
    ]  # fmt: skip
    (_, _, bare), *_ = told["rules_and_weights"]
    assert told["rules_and_weights"] == [(tables, market, bare)]
    names = ["knows-weighted-2", "useless-gated-0.3"]
    names += [f"{name}-trained-{way}" for way in ("columns", "prior") for name in ("knows", "useless")]
    strong = FusionSettings(rule="weighted", weight=2.0)
    judged = [strong, FusionSettings(), *(f"use of {way}" for way in ("columns",) * 2 + ("prior",) * 2)]
    own = [bare, bare, *(agents(0, 0, out, way) for way in ("columns",) * 2 + ("prior",) * 2)]
    advisors = ("knows", "useless") * 3
    assert told["compare"] == [
        (name, use, tables[advisor], scratch / advisor, market, policies, out)
        for name, use, advisor, policies in zip(names, judged, advisors, own, strict=True)
    ]
    ((given, where, without, trained),) = told["what_training_brings"]
    assert (given, where, without, list(trained)) == (tables, market, bare, ["columns", "prior"])
    assert [one[1:] for one in told["_show"]] == [(name, {"of": name}) for name in names]
    written = json.loads((out / "advice_gain.json").read_text())
    assert written.pop("made")
    assert written == {
        "steps_an_agent": 77, "train_days": 5, "days": 6, "rules_and_weights": ["weights"],
        "trained_with_advice": [{"row": 1}], "comparisons": {name: {"of": name} for name in names},
    }  # fmt: skip
    told.clear()
    main.main([*words[:6], *words[10:], "--way", "none"], standalone_mode=False)
    assert [one[0] for one in told["compare"]] == names[:2]


def test_agents_are_trained_on_what_their_way_shows_them_and_read_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}

    def train(agents: Any, params: Any, settings: Any, updates: int) -> Any:
        told["trained"] = (agents, params, settings, updates)
        return "trained", "curve", 1.0

    market = SimpleNamespace(timestamps_ns="stamps", name="market")
    phase = SimpleNamespace(make_params=lambda market, config: ("params", market, config))
    monkeypatch.setattr(advice_gain, "prepare", lambda bars, config: market)
    monkeypatch.setattr(advice_gain, "make_table", lambda market, told, *more: (told.sum(), *more))
    monkeypatch.setattr(advice_gain, "use_of", lambda *given: ("use", *given))
    monkeypatch.setattr(advice_gain, "lay", lambda *given: ("laid", *given))
    monkeypatch.setattr(advice_gain, "with_advice", lambda *given: ("advised", *given))
    monkeypatch.setattr(advice_gain, "stack", lambda markets: ("stacked", *markets))
    monkeypatch.setattr(advice_gain, "phase_of", lambda config: phase)
    monkeypatch.setattr(advice_gain, "fresh_agents", lambda *given: ("fresh", *given))
    monkeypatch.setattr(advice_gain, "train", train)
    monkeypatch.setattr(advice_gain, "policy_of", lambda _, number, *more: Trained(number, None))
    monkeypatch.setattr(advice_gain, "save_policy", lambda path, policy: path.write_text(str(policy)))
    steps = 3 * 64 * 128 + 5
    for way in ("", "columns"):
        made = advice_gain.train_agents(4, steps, tmp_path, way)
        table = (spoken(4, 1).sum(), "knows", tmp_path / "trained-on")
        use = ("use", "columns", advice_gain.STRONG, table) if way else None
        seen = ("advised", market, ("laid", table, "stamps"), use) if way else market
        params = ("params", ("stacked", seen), CONFIG)
        settings = replace(SETTINGS, total_timesteps=steps)
        assert told["trained"] == (("fresh", params, settings, 5), params, settings, 3)
        paths = [tmp_path / f"{way or 'bare'}-{number}.safetensors" for number in range(5)]
        assert made == [(path, Trained(number, use)) for number, path in enumerate(paths)]
        assert [path.read_text() for path, _ in made] == [str(policy) for _, policy in made]
        told.clear()
        monkeypatch.setattr(advice_gain, "load_policy", lambda path, advised: (path, advised))
        again: Any = advice_gain.train_agents(4, steps, tmp_path, way)
        assert again == [(path, (path, bool(way))) for path in paths]
        assert told == {}
    for path in paths:
        path.unlink()
    advice_gain.train_agents(4, 1, tmp_path, "columns")
    assert told["trained"][-1] == 1


@dataclass
class Trained:
    """Stands for a policy."""

    number: int
    advice: Any
