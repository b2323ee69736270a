"""What a port hands out where it restarts by itself: every field of every end, in every set."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.compare import LOGIC
from parity.harness.contract.restarts import (
    ENDS,
    FORM_ULPS,
    _begun,
    _ends,
    _in_the_next_step,
    _kept_where_none_ended,
    _last,
    _last_of_one_step,
    _parted,
)
from parity.harness.judge import Arm, Evidence
from parity.harness.sides.side import Moments, Steps
from tests.parity.harness.contract.test_ends import judged, set_ends

COUNT = 60
ENDED = np.arange(COUNT) % 5 == 2


def part(dtype: Any) -> Evidence:
    """Return cases of a port whose restarting step is the step that does not, but where one ended."""
    number = np.arange(COUNT)
    state = {"x": (number + 0.5).astype(dtype), "n": number}
    obs = {"obs": np.stack([number * 2.0, -number], axis=1).astype(dtype)}
    outcome = {"reward": (number / 8).astype(dtype), "terminated": ENDED & (number < 30)}
    outcome["truncated"] = ENDED & (number >= 30)
    fresh = {
        name: np.where(ENDED.reshape(-1, *(1,) * (value.ndim - 1)), 0, value).astype(value.dtype)
        for name, value in {**state, **obs}.items()
    }
    shown = {"obs": fresh["obs"]} | {f"final {n}": v.copy() for n, v in {**outcome, **obs}.items()}
    restart = Moments({"x": fresh["x"], "n": fresh["n"]}, shown)
    steps = Steps(state, obs, outcome, np.ones(COUNT, bool), restart)
    source = np.full(COUNT, "visited")
    cases = make.Cases(state, {"action": number}, source)
    return Evidence(cases, Arm(state, steps, steps), None, {})


def restart_of(one: Evidence) -> Moments:
    assert one.native.port.restart is not None
    return one.native.port.restart


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("which", range(3))
def test_one_field_of_one_case_that_is_another_in_the_step_that_restarts(
    which: int, dtype: Any
) -> None:
    def asked(name: str, row: int, column: Any = ...) -> str:
        evidence = [part(dtype) for _ in range(3)]
        shown = restart_of(evidence[which])
        fields = shown.state if name in shown.state else shown.obs
        fields[name][row, column] += 1
        return _kept_where_none_ended(evidence).status

    assert _kept_where_none_ended([part(dtype)] * 3).status == "same"
    for row in (0, 31, COUNT - 1):
        assert not ENDED[row]
        for name in ("x", "n"):
            assert asked(name, row) == "different", (name, row)
        assert asked("obs", row, 1) == "different"
    for row in (2, 57):
        assert asked("x", row) == asked("obs", row, 0) == "same"  # there another episode has begun
    for row in (0, 2, 57, COUNT - 1):
        assert asked("final reward", row) == "different"


@pytest.mark.parametrize("flag", ["terminated", "truncated"])
def test_ends_that_are_others_in_the_step_that_restarts(flag: str) -> None:
    for many, status in ((2, "same"), (4, "different")):  # rounding may flip few of them
        one = part(np.float64)
        restart_of(one).obs[f"final {flag}"][:many] ^= True
        assert _kept_where_none_ended([part(np.float64), one]).status == status


@pytest.mark.parametrize("which", range(3))
def test_the_last_observation_is_handed_out_at_every_end(which: int) -> None:
    for row in range(0, COUNT, 7):
        for column in range(2):
            evidence = [part(np.float64) for _ in range(3)]
            restart_of(evidence[which]).obs["final obs"][row, column] += 1e-6
            assert _last(evidence).status == ("different" if ENDED[row] else "same"), row
    evidence = [part(np.float64) for _ in range(3)]
    assert _last(evidence).text == f"handed out as it was at {3 * ENDED.sum()} ends"
    del restart_of(evidence[which]).obs["final obs"]
    assert _last(evidence).status == "note"


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_two_forms_part_by_one_number_that_is_off_by_more_than_rounding(dtype: Any) -> None:
    one = part(np.float32)
    values = np.full((COUNT, 2), 100).astype(dtype)
    one.native.port.obs["obs"] = values
    assert not _parted(one.native, "obs", values, values.copy())
    for sign in (1, -1):
        for far in (0.9, 1.1):
            other = values.copy()
            if dtype is np.int64:
                other[7, 1] += sign
            elif dtype is np.float32:
                other[7, 1] += sign * far * FORM_ULPS * np.spacing(dtype(100))
            else:
                other[7, 1] += sign * far * 100 * (2.0**-36 + 1e-13)
            assert _parted(one.native, "obs", values, other) is (far > 1 or dtype is np.int64)


def next_step(change: Callable[[Steps], None]) -> Any:
    rng = np.random.default_rng(0)
    flags = np.zeros(COUNT, bool)
    state = {"x": rng.random(COUNT)}
    outcome = {"reward": np.zeros(COUNT), "terminated": flags.copy(), "truncated": flags.copy()}
    played = Steps(state, {"obs": state["x"]}, outcome, ~flags)
    change(played)
    resets = Moments(
        {"x": np.random.default_rng(1).random(500)}, {"obs": np.random.default_rng(1).random(500)}
    )
    port: Any = SimpleNamespace(can_write=False)
    judge: Any = SimpleNamespace(pair=SimpleNamespace(port=port))
    cases: Any = part(np.float64)
    return _in_the_next_step(judge, port, [cases], resets, played)


FAULTS: dict[str, tuple[Callable[[Steps], None], str]] = {
    "a reward": (lambda steps: steps.outcome["reward"].__setitem__(9, 0.5), "gives a reward of 0.5"),
    "a cost": (lambda steps: steps.outcome["reward"].__setitem__(9, -0.5), "gives a reward of -0.5"),
    "no number": (
        lambda steps: steps.outcome["reward"].__setitem__(9, np.nan),
        "gives a reward of nan",
    ),
    "an end": (
        lambda steps: steps.outcome["truncated"].__setitem__(9, True),
        "ends it in 1 of 60 cases",
    ),
    "another start": (lambda steps: steps.state["x"].__imul__(0.5), "x: from "),
    "another view": (lambda steps: steps.obs.update(obs=steps.obs["obs"] + 1), "obs: from "),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_step_that_begins_another_episode_does_just_that(name: str) -> None:
    assert next_step(lambda steps: None).status == "same"
    change, words = FAULTS[name]
    answer = next_step(change)
    assert answer.status == "different", answer.text
    assert words in answer.text


@pytest.mark.parametrize("changed", ["terminated", "truncated"])
def test_starts_after_ends_of_either_kind_are_held_to_resets(changed: str) -> None:
    """A port that begins wrongly after one kind of end, and rightly after the other."""
    rng = np.random.default_rng(0)
    steps = part(np.float64).native.port
    resets = Moments({"x": rng.random(4000)}, {})
    judge: Any = SimpleNamespace(random=frozenset(), skipped={}, pair=SimpleNamespace(rules={}))
    played = []
    for _ in range(40):
        ends, restart = steps.ended, Moments({"x": rng.random(COUNT)}, {"final obs": np.ones(COUNT)})
        assert ends.sum() == steps.outcome["terminated"].sum() + steps.outcome["truncated"].sum() == 12
        played.append(Steps(steps.state, steps.obs, steps.outcome, steps.final, restart))
    answer = _begun(judge, played, resets)
    assert answer.status == "same", answer.text
    assert "480" in answer.text
    for one in played:
        assert one.restart is not None
        one.restart.state["x"][one.outcome[changed]] += 1
    assert _begun(judge, played, resets).status == "different"


def test_what_no_case_shows_is_not_asked() -> None:
    evidence = [part(np.float64) for _ in range(3)]
    for one, going in zip(evidence, (True, False, False), strict=True):
        for name in ("terminated", "truncated"):
            ends = np.full(COUNT, name == "terminated") & (not going)
            one.native.port.outcome[name] = ends
            restart_of(one).obs[f"final {name}"] = ends
    ends, on = evidence[1:], evidence[:1]
    assert _kept_where_none_ended(ends).status == "not asked"
    assert _last(ends).text == f"handed out as it was at {2 * COUNT} ends"
    assert _kept_where_none_ended(on).status == "different"  # its restart was made for other ends
    assert (_last(on).status, _last(on).text) == ("not asked", "no episode of the port ended")
    ended = [one.native.port for one in evidence]
    for one in ended:
        one.final_obs = ~one.ended
    texts = [(_last_of_one_step(some).status, _last_of_one_step(some).text) for some in (on, ends)]
    hidden = "the port restarts within the step and does not hand out the final observation"
    assert texts == [("not asked", "no episode of the port ended"), ("note", hidden)]
    for one in ended[1:]:
        one.final_obs = np.ones(COUNT, bool)
    assert _last_of_one_step(evidence).text == f"handed out as it was at {2 * COUNT} ends"


@pytest.mark.parametrize("name", ["obs.near", "obs.count"])
def test_a_last_observation_that_is_another_at_ends_alone_is_counted_over_every_set(name: str) -> None:
    evidence = judged()
    for one in evidence:
        set_ends(one, {"terminated": [1, 7, 9]}, {"terminated": [1, 7, 9]})
    assert _last_of_one_step(evidence).text == "handed out as it was at 9 ends"
    evidence[0].labels[name].labels[[1, 9]] = evidence[2].labels[name].labels[7] = LOGIC
    answer = _last_of_one_step(evidence)
    assert answer.status == "different"
    assert answer.text == f"the final {name} handed out is not the last one in 3 of 9 ends"
    evidence[1].labels[name].labels[20] = LOGIC  # wrong elsewhere too, it is told of as a field
    assert _last_of_one_step(evidence).status == "same"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_larger_numbers_before_the_step_left_may_be_off_by_what_those_round(dtype: Any) -> None:
    one = part(dtype)
    before, after = np.full(COUNT, 1000).astype(dtype), np.full(COUNT, 1).astype(dtype)
    unit = FORM_ULPS * np.spacing(dtype(1000)) if dtype is np.float32 else 1e-13 * 1000 + 2.0**-36
    one.native.port.state["x"] = after
    for size, far, parted in ((before, 0.9, False), (before, 1.1, True), (after, 0.9, True)):
        one.native.state = {"x": size}
        other = after.copy()
        other[COUNT - 1] += dtype(far * unit)
        if dtype is np.float64 and size is after:
            other[COUNT - 1] = after[0] + 1.5e-11  # beyond what the number itself rounds
        assert _parted(one.native, "x", after, other) is parted


@pytest.mark.parametrize("flag", ["terminated", "truncated"])
def test_ends_about_a_boundary_may_be_others_in_the_step_that_restarts(flag: str) -> None:
    for source, status in (("boundary", "same"), ("drawn", "different"), ("visited", "different")):
        one = part(np.float64)
        restart_of(one).obs[f"final {flag}"][:8] ^= True
        one.cases.source = np.full(COUNT, source)
        assert _kept_where_none_ended([part(np.float64), one]).status == status


def test_ends_of_every_set_of_cases_are_looked_at_up_to_so_many() -> None:
    evidence = [part(np.float64) for _ in range(40)]
    count, state, action = _ends(evidence[:3])
    rows = np.flatnonzero(ENDED)
    assert count == 3 * len(rows) == 36
    assert action["action"].tolist() == [*rows] * 3
    assert state["x"].tolist() == [*(rows + 0.5)] * 3
    count, state, action = _ends(evidence)
    assert count == ENDS == len(action["action"]) == len(state["n"]) == 400
