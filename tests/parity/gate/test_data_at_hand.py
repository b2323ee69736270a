"""The missing part of the gate, on the data at hand: true sides pass, a planted fault is found."""

from __future__ import annotations

from typing import Any

import pytest

from jax_port.data import data_loader
from jax_port.ppo import minibatches
from jax_port.ppo.optimizer import layer_lr
from jax_port.ppo.settings import TrainSettings
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from parity.gate import data_at_hand
from parity.gate.covered import Missing
from parity.gate.data_at_hand import prove_missing
from parity.learner import port
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
