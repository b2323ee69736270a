"""Ranges of a certificate: a training outside them is seen to be outside, whatever is new about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import pytest

from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.envs.form import default_form
from jax_port.ppo.settings import TrainSettings
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from parity.gate import covered
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


@pytest.mark.parametrize("form", ["gpu", "cpu"])
def test_what_another_form_of_the_program_was_compared_on_does_not_count(
    certificate: dict[str, Any], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(covered, "default_form", lambda: form)
    own = certificate["covered"]["learner"]["cpu"]
    given = {**certificate["covered"], "learner": {"cpu": own}}
    found = missing({**certificate, "covered": given}, [], CONFIG, SETTINGS)
    assert len(found.learner) == (0 if form == "cpu" else len(aspects_of(SETTINGS)) - 1)


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


def world(symbol: str, number: int, config: EnvConfig = CONFIG) -> dict[str, Any]:
    return {"contract": symbol, "key": f"key {number}", "config": config.to_dict()}


def of_worlds(*worlds: dict[str, Any]) -> dict[str, Any]:
    """Return as much of a certificate as says what was covered, of all learners' aspects."""
    covered = covered_by(worlds, [], learner=False)
    form = {name: [value] for name, value in aspects_of(SETTINGS).items()}
    here = {"platform": jax.default_backend()}
    return {"covered": {**covered, "learner": {default_form(): form}}, "made": here}


@pytest.fixture(scope="module")
def markets() -> list[PreparedMarket]:
    """Return three markets of unequal contracts, in no order of their names."""
    symbols = ("RTY", "ES", "MNQ")
    return [prepare(synthetic_bars(one, days=2, seed=n), CONFIG) for n, one in enumerate(symbols)]


NEW: dict[str, Any] = {
    "window_size": 7,
    "sl_atr_mult": 0.9,
    "flat_by_minute": 1000,
    "contracts": 3,
    "hold_penalty": -0.02,
    "violation_penalty": -7.5,
}
"""Settings that were not covered, in the order of a configuration's fields."""


@pytest.mark.parametrize(
    ("count", "symbols", "words"),
    [
        (0, ("ES",), "contract MNQ, contract RTY"),
        (0, (), "contract ES, contract MNQ, contract RTY"),
        (1, ("ES", "MNQ", "RTY"), "window_size"),
        (4, ("ES", "MNQ", "RTY"), "window_size, sl_atr_mult, flat_by_minute, contracts"),
        (5, ("ES", "MNQ", "RTY"), "window_size, sl_atr_mult, flat_by_minute, contracts and 1 more"),
        (6, ("ES", "MNQ", "RTY"), "window_size, sl_atr_mult, flat_by_minute, contracts and 2 more"),
        (1, (), "contract ES, contract MNQ, contract RTY, window_size"),
        (6, ("ES",), "contract MNQ, contract RTY, window_size, sl_atr_mult and 4 more"),
        (0, ("ES", "MNQ", "RTY", "NQ"), "these bars under these settings"),
    ],
)
def test_four_of_what_is_new_are_named_and_the_rest_is_counted(
    markets: list[PreparedMarket], count: int, symbols: tuple[str, ...], words: str
) -> None:
    changes = dict(list(NEW.items())[:count])
    certificate = of_worlds(*(world(one, n) for n, one in enumerate(("GC", *symbols))))
    found = missing(certificate, markets, CONFIG.override(**changes), SETTINGS)
    assert found == Missing((0, 1, 2), (), (words,), "")


@pytest.mark.parametrize(
    ("known", "words"), [(0, "contract ES, contract MNQ"), (2, "contract ES, contract RTY")]
)
def test_a_contract_is_new_only_where_its_own_market_was_not_compared(
    markets: list[PreparedMarket], known: int, words: str
) -> None:
    own = {**world("GC", 1), "key": market_key(markets[known].digest, markets[known].contract)}
    found = missing(of_worlds(own), markets, CONFIG, SETTINGS, "prior")
    left = tuple(number for number in range(3) if number != known)
    assert found == Missing(left, (), (words, "advice as prior"), "prior")


def test_a_setting_is_covered_at_the_very_values_that_were_seen() -> None:
    """The last of several is; one between them, or beyond, is not."""
    seen = (9, 2, 30, 4)
    certificate = of_worlds(
        *(world("ES", n, CONFIG.override(contracts=one)) for n, one in enumerate(seen))
    )
    contracts = certificate["covered"]["configuration"]["contracts"]
    assert contracts == {"values": [2, 30, 4, 9], "least": 2, "largest": 30}
    assert certificate["covered"]["markets"] == ["key 0", "key 1", "key 2", "key 3"]
    assert certificate["covered"]["symbols"] == ["ES"]
    assert certificate["covered"]["precision"] == ["float32"]
    bars = synthetic_bars("ES", days=2, seed=5)
    for value in (*seen, 1, 3, 31):
        config = CONFIG.override(contracts=value)
        found = missing(certificate, [prepare(bars, config)], config, SETTINGS)
        words = "these bars under these settings" if value in seen else "contracts"
        assert found == Missing((0,), (), (words,))


def test_two_reasons_and_more_are_each_told_in_turn(markets: list[PreparedMarket]) -> None:
    elsewhere = {**of_worlds(world("ES", 0)), "made": {"platform": "tpu"}}
    found = missing(elsewhere, markets[1:2], CONFIG, SETTINGS, "columns")
    aspects = tuple(f"{n}: {v}" for n, v in aspects_of(SETTINGS).items() if n != "precision")
    assert found == Missing(
        (0,),
        aspects,
        (
            f"made on tpu, trained on {jax.default_backend()}",
            "these bars under these settings",
            f"learner: {', '.join(aspects)}",
            "advice as columns",
        ),
        "columns",
    )
