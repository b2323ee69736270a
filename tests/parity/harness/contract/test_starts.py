"""How episodes begin: states and observations, and that the seed is heeded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.contract.starts import ask_resets
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from tests.parity.harness.sides import tiny


def asked(change: Any) -> Answer:
    """Ask of a port whose reset is followed by a change."""

    class Other(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            return change(self)

    one = tiny.pair(tiny.side(make=Other))
    judge = Judge(one, make.visited(one, 16, 0))
    (answer,), _ = ask_resets(judge, 400, 0)
    return answer


def honest(one: Any) -> Any:
    return one.seen()


def other_state(one: Any) -> Any:
    one.levels[1] = one.levels[1] * 0.9
    return one.seen()


def other_view(one: Any) -> Any:
    return {**one.seen(), "near": one.levels * [1.0, 0.9]}


def other_count(one: Any) -> Any:
    return {**one.seen(), "count": one.count + int(one.levels[1] > 1.7)}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (honest, set()),
        (other_state, {"levels[1]", "obs.near[1]"}),
        (other_view, {"obs.near[1]"}),
        (other_count, {"obs.count"}),
    ],
)
def test_a_start_that_is_another_in_any_field_is_found(change: Any, names: set[str]) -> None:
    answer = asked(change)
    assert answer.status == ("different" if names else "same"), answer.text
    assert all(f"{name}: " in answer.text for name in names)
    assert "on 400 and 400 draws" in answer.text


def test_a_port_that_begins_the_same_whatever_the_seed_is_found() -> None:
    one = tiny.pair()
    judge = Judge(one, make.visited(one, 16, 0))
    given = one.port.reset

    def reset(numbers: Any, double: bool = False) -> Any:
        return given(range(len(numbers)), double)  # type: ignore[arg-type]

    one.port.reset = reset  # type: ignore[method-assign]
    (answer,), _ = ask_resets(judge, 400, 0)
    assert answer.status == "different"
    assert "ignores its seed" in answer.text


@pytest.mark.parametrize("deaf", [False, True])
def test_a_level_that_is_never_a_number_does_not_hide_that_the_seed_is_not_heeded(deaf: bool) -> None:
    class Gone(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            self.levels[0] = np.nan
            return self.seen()

    one = tiny.pair(tiny.side(make=Gone), reference=tiny.side(make=Gone))
    judge = Judge(one, make.visited(one, 16, 0))
    given = one.port.reset
    if deaf:
        one.port.reset = lambda numbers, double=False: given(np.arange(len(numbers)), double)  # type: ignore[method-assign]
    (answer,), _ = ask_resets(judge, 400, 0)
    assert answer.status == ("different" if deaf else "same"), answer.text
    assert ("ignores its seed" in answer.text) == deaf


def test_a_port_whose_starts_are_all_alike_ignores_no_seed_where_the_reference_does_too() -> None:
    class Still(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(0)
            self.levels[0] = np.nan
            return self.seen()

    for reference, status in ((Still, "same"), (tiny.Tiny, "different")):
        one = tiny.pair(tiny.side(make=Still), reference=tiny.side(make=reference))
        (answer,), _ = ask_resets(Judge(one, make.visited(one, 16, 0)), 400, 0)
        assert answer.status == status, answer.text
        assert "ignores its seed" not in answer.text


@pytest.mark.parametrize("ignored", [False, True])
def test_a_port_that_ignores_its_seed_is_found_though_a_field_holds_no_number(ignored: bool) -> None:
    class Unset(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            self.levels = np.array([np.nan, self.levels[1]])
            return self.seen()

    one = tiny.pair(tiny.side(make=Unset), reference=tiny.side(make=Unset))
    judge = Judge(one, make.visited(one, 16, 0))
    given = one.port.reset
    if ignored:
        one.port.reset = lambda seeds, double=False: given(np.arange(len(seeds)), double)  # type: ignore[method-assign]
    (answer,), _ = ask_resets(judge, 400, 0)
    assert answer.status == ("different" if ignored else "same"), answer.text
    assert ("ignores its seed" in answer.text) == ignored


@pytest.mark.parametrize("gap", [1.5, np.nan])
def test_a_port_with_one_start_alone_is_told_by_its_fields_and_not_by_its_seeds(gap: float) -> None:
    class Same(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(0)
            self.levels = np.array([gap, 2.0])
            return self.seen()

    one = tiny.pair(tiny.side(make=Same))
    (answer,), _ = ask_resets(Judge(one, make.visited(one, 16, 0)), 400, 0)
    assert answer.status == "different"
    assert "ignores its seed" not in answer.text
    assert answer.text.startswith("levels[0]: ")
