"""Advice of a training: read with its bars, carried by the policy, refused where it does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundation.files import file_digest
from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.evaluation.evaluate import evaluate
from jax_port.ppo.policy import load_policy, save_policy
from jax_port.ppo.settings import TrainSettings
from jax_port.runs import run as runs
from jax_port.runs.checkpoints import identity_of
from jax_port.runs.plan import Plan, read_plan
from jax_port.runs.training_advice import TrainingAdvice, from_tables
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, InputError
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from markets.advice.passes import run_rules
from markets.advice.rules import RulesAdvisor
from markets.advice.schedule import AdviceOnBars, lay
from markets.advice.store import open_store
from markets.advice.table import TABLE, About, AdviceTable, TableKey
from tests.jax_port.made_policy import make_policy
from tests.sentences import refuses

CONFIG = EnvConfig.phase1(max_episode_bars=30)
SOURCE = Source("ES", kind="synthetic", days=4, seed=0)
SETTINGS = TrainSettings(n_envs=4, n_steps=8, batch_size=16, n_epochs=1, total_timesteps=64).override(
    pi=(8,), vf=(8,)
)


def make_table(
    place: Path,
    source: Source = SOURCE,
    model: str = RulesAdvisor.model,
    advisor: str = RulesAdvisor.name,
) -> Path:
    """Write what the rules say of every third bar of a market."""
    view = view_of(prepare(source.read(), CONFIG), CONFIG)
    key = TableKey(view.digest, advisor, model, "")
    store = open_store(place, About(key, view.symbol, len(view), "never"), view.timestamps_ns)
    run_rules(store, view, RulesAdvisor(), view.rows(3))
    store.collect()
    return place


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_table(tmp_path_factory.mktemp("advice"))


def advice(table: Path, way: str = "prior", **more: object) -> TrainingAdvice:
    settings = FusionSettings("weighted", weight=2.0, **more)  # type: ignore[arg-type]
    return from_tables(way, settings, [table], 1, None)


@pytest.mark.parametrize("way", ["prior", "columns"])
def test_a_part_of_the_days_has_the_advice_on_the_whole(table: Path, way: str) -> None:
    whole = TrainingData((SOURCE,), advice=advice(table, way))
    days = [str(day) for day in np.unique(SOURCE.read().frame.index.date)]
    part = replace(whole, first=days[2])
    (all_of_it,), _ = whole.prepared(CONFIG)
    (some,), (facts,) = part.prepared(CONFIG)
    assert 0 < len(some) < len(all_of_it)
    ours, theirs = (one.prior if way == "prior" else one.features[:, 11:] for one in (some, all_of_it))
    assert ours is not None
    assert theirs is not None
    assert (ours == theirs[-len(some) :]).all()
    assert facts["advice"]["bars"] == int((ours != 0).any(axis=1).sum()) > 100
    assert TrainingData.from_dict(part.to_dict()) == part
    assert "advice" not in TrainingData((SOURCE,)).to_dict()


@pytest.mark.parametrize(("first", "last"), [(1, None), (None, 2), (1, 2), (3, 3)])
def test_a_range_s_advice_is_that_of_its_bars_among_all(
    table: Path, first: int | None, last: int | None
) -> None:
    days = [str(day) for day in np.unique(SOURCE.read().frame.index.date)]
    whole = TrainingData((SOURCE,), advice=advice(table))
    part = replace(
        whole,
        first="" if first is None else days[first],
        last="" if last is None else days[last],
    )
    (every,), _ = whole.prepared(CONFIG)
    (some,), _ = part.prepared(CONFIG)
    place = np.searchsorted(every.timestamps_ns, some.timestamps_ns)
    assert 0 < len(some) < len(every)
    assert (every.timestamps_ns[place] == some.timestamps_ns).all()
    assert some.prior is not None
    assert every.prior is not None
    np.testing.assert_array_equal(some.prior, every.prior[place])


@pytest.mark.parametrize("seconds", [0.0, 59.999, 60.0, 60.001, 150.0])
def test_a_latency_of_seconds_is_every_answers(table: Path, seconds: float) -> None:
    """An answer to a question at a bar's close acts at the first later close by which it has come."""
    told = replace(advice(table), latency=seconds)
    assert TrainingAdvice.from_dict(told.to_dict()) == told
    market = prepare(SOURCE.read(), CONFIG)
    bars, _ = told.read(0, market, CONFIG)
    minutes = market.timestamps_ns / 60e9
    asked = np.flatnonzero(bars.given)
    assert len(asked) > 100
    for row in asked:
        later = np.flatnonzero(minutes >= max(minutes[row] + seconds / 60, minutes[row] + 0.5))
        expected = later[0] if len(later) else len(minutes)
        assert bars.known[row] == expected, row


def test_answers_of_a_batch_are_trained_with_at_a_latency(tmp_path: Path) -> None:
    table, market = make_table(tmp_path, advisor="chat"), prepare(SOURCE.read(), CONFIG)
    with refuses():
        advice(table).read(0, market, CONFIG)
    bars, _ = replace(advice(table), latency=60.5).read(0, market, CONFIG)
    assert bars.given.any()


def test_what_does_not_fit_is_refused(table: Path, tmp_path: Path) -> None:
    with refuses():
        from_tables("prior", FusionSettings(), [table], 2, None)
    with refuses():
        from_tables("prior", FusionSettings("agreement"), [table], 1, None)
    other = TrainingData((replace(SOURCE, seed=1),), advice=advice(table))
    with refuses():
        other.load(CONFIG)
    stranger = make_table(tmp_path, model="other rules")
    with refuses():
        from_tables("prior", FusionSettings(), [table, stranger], 2, None)
    # Another advisor's table in the place of the one that a run began with.
    moved = replace(advice(table), tables=(str(stranger),))
    with refuses():
        moved.read(0, prepare(SOURCE.read(), CONFIG), CONFIG)


@pytest.mark.parametrize("way", ["prior", "columns"])
def test_a_policy_carries_its_advice_and_decides_nothing_without(
    table: Path, tmp_path: Path, way: str
) -> None:
    data = TrainingData((SOURCE,), advice=advice(table, way))
    (told,), _ = data.prepared(CONFIG)
    bare = prepare(SOURCE.read(), CONFIG)
    assert data.advice is not None
    policy = replace(make_policy(told, CONFIG), advice=data.advice.use)
    save_policy(tmp_path / "policy.safetensors", policy)
    with refuses():
        load_policy(tmp_path / "policy.safetensors")
    again = load_policy(tmp_path / "policy.safetensors", advised=True)
    assert again.advice == data.advice.use
    with refuses():
        evaluate(again, bare)
    with refuses():
        evaluate(make_policy(bare, CONFIG), told)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["prior", "columns"])
def test_a_run_ends_in_a_policy_that_has_learnt_with_advice(
    table: Path, tmp_path: Path, way: str
) -> None:
    data = TrainingData((SOURCE,), advice=advice(table, way))
    plan = Plan(SETTINGS, data, CONFIG, certificate="ungated")
    assert runs.run(plan, tmp_path / "run", begin=True)
    assert read_plan(tmp_path / "run") == plan
    policy = load_policy(tmp_path / "run" / "policy-0.safetensors", advised=True)
    assert policy.advice == advice(table, way).use
    assert policy.about["data"]["advice"]["cutoff"] == "never"
    bare = replace(plan, data=TrainingData((SOURCE,)))
    assert runs.run(bare, tmp_path / "bare", begin=True)
    other = load_policy(tmp_path / "bare" / "policy-0.safetensors")
    head = (one.params["params"]["action_head"]["bias"] for one in (policy, other))
    assert (next(head) != next(head)).any()


@pytest.mark.parametrize(("seconds", "asked"), [(None, None), (0.0, 0.0), (2.5, 2500.0)])
def test_a_latency_of_zero_is_not_the_answer_s_own(
    table: Path, seconds: float | None, asked: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float | None] = []

    def watched(table: AdviceTable, ns: Any, latency: float | None) -> AdviceOnBars:
        seen.append(latency)
        return lay(table, ns, latency)

    monkeypatch.setattr("jax_port.runs.training_advice.lay", watched)
    replace(advice(table), latency=seconds).read(0, prepare(SOURCE.read(), CONFIG), CONFIG)
    assert seen == [asked]


def test_a_table_without_an_answer_is_refused(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(table: AdviceTable, ns: Any, latency: float | None) -> AdviceOnBars:
        bars = lay(table, ns, latency)
        return replace(bars, given=np.zeros_like(bars.given))

    monkeypatch.setattr("jax_port.runs.training_advice.lay", silent)
    with pytest.raises(InputError, match="it holds no advice on any bar") as refused:
        advice(table).read(0, prepare(SOURCE.read(), CONFIG), CONFIG)
    assert str(refused.value).startswith(f"{table}: ")


def test_each_market_has_its_own_table_and_says_which(table: Path, tmp_path: Path) -> None:
    """The second here is a folder of passes, and on other bars than the first."""
    sources = (SOURCE, replace(SOURCE, seed=1))
    second = make_table(tmp_path / "second", sources[1])
    told = from_tables("prior", FusionSettings("weighted"), [table, second], 2, None)
    assert told.tables == (str(table), str(second))
    _, facts = TrainingData(sources, advice=told).prepared(CONFIG)
    files = [file_digest(place / TABLE if place.is_dir() else place) for place in (table, second)]
    assert [one["advice"]["sha256"] for one in facts] == files
    assert [one["advice"]["cutoff"] for one in facts] == ["never", "never"]
    assert files[0] != files[1]
    with refuses():
        TrainingData(sources[::-1], advice=told).prepared(CONFIG)


@pytest.mark.parametrize("way", ["prior", "columns"])
def test_a_bar_is_advised_on_which_has_one_number_that_is_not_zero(
    table: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever it is; and the cutoff is the table's."""
    market = prepare(SOURCE.read(), CONFIG)
    wide = 3 if way == "prior" else 4
    made = np.zeros((len(market), wide), np.float32)
    made[7, 0], made[9, wide - 1], made[12], made[20, 1] = 0.5, -0.25, 1.0, -1e-6

    def laid(market: PreparedMarket, bars: AdviceOnBars, use: AdviceUse) -> PreparedMarket:
        if way == "prior":
            return replace(market, prior=made)
        return replace(market, features=np.concatenate([market.features, made], axis=1))

    monkeypatch.setattr("jax_port.runs.training_advice.with_advice", laid)
    _, facts = advice(table, way).lay_on(0, market, market, CONFIG)
    place = table / TABLE if table.is_dir() else table
    assert facts == {"sha256": file_digest(place), "cutoff": "never", "bars": 4}


def test_advice_as_columns_counts_bars_and_not_numbers(table: Path) -> None:
    (market,), (facts,) = TrainingData((SOURCE,), advice=advice(table, "columns")).prepared(CONFIG)
    advised = (market.features[:, 11:] != 0).any(axis=1)
    assert facts["advice"]["bars"] == int(advised.sum()) <= len(market)


@pytest.mark.parametrize("strange", [1, 2])
def test_every_table_is_of_the_same_advisor(table: Path, tmp_path: Path, strange: int) -> None:
    tables = [table, table, table]
    tables[strange] = make_table(tmp_path / "other", model="other rules")
    with refuses():
        from_tables("prior", FusionSettings(), tables, 3, None)


def test_runs_that_use_one_table_otherwise_share_no_checkpoints(table: Path, tmp_path: Path) -> None:
    usual = Plan(SETTINGS, TrainingData((SOURCE,), advice=advice(table)), CONFIG)
    _, facts = usual.data.prepared(CONFIG)
    own = identity_of(runs.deciding(usual, facts))
    heavier = TrainingAdvice(
        replace(advice(table).use, settings=FusionSettings("weighted", weight=3.0)), (str(table),)
    )
    for other in (heavier, replace(advice(table), latency=2.0), replace(advice(table), latency=0.0)):
        plan = replace(usual, data=replace(usual.data, advice=other))
        assert identity_of(runs.deciding(plan, facts)) != own
    # The same table in another place is the same training.
    moved = replace(advice(table), tables=(str(tmp_path / "moved"),))
    plan = replace(usual, data=replace(usual.data, advice=moved))
    assert identity_of(runs.deciding(plan, facts)) == own
    bare = replace(usual, data=replace(usual.data, advice=None))
    assert "advice" not in runs.deciding(bare, facts)


def test_runs_of_other_bars_numbers_or_agents_share_no_checkpoints() -> None:
    """Wherever in a run it is that they differ; a file may lie elsewhere."""
    facts = [{"sha256": "1", "bars": 5}, {"sha256": "2", "bars": 6}]
    sources = (Source("ES", "/a.csv"), Source("NQ", "/b.csv"))
    usual = Plan(SETTINGS, TrainingData(sources), CONFIG, agents=({}, {"gamma": 0.5}))
    own = identity_of(runs.deciding(usual, facts))
    moved = replace(usual, data=TrainingData((sources[0], replace(sources[1], path="/c.csv"))))
    assert identity_of(runs.deciding(moved, facts)) == own
    others: list[tuple[Plan, list[dict[str, Any]]]] = [
        (replace(usual, **change), facts)
        for change in (
            {"settings": SETTINGS.override(seed=1)},
            {"settings": SETTINGS.override(activation="tanh")},
            {"settings": SETTINGS.override(total_timesteps=96)},
            {"config": CONFIG.override(contracts=2)},
            {"agents": ({}, {"gamma": 0.25})},
            {"agents": ({}, {"gamma": 0.5}, {})},
            {"updates_per_call": 2},
            {"schedules": {"gamma": [0.5] * 5}},
            {"initial": {"path": "/p", "sha256": "3"}},
        )
    ]
    others += [(usual, [facts[0], {**facts[1], "sha256": "3"}]), (usual, facts[::-1])]
    digests = {identity_of(runs.deciding(plan, of)) for plan, of in others}
    assert own not in digests
    assert len(digests) == len(others)
