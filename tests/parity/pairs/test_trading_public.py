"""The trading environments on the public face: the same, and a fault in the port is found and named."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_port.envs.state import EnvParams
from markets import EnvConfig
from parity import Pair, verify
from parity.harness.places import load_pair
from parity.pairs import trading_public
from parity.pairs.trading import World, trading_pair
from parity.pairs.trading_public import short_world
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
