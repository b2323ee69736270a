"""The missing part of the gate, on the data at hand: true sides pass, a planted fault is found."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jax_port.data import data_loader
from jax_port.envs.form import form_of
from jax_port.ppo import minibatches
from jax_port.ppo.optimizer import layer_lr
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from parity.engine.compare import Comparison
from parity.engine.verify import CheckResult, Mismatch
from parity.gate import data_at_hand
from parity.gate.covered import Missing
from parity.gate.data_at_hand import CASES, EPISODES, check_markets, check_structure, prove_missing
from parity.learner import port
from parity.learner.cases import LearnerCase
from parity.learner.structures import aspects_of
from tests.sentences import refuses

ODD = EnvConfig.phase1(max_episode_bars=25, window_size=7, contracts=7, session="all")
SETTINGS = TrainSettings().override(pi=(8,), vf=(8, 8, 8), activation="tanh")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_at_hand, "EPISODES", 4)
    monkeypatch.setattr(data_at_hand, "CASES", 200)


def _prove(lacking: Missing, settings: TrainSettings = SETTINGS) -> dict[str, Any]:
    bars = [synthetic_bars("ES", days=3, seed=0), synthetic_bars("RTY", days=3, seed=1)]
    return prove_missing(lacking, bars, ODD, settings)


@pytest.mark.costly
@pytest.mark.usefixtures("few")
def test_what_was_never_compared_is_compared_and_counted() -> None:
    told = _prove(Missing((1,), (), ("contracts",)))
    assert told["because"] == ["contracts"]
    assert told["transitions"] >= 200 + 4
    assert told["numbers"] > 10_000
    assert told["checks"] >= 8


@pytest.mark.costly
@pytest.mark.usefixtures("few")
def test_a_fault_that_only_this_configuration_shows_stops_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true = data_loader.compute_ticks

    def faulty(bars: Any, features: Any, config: EnvConfig) -> Any:
        found = true(bars, features, config)
        return found._replace(stop=found.stop + 1) if config.account.contracts == 7 else found

    monkeypatch.setattr(data_loader, "compute_ticks", faulty)
    with refuses():
        _prove(Missing((1,), (), ("contracts",)))


@pytest.mark.slow
def test_a_fault_in_a_structure_stops_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = Missing((), ("frozen layers: on",), ("learner",))
    settings = SETTINGS.override(layer_lr=(("value_1", 0.0), ("policy_0", 0.25)))
    assert _prove(lacking, settings)["numbers"] > 1_000
    port.traced_program.cache_clear()
    true = layer_lr.factors
    monkeypatch.setattr(layer_lr, "factors", lambda params, rates: true(params, ()))
    with refuses(r"\d+ numbers"):
        _prove(lacking, settings)


@pytest.mark.slow
def test_a_training_with_advice_is_proved_on_the_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = Missing((), (), ("advice as prior",), "prior")
    port.traced_program.cache_clear()
    told = _prove(lacking)
    assert told["because"] == ["advice as prior"]
    assert told["checks"] == 3  # updates, draws and gradients
    true = minibatches.prior_at
    monkeypatch.setattr(minibatches, "prior_at", lambda *given: 0.99 * true(*given))
    port.traced_program.cache_clear()
    try:
        with refuses(r"\d+ numbers"):
            _prove(lacking)
    finally:
        port.traced_program.cache_clear()


# The same with parts that only say what they are told


def result(check: str, compared: int = 3, bad: str = "") -> CheckResult:
    fields = {"balance": Comparison(compared=10 * compared, mismatches=int(bad == "numbers"))}
    measures = {"weights": Comparison(compared=2)}
    error = "it ended" if bad == "error" else ""
    return CheckResult(check, "a world", compared, fields, error=error, measures=measures)


def _of(patch: pytest.MonkeyPatch, **parts: list[CheckResult]) -> list[Any]:
    """Let markets, the learner and advice be checked with these results; return what was asked."""
    asked: list[Any] = []

    def markets(bars: Any, config: Any, seed: int, on_progress: Any) -> list[CheckResult]:
        on_progress("markets")
        asked.append(("markets", [one.contract.symbol for one in bars], config, seed))
        return list(parts["markets"])

    def structure(settings: TrainSettings, advice: str = "") -> list[CheckResult]:
        asked.append(("structure", settings, advice))
        return list(parts["advice" if advice else "learner"])

    patch.setattr(data_at_hand, "check_markets", markets)
    patch.setattr(data_at_hand, "check_structure", structure)
    return asked


ALL = Missing((1, 0), ("activation: tanh",), ("this", "that"), "prior")
GOOD = {
    "markets": [result("data"), result("replay", 5), result("generated", 7)],
    "learner": [result("learner"), result("learner draws")],
    "advice": [result("learner"), result("learner gradients")],
}


def test_all_that_is_missing_is_compared_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SETTINGS.override(seed=17)
    asked = _of(monkeypatch, **GOOD)
    told = _prove(ALL, settings)
    assert asked == [
        ("markets", ["RTY", "ES"], ODD, 17),
        ("structure", settings, ""),
        ("structure", settings, "prior"),
    ]
    checks = [check for some in GOOD.values() for check in some]
    assert told["because"] == ["this", "that"]
    assert told["checks"] == len(checks)
    assert told["transitions"] == 5 + 7
    assert told["numbers"] == sum(10 * check.compared + 2 for check in checks)


@pytest.mark.parametrize("bad", ["numbers", "error"])
@pytest.mark.parametrize("part", GOOD)
def test_whatever_check_fails_stops_the_training(
    part: str, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of them, one in the midst and the last; what was sound after it does not help."""
    for place, check in enumerate(GOOD[part]):
        some = list(GOOD[part])
        some[place] = result(check.check, check.compared, bad)
        _of(monkeypatch, **{**GOOD, part: some})
        with refuses():
            _prove(ALL)


def test_each_market_has_every_check_and_the_first_one_those_of_properties(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def record(scenario: Any, pair: Any, number: int, seed: int) -> str:
        asked.append(("record", number, seed, scenario.episodes, scenario.cases, scenario.config))
        return f"recorded {number}"

    def judge(scenario: Any, pair: Any, market: Any, number: int, recorded: str, seed: int) -> Any:
        asked.append(("judge", number, market.contract.symbol, recorded, seed))
        return SimpleNamespace(checks=[f"judged {number}"])

    def properties(scenario: Any, recorded: str, seed: int) -> list[str]:
        asked.append(("properties", recorded, seed))
        return ["properties"]

    for name, part in (
        ("record_world", record),
        ("judge_world", judge),
        ("check_properties", properties),
    ):
        monkeypatch.setattr(f"parity.suites.worlds.{name}", part)
    bars = [synthetic_bars(symbol, days=2, seed=0) for symbol in ("ES", "RTY", "NQ")]
    checks: list[Any] = list(check_markets(bars, ODD, 5))
    assert checks == ["judged 0", "properties", "judged 1", "judged 2"]
    assert asked == [
        ("record", 0, 5, EPISODES, CASES, ODD),
        ("judge", 0, "ES", "recorded 0", 5),
        ("properties", "recorded 0", 5),
        ("record", 1, 5, EPISODES, CASES, ODD),
        ("judge", 1, "RTY", "recorded 1", 5),
        ("record", 2, 5, EPISODES, CASES, ODD),
        ("judge", 2, "NQ", "recorded 2", 5),
    ]


def test_a_small_learner_has_the_structure_of_the_one_that_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of settings of all kinds, every aspect, and the very layers and rates."""
    asked: list[Any] = []

    def check(form: str, case: Any) -> list[CheckResult]:
        asked.append((form, case))
        return []

    monkeypatch.setattr("parity.learner.suite.check_case", check)
    rng = np.random.default_rng(0)

    def one_of(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    seen: dict[str, set[str]] = {}
    for _ in range(100):
        settings = TrainSettings().override(
            pi=one_of((8,), (8, 8, 8), (2000, 8)),
            vf=one_of((8,), (8, 8), (8, 8, 8)),
            activation=one_of("relu", "tanh"),
            layer_lr=one_of((), (("policy_0", 0.0),), (("value_0", 0.5), ("policy_0", 2.0))),
            anneal=one_of(True, False),
            norm_reward=one_of(True, False),
            clip_range_vf=one_of(None, 0.3),
            target_kl=one_of(None, 0.01),
            n_envs=8,
            n_steps=16,
            batch_size=one_of(64, 128, 60, 100),
            order_groups=one_of(1, 4),
        )
        way = one_of("", "prior", "columns")
        assert check_structure(settings, way) == []
        form, case = asked[-1]
        assert aspects_of(case.settings) == aspects_of(settings)
        assert (case.settings.network, case.settings.layer_lr) == (settings.network, settings.layer_lr)
        assert (form, case.advice) == (form_of(way), way)
        assert case.updates == (1 if 2000 in settings.network.pi else 2)
        for name, value in aspects_of(settings).items():
            seen.setdefault(name, set()).add(value)
    assert {name for name, values in seen.items() if len(values) < 2} == {"precision"}


def test_of_several_checks_that_fail_the_first_is_told_with_what_it_saw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the learner after those of markets; by its error, its place, or how many numbers differ."""
    good = result("data")
    ended = replace(result("replay", 5), world="ES, bars", error="it ended")
    counted = replace(result("generated", 7, "numbers"), world="RTY, bars")
    counted.fields["reward"] = Comparison(compared=9, mismatches=3)
    placed = replace(result("restart", 4), world="NQ, bars")
    placed.first = Mismatch(2, 3, "sl_price", (), 1000.0, 1001.5)
    for bad in ((ended, counted, placed), (counted, placed, ended), (placed, ended, counted)):
        _of(monkeypatch, **{**GOOD, "markets": [good, *bad], "advice": [ended]})
        with refuses():
            _prove(ALL)
    _of(monkeypatch, **{**GOOD, "learner": [good, counted], "advice": [placed]})
    with refuses():
        _prove(ALL)


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        (ALL, ["markets", "the learner", "the learner with advice as prior"]),
        (Missing((1,), (), ("x",)), ["markets"]),
        (Missing((), ("activation: tanh",), ("x",)), ["the learner"]),
        (Missing((), (), ("x",), "columns"), ["the learner with advice as columns"]),
    ],
)
def test_each_part_is_told_before_it_is_compared_and_the_time_is_that_of_all(
    lacking: Missing, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _of(monkeypatch, **GOOD)
    said: list[tuple[str, int]] = []
    clock = iter((10.0, 12.34))
    monkeypatch.setattr(data_at_hand, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    bars = [synthetic_bars("ES", days=2, seed=0), synthetic_bars("RTY", days=2, seed=1)]
    found = prove_missing(lacking, bars, ODD, SETTINGS, lambda what: said.append((what, len(asked))))
    assert said == [(what, number) for number, what in enumerate(told)]
    assert len(asked) == len(told)
    assert (found["seconds"], found["because"]) == (2.3, list(lacking.reasons))


def test_each_market_is_told_by_its_contract_and_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def record(scenario: Any, pair: Any, number: int, seed: int) -> int:
        seen.append((scenario.worlds[number].name, scenario.worlds[number].bars, said[-1]))
        return number

    judged = SimpleNamespace(checks=[])
    monkeypatch.setattr("parity.suites.worlds.record_world", record)
    monkeypatch.setattr("parity.suites.worlds.judge_world", lambda *given: judged)
    monkeypatch.setattr("parity.suites.worlds.check_properties", lambda *given: [])
    said: list[str] = []
    bars = [synthetic_bars(symbol, days=2, seed=n) for n, symbol in enumerate(("ES", "RTY", "NQ"))]
    assert check_markets(bars, ODD, 5, said.append) == []
    names = [f"{one.contract.symbol}, {one.source}" for one in bars]
    assert names[1] == "RTY, synthetic RTY, seed 1"
    assert said == names
    assert seen == list(zip(names, bars, names, strict=True))


@pytest.mark.parametrize(
    ("pi", "vf", "updates"),
    [
        ((1000,), (24,), 2),
        ((1000,), (25,), 1),
        ((8,), (1000, 16), 2),
        ((8,), (1000, 17), 1),
        ((8, 1016), (1,), 1),
    ],
)
def test_a_wide_learner_is_compared_for_one_update_at_the_gate_s_own_sizes(
    pi: tuple[int, ...], vf: tuple[int, ...], updates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "parity.learner.suite.check_case", lambda *given: asked.append(given) or ["its checks"]
    )
    settings = TrainSettings(
        n_envs=16,
        n_steps=32,
        batch_size=500,
        total_timesteps=5120,
        n_epochs=7,
        learning_rate=3e-5,
        gamma=0.9,
        ent_coef=0.3,
        clip_range=0.4,
        seed=11,
        clip_range_vf=0.25,
        target_kl=0.02,
        network=NetworkSpec(pi, vf, "tanh"),
    )
    small = TrainSettings(
        n_envs=4,
        n_steps=24,
        batch_size=50,
        total_timesteps=1000,
        n_epochs=2,
        learning_rate=1e-3,
        clip_range_vf=0.1,
        target_kl=0.05,
        network=NetworkSpec(pi, vf, "tanh"),
    )
    for advice, name in (("", "structure at hand"), ("columns", "advice as columns at hand")):
        checks: list[Any] = list(check_structure(settings, advice))
        assert checks == ["its checks"]
        assert asked.pop() == (form_of(advice), LearnerCase(name, small, updates, advice=advice))
