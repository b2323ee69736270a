"""Ranges of a certificate: a training outside them is seen to be outside, whatever is new about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jax_port.data.data_loader import prepare
from jax_port.ppo.settings import TrainSettings
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, get_contract
from parity.gate.covered import Missing, covered_by, missing
from parity.learner.structures import aspects_of, merged
from parity.learner.suite import cases_of_forms
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


def test_anything_at_all_that_is_missing_is_something() -> None:
    assert not Missing()
    assert Missing((0,))
    assert Missing(learner=("activation: tanh",))
    assert Missing(advice="prior")


def test_every_market_that_is_new_is_named_by_its_number(certificate: dict[str, Any]) -> None:
    """With the costs of its own contract; one that was compared is left out wherever it stands."""
    contract = get_contract("ES")
    markets = [prepare(bars, CONFIG) for bars in DATA.bars()]
    dear = replace(markets[0], contract=contract.with_costs(commission_cents=999))
    other = replace(markets[0], digest="0" * 64)
    found = missing(certificate, [dear, markets[0], other, dear, markets[0]], CONFIG, SETTINGS)
    assert found.markets == (0, 2, 3)
    assert missing(certificate, [markets[0], dear], CONFIG, SETTINGS).markets == (1,)


@pytest.mark.parametrize("aspect", sorted(set(aspects_of(SETTINGS)) - {"precision"}))
def test_each_aspect_of_a_learner_has_to_have_been_compared(
    certificate: dict[str, Any], aspect: str
) -> None:
    """As it is; an aspect that the certificate does not know was not compared."""
    value = aspects_of(SETTINGS)[aspect]
    (form,) = certificate["covered"]["learner"].keys() & {"cpu"}
    own = certificate["covered"]["learner"][form]
    without = {name: values for name, values in own.items() if name != aspect}
    other = {**own, aspect: [one for one in [*own[aspect], "another"] if one != value]}
    for learner in ({form: other}, {form: without}, {form: without, "gpu": own}):
        covered = {**certificate["covered"], "learner": learner}
        found = missing({**certificate, "covered": covered}, [], CONFIG, SETTINGS)
        assert found.learner == (f"{aspect}: {value}",)
        assert found.reasons == (f"learner: {aspect}: {value}",)
    for learner in ({}, {"gpu": own}):
        covered = {**certificate["covered"], "learner": learner}
        found = missing({**certificate, "covered": covered}, [], CONFIG, SETTINGS)
        assert len(found.learner) == len(aspects_of(SETTINGS)) - 1


def test_on_another_kind_of_device_no_aspect_counts(certificate: dict[str, Any]) -> None:
    elsewhere = {**certificate, "made": {**certificate["made"], "platform": "gpu"}}
    found = missing(elsewhere, [], CONFIG, SETTINGS)
    assert len(found.learner) == len(aspects_of(SETTINGS)) - 1


def test_a_run_covers_what_its_worlds_and_its_seeds_had() -> None:
    worlds = worlds_of(DATA, CONFIG)
    wider = replace(CONFIG, max_episode_bars=90)
    worlds += [{**worlds[0], "contract": "NQ", "key": "another", "config": wider.to_dict()}]
    covered = covered_by(worlds, [0, 1], learner=True)
    assert covered["symbols"] == ["ES", "NQ"]
    assert covered["markets"] == sorted(["another", worlds[0]["key"]])
    lengths = covered["configuration"]["max_episode_bars"]
    assert lengths == {"values": [30, 90], "least": 30, "largest": 90}
    assert covered["configuration"]["session"] == {"values": [CONFIG.session]}
    seeds = [cases_of_forms(seed) for seed in (0, 1)]
    assert covered["learner"] == {
        form: merged(aspects_of(case.settings) for one in seeds for case in one[form])
        for form in seeds[0]
    }
    assert covered_by(worlds, [0, 1], learner=False)["learner"] == {}
    assert covered_by(worlds, [], learner=True)["learner"] == {}
