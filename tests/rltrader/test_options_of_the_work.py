"""Options that say what is done with bars reach what does it: evaluation, sweep and advice."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import prepare
from jax_port.data.held_out import starts_within
from jax_port.ppo.policy import save_policy
from markets import Bars, EnvConfig, readers
from markets.advice.fusion import FusionSettings
from markets.advice.passes import run_rules
from markets.advice.rules import RulesAdvisor
from markets.advice.schedule import lay
from markets.advice.store import open_store
from markets.advice.table import About, TableKey, load_table
from markets.advice.view import MarketView
from markets.synthetic.bars import synthetic_bars
from rltrader.advice.options import chat_settings, prompt_settings
from tests.jax_port.made_policy import make_policy
from tests.rltrader.test_options_arrive import Reached, run

CONFIG = EnvConfig.phase1(max_episode_bars=60)


def _stop(*given: Any, **named: Any) -> None:
    raise Reached(given, named)


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=5, seed=5, start="2025-01-02")


@pytest.fixture
def words(bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Options that name a file of the bars, which is not read."""
    monkeypatch.setenv("RLTRADER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(readers, "read_bars", lambda *given, **how: bars)
    (tmp_path / "ES.csv").write_text("read by name")
    return ("--data", str(tmp_path / "ES.csv"), "--symbol", "ES", "--out", str(tmp_path / "out"))


def policy_file(bars: Bars, folder: Path) -> str:
    path = folder / "policy.safetensors"
    save_policy(path, make_policy(prepare(bars, CONFIG), CONFIG))
    return str(path)


@pytest.mark.parametrize(
    ("more", "first", "last", "starts"),
    [
        ((), None, None, "daily"),
        (("--from", "2025-01-03"), date(2025, 1, 3), None, "daily"),
        (("--to", "2025-01-07"), None, date(2025, 1, 7), "daily"),
        (
            ("--from", "2025-01-03", "--to", "2025-01-06", "--starts", "all"),
            *(date(2025, 1, 3), date(2025, 1, 6), "all"),
        ),
    ],
)
def test_an_evaluation_is_of_the_dates_and_starts_that_were_asked_for(
    more: tuple[str, ...],
    first: date | None,
    last: date | None,
    starts: str,
    words: tuple[str, ...],
    bars: Bars,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jax_port.evaluation.evaluate.evaluate", _stop)
    (_, market), named = run("evaluate", policy_file(bars, tmp_path), *words, *more)
    expected = starts_within(prepare(bars, CONFIG), CONFIG, first, last)
    np.testing.assert_array_equal(named["rows"], expected)
    assert (named["trades_of"], named["advice"]) == (starts, None)
    assert len(market) == len(bars)


def advice_table(bars: Bars, place: Path) -> Path:
    view = view_of(prepare(bars, CONFIG), CONFIG)
    key = TableKey(view.digest, "rules", RulesAdvisor.model, "")
    store = open_store(place, About(key, view.symbol, len(view), "never"), view.timestamps_ns)
    run_rules(store, view, RulesAdvisor(), view.rows(3))
    store.collect()
    return place


@pytest.mark.parametrize("latency", [None, 0.0, 61.5, 150.0])
def test_a_fusion_is_of_the_table_the_latency_and_the_settings_that_were_asked_for(
    latency: float | None,
    words: tuple[str, ...],
    bars: Bars,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = advice_table(bars, tmp_path / "table")
    monkeypatch.setattr("jax_port.evaluation.evaluate.evaluate", _stop)
    more = ("--advice", str(table), "--fusion", "weighted", "--fusion-set", "weight=0.5")
    late = () if latency is None else ("--latency", str(latency))
    _, named = run(
        *("evaluate", policy_file(bars, tmp_path), *words, *more, "--fusion-set", "every=7", *late)
    )
    advice = named["advice"]
    assert advice.settings == FusionSettings(rule="weighted", weight=0.5, every=7)
    own = None if latency is None else latency * 1000
    expected = lay(load_table(table), bars.session("rth").timestamps_ns, own)
    for name in ("advice", "confidence", "given", "known", "minute"):
        np.testing.assert_array_equal(getattr(advice.bars, name), getattr(expected, name))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((), (1, 0, None)),
        (("--every", "3", "--first-bar", "120", "--last-bar", "500"), (3, 120, 500)),
    ],
)
def test_the_bars_that_are_asked_about_are_those_that_were_asked_for(
    more: tuple[str, ...],
    expected: tuple[int, int, int | None],
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MarketView, "rows", _stop)
    (view, *rest), _ = run("advise", "run", *words, *more)
    assert tuple(rest) == expected
    assert view.symbol == "ES"


@pytest.mark.parametrize("session", ["rth", "all"])
def test_an_advisor_sees_the_session_that_was_asked_for(
    session: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = synthetic_bars("ES", days=2, seed=5, session="all")
    monkeypatch.setattr(readers, "read_bars", lambda *given, **how: whole)
    monkeypatch.setattr(MarketView, "rows", _stop)
    (view, *_), _ = run("advise", "run", *words, "--session", session)
    config = EnvConfig.phase1(session=session)  # type: ignore[arg-type]
    assert view.digest == view_of(prepare(whole, config), config).digest


ASKED = {
    "url": "http://127.0.0.1:1/v1",
    "model": "m7",
    "temperature": 0.375,
    "max_tokens": 123,
    "constrain": "json_object",
    "timeout": 7.5,
    "retries": 2,
    "concurrency": 9,
    "key_variable": "MINE",
}
"""Settings of a server that options name, each other than its default."""


def test_a_server_is_asked_as_the_options_say(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("markets.advice.store.open_store", _stop)
    monkeypatch.setenv("MINE", "sekrit")
    told = [
        word for name, value in ASKED.items() for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    more = ("--cutoff", "2024-06-30", "--masked", "--context", "33")
    seen: dict[str, Any] = {}

    def settings(given: dict[str, Any]) -> Any:
        seen["settings"] = chat_settings(given)
        return seen["settings"]

    monkeypatch.setattr("rltrader.advice.advise.chat_settings", settings)
    (_, about, _), _ = run("advise", "run", "--advisor", "chat", *words, *told, *more)
    assert {name: getattr(seen["settings"], name) for name in ASKED} == ASKED
    prompt = prompt_settings({"context": 33, "masked": True})
    assert (about.cutoff, about.masked, about.prompt_bars) == ("2024-06-30", True, 33)
    assert (about.key.advisor, about.key.model) == ("chat", "m7")
    assert (about.key.prompt, about.key.sampling) == (prompt.version, seen["settings"].sampling)
