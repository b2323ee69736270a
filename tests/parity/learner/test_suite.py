"""The trainer's updates against MaskablePPO's, and that faults of a learner do not pass for the same.

``nox -s mutation`` plants all traps of ``docs/learner.md``; here two show that the judge bites.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast.gpu_update import Standard, standard_of
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from parity.engine.verify import CheckResult
from parity.learner import port as learner_port
from parity.learner import suite
from parity.learner.cases import KL_ENDS_ALL, LearnerCase, learner_cases, small_cases
from parity.learner.drawn import REQUIRED as STRUCTURES
from parity.learner.judge import LIMITS, Reach, judge_updates, reach_of
from parity.learner.port import Draws, PortRun, run_port, to_flax, to_torch, traced_program
from parity.learner.suite import (
    REQUIRED,
    LearnerRun,
    cases_of_forms,
    check_decisions,
    check_drawn,
    check_trainer,
    count_checks,
    coverage_of,
    decision_cases,
    seeds_to_try,
    uneven_minibatches,
)
from tests.sentences import refuses


@pytest.fixture(scope="module")
def clipping() -> LearnerRun:
    return LearnerRun(small_cases()[0])


def judged(run: LearnerRun, port: PortRun) -> CheckResult:
    reach = reach_of(run.port.draws, port.draws)
    return judge_updates(run.case, run.updates, port.updates, reach)


def test_three_updates_are_the_same_in_every_number(clipping: LearnerRun) -> None:
    result = judge_updates(clipping.case, clipping.updates, clipping.port.updates)
    assert result.passed, [(n, m) for n, m in result.measures.items() if not m.passed]
    assert set(result.measures) == set(LIMITS)
    assert {"masks", "episode_starts", "terminations", "truncations"} <= set(result.fields)
    assert {"gradient steps", "adam steps"} <= set(result.fields)
    # Three updates of three epochs of 184 transitions: three batches of 50 and one of 34.
    assert [int(table["gradient steps"]) for table in clipping.updates] == [12, 12, 12]
    assert result.compared == 3 * 184
    assert result.fields["masks"].compared == 3 * 184 * 6
    assert check_drawn(clipping.case, clipping.port).passed


def test_the_reference_takes_the_port_s_draws(clipping: LearnerRun) -> None:
    for mine, theirs in zip(clipping.port.updates, clipping.updates, strict=True):
        np.testing.assert_array_equal(mine["actions"], theirs["actions"])
        assert theirs["obs"].shape == (46, 4, 228)
    drawn = clipping.port.draws
    starts = (drawn.starts >= 0).sum()
    ended = sum(int(t["terminations"] + t["truncations"]) for t in clipping.updates)
    # Four first resets, and a restart after every end; a start between two rollouts is told twice.
    assert starts == 4 + ended


def test_the_cases_see_what_a_verdict_needs(clipping: LearnerRun) -> None:
    here = {
        f"learner: {name}"
        for name in (
            "stopped by target_kl",
            KL_ENDS_ALL,
            "reward not normalised",
            "reward clipped",
        )
    }
    here.add("learner, orders: by group")
    assert set(clipping.coverage) >= REQUIRED - STRUCTURES - here
    settings = [case.settings for case in learner_cases()]
    assert settings[1].target_kl is not None
    assert not settings[2].norm_reward
    assert settings[2].network == NetworkSpec((256, 256), (256, 256), "relu")
    assert settings[3].n_envs >= 1024
    assert settings[3].order_groups == 2
    assert all(case.settings.override(seed=7) for case in small_cases(7))


@pytest.mark.costly
def test_seeds_in_which_a_case_does_not_show_what_it_is_for_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = small_cases(3)[1]
    assert case.must_show == (KL_ENDS_ALL,)
    run = LearnerRun(case)
    assert run.case.settings.seed in seeds_to_try(3)[1:]
    assert run.coverage[f"learner: {KL_ENDS_ALL}"] > 0
    monkeypatch.setattr("parity.learner.suite.TRIES", 1)
    with refuses(kind=ArithmeticError):
        LearnerRun(replace(case, must_show=("flight",)))


@pytest.mark.parametrize("first", [0, 20_261_129, 2**31 - 5])
def test_rounds_of_several_seeds_never_try_a_seed_twice(first: int) -> None:
    rounds = [seeds_to_try(seed % 2**31) for seed in (*range(first, first + 50), first + 53_000_000)]
    assert [tried[0] for tried in rounds[:50]] == [seed % 2**31 for seed in range(first, first + 50)]
    assert {len(tried) for tried in rounds} == {40}
    every = [seed for tried in rounds for seed in tried]
    assert len(set(every)) == len(every)
    assert 0 <= min(every) <= max(every) < 2**31


def test_decisions_are_the_first_of_the_likeliest(clipping: LearnerRun) -> None:
    logits, masks = decision_cases(clipping.case)
    result = check_decisions(clipping.case, clipping.decisions)
    assert result.passed, result.first
    assert result.compared == len(logits) == len(masks)
    raw = np.where(masks, logits, -np.inf).argmax(1)
    assert (raw != clipping.decisions).sum() >= 4  # where two logits differ and two probabilities don't
    assert clipping.decisions[0] == 0
    assert raw[0] == 1


def faulty_deviation(advantages: jax.Array, axis: str | None = None) -> jax.Array:
    return (advantages - jnp.mean(advantages)) / (jnp.std(advantages) + 1e-8)


FAULTS: dict[str, tuple[str, Callable[..., jax.Array] | float]] = {
    "a population's deviation of advantages": (
        "jax_port.ppo.fast.cpu_gradients.standardize",
        faulty_deviation,
    ),
    "torch's own epsilon of Adam": ("jax_port.ppo.optimizer.adam.EPS", 1e-8),
}


@pytest.fixture
def compiled_anew() -> Iterator[None]:
    traced_program.cache_clear()
    yield
    traced_program.cache_clear()


@pytest.mark.costly
@pytest.mark.usefixtures("compiled_anew")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, clipping: LearnerRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*FAULTS[name])
    result = judged(clipping, run_port(clipping.case, clipping.weights, clipping.params))
    assert result.measures["observations"].passed
    first = next(iter(result.measures))  # what went wrong first
    assert not result.measures[first].passed
    assert first in ("policy loss", "gradients", "weights")


def test_other_numbers_are_found(clipping: LearnerRun) -> None:
    for name, factor in (("gae_lambda", 0.999), ("clip_range_vf", 1.02), ("vf_coef", 1.0002)):
        value = getattr(clipping.case.settings, name) * factor
        settings = clipping.case.settings.override(**{name: value})
        case = replace(clipping.case, settings=settings)
        result = judged(clipping, run_port(case, clipping.weights, clipping.params))
        assert not result.passed, name


def test_drawn_sees_a_stale_order_and_a_biased_or_forbidden_action(clipping: LearnerRun) -> None:
    drawn, updates = clipping.port.draws, clipping.port.updates
    stale = drawn._replace(orders=np.repeat(drawn.orders[:, :1], drawn.orders.shape[1], axis=1))
    result = check_drawn(clipping.case, PortRun(updates, stale))
    assert result.first is not None
    assert result.first.field == "different orders"
    twice = drawn.orders.copy()
    twice[1, 2, 0] = twice[1, 2, 1]
    result = check_drawn(clipping.case, PortRun(updates, drawn._replace(orders=twice)))
    assert result.first is not None
    assert (result.first.field, result.first.lane) == ("an order with every transition", 5)

    likeliest = [{**t, "actions": t["probabilities"].argmax(-1)} for t in updates]
    result = check_drawn(clipping.case, PortRun(likeliest, drawn))
    assert result.first is not None
    assert result.first.field == "frequency of likely actions"
    forbidden = [{**t, "actions": t["masks"].argmin(-1)} for t in updates]
    result = check_drawn(clipping.case, PortRun(forbidden, drawn))
    assert result.first is not None
    assert result.first.field == "action allowed"


def test_how_far_two_runs_drew_the_same(clipping: LearnerRun) -> None:
    drawn = clipping.port.draws
    assert reach_of(drawn, drawn) == Reach(3, 0, True)
    actions = drawn.actions.copy()
    actions[1, 5, 2] ^= 1
    assert reach_of(drawn, drawn._replace(actions=actions)) == Reach(1, 5, True)
    orders = drawn.orders.copy()
    orders[2, 0] = orders[2, 0, ::-1]
    assert reach_of(drawn, drawn._replace(orders=orders)) == Reach(2, 46, False)
    starts = drawn.starts.copy()
    place = np.argwhere(starts >= 0)[-1]
    starts[tuple(place)] += 1
    assert reach_of(drawn, drawn._replace(starts=starts)).updates < 3


def test_a_number_that_is_none_is_no_agreement(clipping: LearnerRun) -> None:
    first = {**clipping.port.updates[0]}
    first["advantages"] = np.full_like(first["advantages"], np.nan)
    port = [first, *clipping.port.updates[1:]]
    result = judge_updates(clipping.case, clipping.updates, port)
    assert not result.measures["advantages"].passed


def test_running_returns_near_zero_are_compared_in_deviations(clipping: LearnerRun) -> None:
    """After episodes have ended they are a few small numbers, of which rounding is a large share."""
    small = np.array([0.0, -0.029109, -0.10686128, 0.04826674])
    theirs = [{**clipping.updates[0], "running returns": small}, *clipping.updates[1:]]

    def agree(ours: np.ndarray) -> bool:
        port = [{**clipping.port.updates[0], "running returns": ours}, *clipping.port.updates[1:]]
        return judge_updates(clipping.case, theirs, port).measures["reward statistics"].passed

    assert agree(small + np.array([0.0, 8e-10, 2e-8, 4.3e-7]))
    deviation = float(np.sqrt(clipping.updates[0]["return var"]))
    assert not agree(small + np.array([0.0, 0.0, 0.0, 1e-5 * deviation]))
    assert not agree(small[::-1])


def test_weights_go_there_and_back(clipping: LearnerRun) -> None:
    back = to_torch(to_flax(clipping.weights, clipping.case.settings))
    assert back.keys() == clipping.weights.keys()
    for name, value in clipping.weights.items():
        np.testing.assert_array_equal(back[name], value)


def test_a_case_goes_through_json() -> None:
    for case in learner_cases(3):
        assert LearnerCase.from_about(case.about()) == case
    assert isinstance(learner_cases()[0].settings, TrainSettings)


def test_a_program_is_compiled_once_for_numbers_that_are_its_arguments() -> None:
    first, second, *_ = (case.settings for case in learner_cases())
    assert learner_port.program_settings(first) == learner_port.program_settings(second)
    assert Counter(map(learner_port.program_settings, (first, second))).most_common(1)[0][1] == 2


@pytest.mark.costly
def test_the_gpu_s_form_is_the_same_learner_and_a_fault_in_it_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With orders by group, which the library is told like any other."""
    small = small_cases()[0]
    case = replace(small, settings=small.settings.override(order_groups=2))
    run = LearnerRun(case, "gpu")
    result = judge_updates(run.case, run.updates, run.port.updates)
    assert result.passed, [(n, m) for n, m in result.measures.items() if not m.passed]
    assert check_drawn(run.case, run.port).passed
    turned = run.port.draws._replace(orders=run.port.draws.orders[..., ::-1])
    uneven = check_drawn(run.case, PortRun(run.port.updates, turned)).first
    assert uneven is not None
    assert uneven.field == "equal shares of a minibatch"

    def faulty(advantages: jax.Array, axis: str | None = None) -> Standard:
        sound = standard_of(advantages)
        return sound._replace(deviation=jnp.std(advantages, axis=-1))

    monkeypatch.setattr("jax_port.ppo.fast.gpu_update.standard_of", faulty)
    traced_program.cache_clear()
    port = run_port(run.case, run.weights, run.params, "gpu")
    traced_program.cache_clear()
    assert not judged(run, port).passed


def test_every_check_says_its_form_and_is_counted() -> None:
    forms = cases_of_forms()
    assert set(forms) == {"cpu", "gpu"}
    names = [case.name for cases in forms.values() for case in cases]
    assert len(set(names)) == len(names)
    assert all(name.endswith("(gpu)") for name in (case.name for case in forms["gpu"]))
    drawn = [name.split(" (")[0] for name in names if name.startswith("drawn")]
    assert sorted(drawn) == [f"drawn {number}" for number in range(1, 5)]
    # Three of each case, the decisions, and two agents side by side in two forms.
    assert count_checks() == 3 * len(names) + 1 + 2 * 2


@pytest.mark.parametrize("form", ["cpu", "gpu"])
def test_every_agent_that_is_trained_beside_others_is_judged_by_its_own_case(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    runs: Any = [
        SimpleNamespace(
            case=f"case {n}", weights=n, params="of all", form=form, updates=[0, f"last {n}"]
        )
        for n in range(3)
    ]
    asked: list[Any] = []
    monkeypatch.setattr(suite, "run_trainer", lambda *given: asked.append(given) or ["a", "b", "c"])
    monkeypatch.setattr(suite, "judge_end", lambda *given: given)
    assert check_trainer(runs) == [(f"case {n}", f"last {n}", end) for n, end in enumerate("abc")]
    assert asked == [([run.case for run in runs], [0, 1, 2], "of all", form)]


def test_a_rate_that_stays_is_not_annealed_and_rewards_are_counted() -> None:
    case = small_cases()[2]
    assert not case.settings.norm_reward
    rewards = np.zeros((4, 3))

    def seen(*rates: float) -> Counter[str]:
        tables = [{"learning rate": np.float64(rate), "rewards": rewards} for rate in rates]
        return coverage_of(case, tables, Counter({"terminated": 2, "never": 0}))

    assert seen(0.1, 0.1, 0.1)["learner: rate annealed"] == 0
    found = seen(0.3, 0.2, 0.1)
    assert found["learner: rate annealed"] == 2
    assert found["learner: terminated"] == 2
    assert "learner: never" not in found
    assert found["learner: reward not normalised"] == 36
    normalised = replace(case, settings=case.settings.override(norm_reward=True))
    some = coverage_of(normalised, [{"learning rate": 0.1, "rewards": rewards}], Counter())
    assert some["learner: reward not normalised"] == 0


def test_an_uneven_minibatch_is_counted_wherever_it_is() -> None:
    settings = TrainSettings(
        n_envs=4, n_steps=6, batch_size=8, n_epochs=1, total_timesteps=24, order_groups=2
    )
    even = np.arange(24).reshape(2, 12).T.ravel()[None]
    assert uneven_minibatches(settings, even) == 0
    for batch, other in ((0, 1), (0, 2), (1, 2)):
        orders = np.concatenate([even, even])
        place, far = 8 * batch, 8 * other + 1  # one of each group
        orders[1, [place, far]] = orders[1, [far, place]]
        assert uneven_minibatches(settings, orders) == 2


@pytest.mark.parametrize("seed", [0, 5])
def test_every_case_has_the_run_s_seed(seed: int) -> None:
    cases = [case for some in cases_of_forms(seed).values() for case in some]
    assert {case.settings.seed for case in cases} == {seed}
    assert {case.late.seed for case in cases if case.late is not None} == {seed}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("deviations", "passes"), [(0, True), (4.5, True), (5.5, False)])
def test_an_action_that_is_taken_too_often_or_too_seldom_is_told_in_deviations(
    sign: int, deviations: float, passes: bool
) -> None:
    """Of 10,000 decisions with chances of one half, a quarter and a quarter."""
    case = replace(small_cases()[0], settings=TrainSettings())
    count, chance = 10_000, 0.5
    taken = count * chance + sign * deviations * np.sqrt(count * chance * (1 - chance))
    numbers = np.array([1, 2])[np.arange(count - round(taken)) % 2]
    actions = np.concatenate([np.zeros(round(taken), int), numbers]).reshape(2, 100, 50)
    shape = (*actions.shape, 3)
    updates = [
        {
            "actions": one,
            "probabilities": np.broadcast_to([0.5, 0.25, 0.25], shape)[0].astype(np.float32),
            "masks": np.ones(shape, bool)[0],
        }
        for one in actions
    ]
    orders = np.arange(5000)[None, None]
    result = check_drawn(case, PortRun(updates, Draws(actions, actions, orders)))
    assert result.passed == passes
    assert result.compared == count + orders.size
    assert abs(result.notes["deviations"]) == pytest.approx(deviations, abs=0.02)
    if deviations:
        assert result.notes["of"] in ("action 0", "likely actions")  # both lie as far off
        assert result.notes["deviations"] * sign > 0
    if not passes:
        assert result.first is not None
        assert result.first.field == "frequency of action 0"
        assert (result.first.reference, result.first.port) == (5000, round(taken))
