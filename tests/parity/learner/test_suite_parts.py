"""What a run of the learner's cases consists of, and which seeds of a case are passed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.engine.verify import CheckResult, Mismatch
from parity.learner import port, reference, rounding, suite
from parity.learner.cases import LearnerCase, learner_cases
from parity.learner.late import Late
from parity.learner.led import AstrayError
from parity.learner.port import Draws, PortRun
from parity.learner.structures import merged
from parity.learner.suite import (
    LearnerRun,
    cases_of_forms,
    check_cases,
    check_drawn,
    check_learner,
    learner_parts,
)

CPU = ["clipping", "target_kl", "quiet", "wide", "drawn 1", "drawn 2"]
GPU = ["clipping (gpu)", "target_kl (gpu)", "wide (gpu)", "drawn 3 (gpu)", "drawn 4 (gpu)"]


def test_each_form_has_its_cases_and_all_but_two_stand_alone() -> None:
    forms = cases_of_forms(3)
    assert {form: [case.name for case in cases] for form, cases in forms.items()} == {
        "cpu": CPU,
        "gpu": GPU,
    }
    assert learner_parts(3) == [
        *[("cpu", 0, 2), ("cpu", 2, 3), ("cpu", 3, 4), ("cpu", 4, 5), ("cpu", 5, 6)],
        *[("gpu", 0, 2), ("gpu", 2, 3), ("gpu", 3, 4), ("gpu", 4, 5)],
    ]


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what is checked, case by case, in the place of driving anything."""

    def driven(case: LearnerCase, form: str) -> Any:
        own = replace(case, settings=case.settings.override(seed=case.settings.seed + 100))
        tables = [{"gradient steps": np.asarray(steps)} for steps in (4, 7)]
        run = SimpleNamespace(
            case=own,
            form=form,
            weights=f"weights of {case.name}",
            updates=tables,
            port=SimpleNamespace(updates=f"port of {case.name}"),
            coverage=Counter({f"of {case.name}": 3}),
            decisions=f"decisions of {case.name}",
        )
        if case.name.startswith("target_kl") and case.settings.seed == 9:
            raise AstrayError("no way")
        if case.name.startswith("clipping") and case.settings.seed == 8:
            raise ArithmeticError("on rounding")
        return run

    def judged(check: str) -> Callable[..., CheckResult]:
        def judge(case: LearnerCase, *given: Any) -> CheckResult:
            assert case.settings.seed > 100
            told = [repr(one) if isinstance(one, str) else type(one).__name__ for one in given]
            return CheckResult(f"{check} {' '.join(told)}", case.name, 0)

        return judge

    monkeypatch.setattr(suite, "LearnerRun", driven)
    for name in ("judge_updates", "check_drawn", "check_definition", "check_decisions"):
        monkeypatch.setattr(suite, name, judged(name))
    monkeypatch.setattr(
        suite,
        "check_trainer",
        lambda runs: [CheckResult(f"trainer {run.form}", run.case.name, 0) for run in runs],
    )
    return []


def told(results: Any) -> list[tuple[str, str]]:
    return [(one.check.split()[0], one.world) for one in results]


@pytest.mark.usefixtures("noted")
def test_a_run_yields_every_case_s_results_and_the_first_two_s_together() -> None:
    own = ("judge_updates", "check_drawn", "check_definition")
    found = list(check_cases("cpu", 0, 2, 7))
    assert told(found) == [
        *[(check, "clipping") for check in own],
        *[(check, "target_kl") for check in own],
        ("check_decisions", "clipping"),
        ("trainer", "clipping"),
        ("trainer", "target_kl"),
    ]
    assert found[6].check == "check_decisions 'decisions of clipping'"
    assert found[0].check == "judge_updates list 'port of clipping'"
    assert found[2].check == "check_definition 'weights of clipping' SimpleNamespace"
    assert found[7].check == "trainer cpu"
    assert found[0].notes == {"updates": 2, "gradient_steps": 11, "seed": 107}
    assert found[3].coverage == {"of target_kl": 3}
    assert told(check_cases("cpu", 4, 5, 7)) == [(check, "drawn 1") for check in own]
    two = told(check_cases("cpu", 2, 4, 7))  # not the first, so not side by side
    assert two == [(check, name) for name in ("quiet", "wide") for check in own]
    assert told(check_cases("gpu", 0, 2, 7))[6:] == [
        ("trainer", "clipping (gpu)"),
        ("trainer", "target_kl (gpu)"),
    ]
    every = told(check_learner(7))
    assert len(every) == suite.count_checks() == 3 * 11 + 1 + 4
    names = list(dict.fromkeys(name for _, name in every))
    assert names == [*CPU, *GPU]


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize(("seed", "error", "at"), [(9, "no way", 1), (8, "on rounding", 0)])
def test_a_case_that_cannot_be_driven_is_one_failed_result(seed: int, error: str, at: int) -> None:
    found = list(check_cases("cpu", 0, 2, seed))
    wrong = [one for one in found if one.error]
    assert [(one.check, one.world, one.error) for one in wrong] == [("learner", CPU[at], error)]
    assert not wrong[0].passed
    assert len(found) == 1 + 3  # nothing is trained together of one alone


Tried = tuple[float, dict[str, int], float]
"""The margin, what was shown, and the share of a limit that rounding moves."""


def driven(
    monkeypatch: pytest.MonkeyPatch, case: LearnerCase, tried: dict[int, Tried]
) -> tuple[LearnerRun, list[Any]]:
    """Drive a case whose reference comes to what is told of each seed; what it began with is noted."""
    begun: list[Any] = []

    class Made:
        def __init__(self, case: LearnerCase) -> None:
            self.seed = case.settings.seed
            self.weights = {"w": np.asarray(self.seed)}

        def begin_late(self, state: Any, adam_steps: int) -> None:
            begun.append((self.seed, state, adam_steps))

        def learn(self, draws: Any) -> Any:
            assert draws == f"draws {self.seed}"
            margin, shown, _ = tried[self.seed]
            return SimpleNamespace(margin=margin, coverage=Counter(shown), updates=[self.seed])

        def decide(self, logits: Any, masks: Any) -> Any:
            return (self.seed, len(logits), len(masks))

    monkeypatch.setattr(reference, "Reference", Made)
    monkeypatch.setattr(suite, "make_params", lambda case: "params")
    monkeypatch.setattr(suite, "state_of_late", lambda *given: ("state", *given[1:]))
    monkeypatch.setattr(suite, "coverage_of", lambda case, updates, seen: (updates, seen))

    def run_port(case: LearnerCase, weights: Any, params: str, form: str) -> Any:
        assert (int(weights["w"]), params) == (case.settings.seed, "params")
        return SimpleNamespace(draws=f"draws {case.settings.seed}", form=form)

    monkeypatch.setattr(suite, "run_port", run_port)
    shares = lambda case, begin, done, draws: tried[case.settings.seed][2]  # noqa: E731
    monkeypatch.setattr(rounding, "rounding_share", shares)
    return LearnerRun(case, "gpu"), begun


def test_the_first_seed_that_says_something_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """None on the edge of a decision, none that does not show all, and none that rounding moves."""
    case = replace(learner_cases(5)[0], must_show=("one", "two"))
    both = {"one": 1, "two": 2}
    what: list[Tried] = [
        (0.99, both, 0.0),
        (1.0, {"one": 5}, 0.0),
        (1.0, {"two": 5}, 0.0),
        (2.0, both, 1.01 * rounding.STEADY),
        (2.0, both, float("nan")),
        (1.0, both, rounding.STEADY),
        (9.0, both, 0.0),
    ]
    seeds = suite.seeds_to_try(5)[: len(what)]
    run, begun = driven(monkeypatch, case, dict(zip(seeds, what, strict=True)))
    assert run.case == replace(case, settings=case.settings.override(seed=seeds[5]))
    assert (run.form, run.port.form, run.updates) == ("gpu", "gpu", [seeds[5]])
    assert run.coverage == ([seeds[5]], Counter(both))
    assert run.weights == {"w": seeds[5]}
    count = len(suite.decision_cases(case)[0])
    assert tuple(run.decisions) == (seeds[5], count, count)
    assert begun == []


def test_a_late_case_begins_late_with_its_own_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late(500, 10_000, seed=4)
    case = replace(learner_cases(5)[0], late=late)
    run, begun = driven(monkeypatch, case, {5: (1.0, {}, 0.0)})
    assert begun == [(5, ("state", late, {"w": 5}, "params"), 10_000)]
    assert run.case == case


def test_as_many_seeds_are_tried_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: Tried = (0.5, {}, 0.0)
    *seeds, last = suite.seeds_to_try(5)
    assert len(seeds) == suite.TRIES - 1
    tried = dict.fromkeys(seeds, nothing)
    run, _ = driven(monkeypatch, learner_cases(5)[0], {**tried, last: (1.0, {}, 0.0)})
    assert run.case.settings.seed == last
    with pytest.raises(ArithmeticError, match=f"^clipping: {suite.TRIES} seeds in a row hang on"):
        driven(monkeypatch, learner_cases(5)[0], {**tried, last: nothing})


def test_values_of_aspects_are_merged_and_sorted() -> None:
    some = [{"b": "two", "a": "on"}, {"b": "one", "a": "on"}, {"b": "two", "c": "x"}]
    assert list(merged(some).items()) == [("a", ["on"]), ("b", ["one", "two"]), ("c", ["x"])]
    assert merged([]) == {}


def test_rates_and_clip_ranges_fall_from_where_a_case_begins() -> None:
    """By a share of all transitions an update; late ones begin as far down as they are late."""
    case = learner_cases()[0]
    settings = case.settings
    for late, first in ((None, 0), (Late(2, 50), 2)):
        begun = replace(case, late=late)
        for number in range(3):
            left = 1 - (first + number + 1) * settings.rollout_size / settings.total_timesteps
            hyper = port.hyper_at(begun, number)
            assert float(hyper.learning_rate) == pytest.approx(settings.learning_rate * left, rel=1e-6)
            assert float(hyper.gamma) == pytest.approx(settings.gamma)
    still = replace(case, settings=settings.override(anneal=False))
    assert float(port.hyper_at(still, 2).learning_rate) == pytest.approx(settings.learning_rate)


def drawn(
    orders: Any, masks: Any = None, groups: int = 1, actions: Any = None
) -> tuple[LearnerCase, PortRun]:
    """Return two updates of three steps of two environments, with three actions equally likely."""
    settings = learner_cases()[0].settings.override(
        n_envs=2, n_steps=3, batch_size=2, n_epochs=2, order_groups=groups
    )
    taken = (
        np.array([[[0, 1], [2, 0], [1, 2]], [[1, 2], [0, 1], [2, 0]]]) if actions is None else actions
    )
    allowed = np.ones((2, 3, 2, 3), bool) if masks is None else masks
    updates = [
        {
            "actions": taken[number].astype(np.int8),
            "masks": allowed[number],
            "probabilities": np.full((3, 2, 3), 1 / 3, np.float32),
        }
        for number in range(2)
    ]
    case = replace(learner_cases()[0], settings=settings)
    return case, PortRun(updates, Draws(taken, np.zeros((7, 2)), np.array(orders).reshape(2, 2, 6)))


ORDERS = [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4], [3, 0, 4, 1, 5, 2], [2, 3, 1, 5, 0, 4]]


def test_draws_that_are_as_they_should_be_pass_and_are_counted() -> None:
    result = check_drawn(*drawn(ORDERS))
    assert (result.check, result.world) == ("learner draws", "clipping")
    assert (result.passed, result.compared) == (True, 12 + 24)


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("place", [0, 5])
def test_a_transition_twice_is_told_by_the_number_of_its_order(order: int, place: int) -> None:
    orders = [list(one) for one in ORDERS]
    orders[order][place] = orders[order][2]
    found = check_drawn(*drawn(orders)).first
    assert found == Mismatch(order, -1, "an order with every transition", (), 1.0, 0.0)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (0, 3), (2, 3), (1, 2)])
def test_an_order_that_is_used_again_is_found_wherever_it_is(one: int, other: int) -> None:
    """Also from one update to the next."""
    orders = [list(order) for order in ORDERS]
    orders[other] = orders[one]
    found = check_drawn(*drawn(orders)).first
    assert found == Mismatch(0, -1, "different orders", (), 4.0, 3.0)


def test_minibatches_of_groups_have_equal_shares_to_the_last() -> None:
    """The first three transitions are one group, the others another."""
    even = [[0, 3, 1, 4, 2, 5], [3, 1, 5, 0, 2, 4], [4, 0, 1, 5, 2, 3], [2, 3, 4, 1, 0, 5]]
    assert check_drawn(*drawn(even, groups=2)).passed
    assert check_drawn(*drawn(ORDERS)).passed
    uneven = [*even[:3], [2, 3, 4, 5, 0, 1]]
    found = check_drawn(*drawn(uneven, groups=2)).first
    assert found == Mismatch(0, -1, "equal shares of a minibatch", (), 0.0, 2.0)


@pytest.mark.parametrize(("update", "step", "env"), [(0, 0, 0), (0, 2, 1), (1, 0, 1), (1, 2, 0)])
def test_a_forbidden_action_is_told_by_update_step_and_environment(
    update: int, step: int, env: int
) -> None:
    _, run = drawn(ORDERS)
    masks = np.ones((2, 3, 2, 3), bool)
    masks[update, step, env, int(run.updates[update]["actions"][step, env])] = False
    found = check_drawn(*drawn(ORDERS, masks)).first
    assert found == Mismatch(update, step, "action allowed", (env,), 1.0, 0.0)


def test_an_action_that_is_always_taken_is_told_with_its_number_and_its_deviations() -> None:
    """Of 12 decisions that three actions share none was the first or the second, and all the third."""
    actions = np.full((2, 3, 2), 2)
    result = check_drawn(*drawn(ORDERS, actions=actions))
    assert result.passed  # 8 more than 4, of a deviation of the root of 12 * 2 / 9
    assert result.notes == {
        "deviations": pytest.approx(8 / np.sqrt(12 * 2 / 9), abs=0.01),
        "of": "action 2",
    }
