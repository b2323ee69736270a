"""Ranges of a certificate: a training outside them is seen to be outside, whatever is new about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jax_port.data.data_loader import prepare
from jax_port.ppo.settings import TrainSettings
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, get_contract
from parity.gate.covered import missing
from parity.learner.structures import aspects_of
from parity.pairs.market_key import market_key
from tests.parity.made_certificate import made_certificate, worlds_of

DATA = TrainingData((Source("ES", kind="synthetic", days=3, seed=0),))
CONFIG = EnvConfig.phase1(max_episode_bars=30)
SETTINGS = TrainSettings()


@pytest.fixture(scope="module")
def certificate() -> dict[str, Any]:
    return made_certificate(worlds_of(DATA, CONFIG))


def _missing(
    certificate: dict[str, Any],
    config: EnvConfig = CONFIG,
    settings: TrainSettings = SETTINGS,
    data: TrainingData = DATA,
) -> tuple[tuple[int, ...], str]:
    markets = [prepare(bars, config) for bars in data.bars()]
    found = missing(certificate, markets, config, settings)
    assert bool(found) == bool(found.reasons)
    return found.markets, "; ".join(found.reasons)


def test_what_was_compared_lacks_nothing(certificate: dict[str, Any]) -> None:
    assert _missing(certificate) == ((), "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contracts": 7}, "contracts"),
        ({"session": "all"}, "session"),
        ({"window_size": 7}, "window_size"),
        ({"floor_lock_dollars": 0.0}, "floor_lock_dollars"),
        ({"hold_penalty": -0.011}, "hold_penalty"),
    ],
)
def test_a_setting_that_was_never_compared_is_named(
    certificate: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    config = EnvConfig.phase1(max_episode_bars=30, **changes)
    assert _missing(certificate, config) == ((0,), words)


def test_other_bars_and_other_contracts_are_seen(certificate: dict[str, Any]) -> None:
    other = TrainingData((*DATA.sources, Source("ES", kind="synthetic", days=3, seed=1)))
    assert _missing(certificate, data=other) == ((1,), "these bars under these settings")
    fewer = TrainingData(DATA.sources, "2025-01-07")
    assert _missing(certificate, data=fewer)[0] == (0,)
    micro = TrainingData((Source("MES", kind="synthetic", days=3, seed=0),))
    assert _missing(certificate, data=micro) == ((0,), "contract MES")


def test_other_costs_of_the_same_bars_are_another_market() -> None:
    contract = get_contract("ES")
    dear = contract.with_costs(commission_cents=999)
    assert market_key("0", contract) != market_key("0", dear)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pi": (8,) * 5}, "learner: policy layers: 5, mlps: unequal"),
        ({"vf": (8,) * 4, "pi": (8,) * 4}, "learner: policy layers: 4, value layers: 4"),
    ],
)
def test_a_structure_that_was_never_compared_is_named(
    certificate: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    covered = {**certificate["covered"]["learner"]["cpu"]}
    covered["mlps"] = ["equal"]
    narrow = {**certificate["covered"], "learner": {"cpu": covered}}
    found = _missing({**certificate, "covered": narrow}, settings=SETTINGS.override(**changes))
    assert found == ((), words)


def test_on_another_kind_of_device_everything_is_to_be_compared(certificate: dict[str, Any]) -> None:
    elsewhere = {**certificate, "made": {**certificate["made"], "platform": "gpu"}}
    markets, words = _missing(elsewhere)
    assert markets == (0,)
    assert words.startswith("made on gpu, trained on cpu; these bars under these settings; learner: ")


def test_a_structure_says_all_that_its_program_depends_on() -> None:
    plain = aspects_of(SETTINGS)
    changes: tuple[dict[str, Any], ...] = (
        {"activation": "tanh"},
        {"pi": (256, 256, 256)},
        {"vf": (64,)},
        {"layer_lr": (("policy_0", 0.0),)},
        {"layer_lr": (("policy_0", 0.5),)},
        {"anneal": True},
        {"norm_reward": False},
        {"clip_range_vf": 0.2},
        {"target_kl": 0.01},
        {"batch_size": 4095},
        {"precision": "bf16"},
    )
    seen = [aspects_of(SETTINGS.override(**change)) for change in changes]
    assert len({tuple(one.items()) for one in [plain, *seen]}) == len(changes) + 1
    unmoved = aspects_of(replace(SETTINGS, learning_rate=0.1, seed=3, gamma=0.9))
    assert unmoved == plain


def test_advice_is_covered_by_no_certificate(certificate: dict[str, Any]) -> None:
    markets = [prepare(bars, CONFIG) for bars in DATA.bars()]
    found = missing(certificate, markets, CONFIG, SETTINGS, "columns")
    assert found
    assert (found.markets, found.learner, found.advice) == ((), (), "columns")
    assert found.reasons == ("advice as columns",)
