"""The trading environments on the public face: the same, and a fault in the port is found and named."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.envs.state import EnvParams
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from parity import Pair, verify
from parity.harness.places import load_pair
from parity.pairs import trading_public
from parity.pairs.trading import World, trading_pair
from parity.pairs.trading_public import CODES, public_pair, short_world
from rltrader.parity import case as case_command

FEW: dict[str, Any] = {"transitions": 64, "resets": 50}
PHASE_1, PHASE_2 = (f"parity.pairs.trading_public:phase{number}" for number in (1, 2))


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it() -> Any:
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def params_of(place: str) -> EnvParams:
    config = EnvConfig.phase1() if place == PHASE_1 else EnvConfig.phase2()
    params: EnvParams = trading_pair([short_world()], config).port.params
    return params


def with_params(place: str, **changed: Any) -> Pair:
    """Return a pair whose port goes by other parameters than the rules say."""
    new = {name: jnp.asarray(value, jnp.int32) for name, value in changed.items()}
    port = trading_public.trading_port(params_of(place).replace(**new))  # type: ignore[attr-defined]
    return replace(load_pair(place), port=port)


@pytest.mark.costly
def test_a_floor_that_is_a_cent_off_is_found_and_called_logic() -> None:
    floor = int(params_of(PHASE_1).trailing_drawdown) + 1
    report = verify(with_params(PHASE_1, trailing_drawdown=floor), stop_early=True, **FEW)
    wrong = {one.name for one in report.fields if not one.passed}
    assert "trailing_dd_level" in wrong
    assert report.field("trailing_dd_level").verdict == "logic"
    assert {"obs.view", "obs.masks", "position"}.isdisjoint(wrong), str(report)


@pytest.mark.slow
@pytest.mark.parametrize("place", [PHASE_1, PHASE_2])
def test_both_phases_are_the_same_and_every_exit_is_seen(place: str) -> None:
    report = verify(load_pair(place), transitions=1_000, resets=300)
    assert report.passed, str(report)
    assert {one.verdict for one in report.fields} <= {"equal", "rounding"}
    asked = {one.question for one in report.answers if one.status == "same"}
    assert {"restart after an end", "final observation", "reset distribution"} <= asked


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "changed", "field"),
    [
        (PHASE_1, {"flat_by": 1}, "terminated"),
        (PHASE_1, {"max_episode_bars": 1}, "truncated"),
        (PHASE_1, {"hold_penalty": 1}, "reward"),
        (PHASE_1, {"contracts": 1}, "balance"),
        (PHASE_2, {"trail_win_bonus": 1}, "reward"),
        (PHASE_2, {"entry_close": -1}, "num_trades"),
    ],
)
def test_a_wrong_number_in_the_port_is_found_by_the_field_that_it_reaches(
    place: str, changed: dict[str, int], field: str
) -> None:
    before = params_of(place)
    new = {name: getattr(before, name) + by for name, by in changed.items()}
    report = verify(with_params(place, **new), transitions=1_000, resets=50, stop_early=True)
    assert report.field(field).verdict in ("logic", "contract"), str(report)


def test_the_short_world_is_made_again_by_the_options_that_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the command that shows one case."""
    made = list[World]()

    def stop(worlds: list[World], config: EnvConfig) -> None:
        made.extend(worlds)
        raise InterruptedError

    monkeypatch.setattr("parity.pairs.trading.trading_pair", stop)
    words = [*shlex.split(short_world().options), "--state", "{}", "--action", "0"]
    with pytest.raises(InterruptedError):
        case_command.main(words, standalone_mode=False)
    assert [one.bars.digest for one in made] == [short_world().bars.digest]


WORLD = World("ES, 2 days", synthetic_bars("ES", days=2, seed=3), "--synthetic 2")


@pytest.mark.parametrize("phase", [1, 2])
def test_a_public_pair_shows_every_exit_and_every_end(phase: int) -> None:
    config = (EnvConfig.phase1 if phase == 1 else EnvConfig.phase2)(max_episode_bars=30)
    one = public_pair(WORLD, config)
    assert one.name == f"trading environment, Phase {phase}, ES, 2 days"
    assert {name: rule.describe() for name, rule in one.rules.items()} == dict.fromkeys(
        ("obs", "reward"), "equal but for rounding within 4 ulps or 0"
    )
    shown = {"obs.exit_code": np.arange(5), "obs.done_reason": np.arange(5)[::-1]}
    seen = {name: np.flatnonzero(where({}, {}, shown)).tolist() for name, where in one.branches.items()}
    exits = ("none", "stop", "target", "late close", "drawdown")
    ends = ("running", "drawdown", "late close", "end of data", "bar limit")
    assert seen == {
        **{f"exit: {name}": [code] for code, name in enumerate(exits)},
        **{f"done: {name}": [4 - code] for code, name in enumerate(ends)},
    }
    assert one.draw is not None
    state, action = one.draw(np.random.default_rng(0), 300)
    assert {len(values) for values in state.values()} == {300} == {len(action)}
    assert ("trailing" in state) == (phase == 2)
    assert {name for name, values in state.items() if values.dtype != np.int32} <= {"trailing"}
    assert set(action) == set(range(-1, 4 if phase == 1 else 7))
    again: Any = one.draw(np.random.default_rng(0), 300)
    assert np.array_equal(again[1], action)
    side: Any = one.reference
    assert (side.sources, side.language) == ((f"legacy_torch.env_phase{phase}",), "Gymnasium")
    ((_, leaf),) = (side.spaces()["action"] or {}).items()
    assert int(leaf.high) == (2 if phase == 1 else 5)
    begun = side.reset(np.array([4, 9]))
    for name in CODES:
        assert not begun.obs[f"obs.{name}"].any()
    assert begun.obs["obs.violation"].dtype == begun.obs["obs.forbidden"].dtype == bool
    assert begun.obs["obs.view"].shape[0] == 2
    assert begun.state["step_idx"][0] != begun.state["step_idx"][1]


@pytest.mark.costly
def test_both_sides_step_alike_and_a_restart_shows_its_first_moment_and_the_last() -> None:
    one = public_pair(WORLD, EnvConfig.phase2(max_episode_bars=30))
    assert one.draw is not None
    state, action = one.draw(np.random.default_rng(5), 300)
    seeds = np.arange(300)
    a, b = (side.transition(state, {"action": action}, seeds) for side in (one.reference, one.port))
    assert set(a.fields) == set(b.fields)
    for name, value in a.fields.items():
        if name in ("obs.view", "reward"):
            np.testing.assert_allclose(b.fields[name], value, rtol=1e-6, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(b.fields[name], value, err_msg=name)
    over = a.ended
    assert 50 < over.sum() < 250
    assert b.restart is not None
    for name in ("view", "masks", *CODES):
        final = b.restart.obs[f"final obs.{name}"]
        np.testing.assert_array_equal(final[over], b.obs[f"obs.{name}"][over], err_msg=name)
        np.testing.assert_array_equal(
            b.restart.obs[f"obs.{name}"][~over], b.obs[f"obs.{name}"][~over], err_msg=name
        )
    for name in CODES:
        assert not b.restart.obs[f"obs.{name}"][over].any()
        assert b.obs[f"obs.{name}"][over].any()
    assert not b.restart.state["position"][over].any()
    assert (b.restart.state["step_idx"] == b.restart.state["episode_start"])[over].all()
    begun = one.port.reset(seeds)
    assert len(set(begun.state["step_idx"].tolist())) > 50
    assert {name: value.dtype for name, value in begun.obs.items()} == {
        name: value.dtype for name, value in b.obs.items()
    }
    for name in CODES:
        assert not begun.obs[f"obs.{name}"].any()
