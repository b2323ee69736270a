"""Independence of random draws: over environments, steps and updates, with stated false-alarm rates.

Source: section 4 of ``docs/environment.md`` and sections 3 and 5 of ``docs/learner.md``. Marginal
frequencies can't see that two halves of the environments share their noise, or that keys repeat every
fourth update. So an environment whose every episode lasts one bar is stepped, and started and acted in
at random everywhere, and pairs of draws are compared over many distances in steps and environments. Of
independent uniform draws the difference of a pair is uniform, and differences along one distance are
independent, so their counts are exactly binomial.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.form import Form
from jax_port.envs.state import EnvParams, EnvState
from jax_port.ppo.policy import make_network
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from parity.engine.compare import Array, Comparison
from parity.engine.verify import CheckResult, Mismatch
from parity.learner.cases import LearnerCase
from parity.learner.port import Draws, make_params, run_port, to_torch
from parity.pairs.port_lines import port_at_work

FALSE_ALARM = 1e-6
"""Probability that a check objects to independent draws, over all of its tests."""

BINS = 16
STEPS, ENVIRONMENTS = 64, 1024
"""Of the environments alone; so many as the trainer has by default."""

UPDATES = 64
LEARNER_ENVIRONMENTS, LEARNER_STEPS = 64, 8
ONE_BAR = EnvConfig.phase1(max_episode_bars=1)


class Test(NamedTuple):
    """One statistical test.

    Attributes:
        name: what was looked at.
        chance: probability of something at least so far from independence.
        expected, observed: the counts that were compared.
    """

    name: str
    chance: float
    expected: float
    observed: float


def binomial_tests(names: list[str], counts: Array, trials: int, share: Array | float) -> list[Test]:
    """Test counts (K,) of ``trials`` against the shares (K,) they must have, on both sides."""
    share = np.broadcast_to(np.asarray(share, np.float64), counts.shape)
    fewer = special.bdtr(counts, trials, share)
    more = np.where(counts > 0, special.bdtrc(np.maximum(counts - 1, 0), trials, share), 1.0)
    chance = np.minimum(2 * np.minimum(fewer, more), 1.0)
    expected = share * trials
    rows = zip(names, chance, expected, counts, strict=True)
    return [Test(name, float(p), float(e), float(o)) for name, p, e, o in rows]


def distances(steps: int, environments: int) -> Iterator[tuple[int, int]]:
    """Yield distances to compare over: every number of steps, every few of environments, and both."""
    offsets = sorted({*range(1, min(environments, 65)), *range(64, environments, 64)})
    yield from ((0, offset) for offset in offsets)
    yield from ((lag, 0) for lag in range(1, steps // 2 + 1))
    yield from ((lag, offset) for lag in (1, 2, 4) if lag < steps for offset in offsets[:64])


def pair_tests(what: str, drawn: Array, size: int) -> list[Test]:
    """Test that uniform draws are independent of those at other steps and of other environments.

    Args:
        what: name of the draws.
        drawn: integers (T, N) from 0 to ``size`` - 1.
        size: how many values there are.
    """
    steps, environments = drawn.shape
    numbers = drawn.astype(np.int64)
    bins = min(size, BINS)
    edges = np.arange(bins + 1) * size // bins
    tests = []
    for lag, offset in distances(steps, environments):
        apart = (numbers[lag:, offset:] - numbers[: steps - lag, : environments - offset]) % size
        name = f"{what}, {lag} steps and {offset} environments apart"
        same = np.array([np.count_nonzero(apart == 0)])
        tests += binomial_tests([f"{name}: equal"], same, apart.size, 1 / size)
        if size > 2 and (lag & (lag - 1), offset & (offset - 1)) == (0, 0):
            counts = np.histogram(apart, edges)[0]
            names = [f"{name}: difference {number}" for number in range(bins)]
            tests += binomial_tests(names, counts, apart.size, np.diff(edges) / size)
    return tests


def joint_tests(what: str, first: Array, size: int, second: Array, others: int) -> list[Test]:
    """Test that two uniform draws made at the same place don't depend on each other."""
    edges = [np.arange(min(n, 8) + 1) * n // min(n, 8) for n in (size, others)]
    table = np.histogram2d(first.ravel(), second.ravel(), bins=edges)[0]
    shares = np.outer(np.diff(edges[0]) / size, np.diff(edges[1]) / others)
    names = [f"{what}, {i} and {j}" for i in range(table.shape[0]) for j in range(table.shape[1])]
    return binomial_tests(names, table.ravel().astype(np.int64), first.size, shares.ravel())


def order_tests(orders: Array) -> list[Test]:
    """Test that orders (K, M) share no places: k fixed points have a chance of at most 1 / k!."""
    tests = []
    for one in range(len(orders)):
        for other in range(one):
            fixed = int(np.count_nonzero(orders[one] == orders[other]))
            chance = float(np.exp(-special.gammaln(fixed + 1)))
            tests.append(Test(f"orders {other + 1} and {one + 1}: same places", chance, 1.0, fixed))
    return tests


def judge(check: str, world: str, tests: list[Test], compared: int) -> CheckResult:
    """Return a result that objects where one of all tests is too unlikely."""
    result = CheckResult(check, world, compared)
    unlikely = [test for test in tests if test.chance * len(tests) < FALSE_ALARM]
    rule = f"by chance, one false alarm in {1 / FALSE_ALARM:,.0f} runs"
    result.fields["independent draws"] = Comparison(rule, len(tests), len(unlikely))
    least = min(tests, key=lambda test: test.chance)
    result.notes["least_chance"] = f"{min(least.chance * len(tests), 1.0):.2g} ({least.name})"
    if unlikely:
        result.first = Mismatch(0, -1, least.name, (), least.expected, least.observed)
    return result


def environment_draws(seed: int) -> tuple[dict[str, Array], int]:
    """Return where restarts begin, as numbers of starts, and how many starts there are.

    Returns:
        By name int64 (T, N): of the batched step and reset as a trainer calls them, and of the step
        and reset of one environment, under a key each.
    """
    config = ONE_BAR.override(warmup_bars=20)
    params = env.make_params(stack([prepare(synthetic_bars("ES", days=3, seed=seed), config)]), config)
    keys = jax.random.split(jax.random.key(seed), 4)
    starts = np.asarray(params.market.starts[:, 0])
    with port_at_work():
        drawn = _environment_draws(keys, params)
    return {name: np.searchsorted(starts, np.asarray(x)) for name, x in drawn.items()}, len(starts)


@jax.jit
def _environment_draws(keys: jax.Array, params: EnvParams) -> dict[str, jax.Array]:
    _, state = env.batch_reset(keys[0], params, ENVIRONMENTS)
    hold = jnp.zeros(ENVIRONMENTS, jnp.int32)
    few = LEARNER_ENVIRONMENTS
    alone = jax.tree.map(lambda x: x[:few], state)

    def batched(state: EnvState, key: jax.Array) -> tuple[EnvState, jax.Array]:
        moved = env.batch_step(key, state, hold, params)
        return moved.state, moved.state.step_idx

    def single(state: EnvState, key: jax.Array) -> tuple[EnvState, jax.Array]:
        one = jax.vmap(env.step, in_axes=(0, 0, 0, None))
        moved = one(jax.random.split(key, few), state, hold[:few], params)
        return moved.state, moved.state.step_idx

    def fresh(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        many = env.batch_reset(key, params, ENVIRONMENTS)[1]
        one = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(key, few), params)[1]
        return many.step_idx, one.step_idx

    many, one = jax.lax.map(fresh, jax.random.split(keys[1], STEPS))
    return {
        "restarts of a batch": jax.lax.scan(batched, state, jax.random.split(keys[2], STEPS))[1],
        "restarts of one environment": jax.lax.scan(single, alone, jax.random.split(keys[3], STEPS))[1],
        "resets of a batch": many,
        "resets of one environment": one,
    }


def check_environment_draws(seed: int) -> tuple[CheckResult, dict[str, Array]]:
    """Check that starts are independent over steps and environments; also return them."""
    drawn, size = environment_draws(seed)
    tests = [test for name, x in drawn.items() for test in pair_tests(name, x, size)]
    compared = sum(x.size for x in drawn.values())
    return judge("independent draws", "starts", tests, compared), drawn


def learner_draws(seed: int, form: Form = "cpu") -> tuple[Draws, int]:
    """Return what a learner draws in many updates with a uniform policy, and the number of starts.

    Args:
        seed: of everything.
        form: of the trainer's program; each draws in its own way.
    """
    settings = TrainSettings(
        n_envs=LEARNER_ENVIRONMENTS,
        n_steps=LEARNER_STEPS,
        batch_size=LEARNER_ENVIRONMENTS * LEARNER_STEPS,
        n_epochs=1,
        total_timesteps=LEARNER_ENVIRONMENTS * LEARNER_STEPS * UPDATES,
        learning_rate=1e-12,
        seed=seed,
        network=NetworkSpec((4,), (4,)),
    )
    case = LearnerCase("independent draws", settings, UPDATES, ONE_BAR)
    params = make_params(case)
    network = make_network(settings.network, num_actions=env.NUM_ACTIONS)
    obs = jax.ShapeDtypeStruct((1, params.obs_size), jnp.float32)
    shapes: Any = jax.eval_shape(partial(network.init, jax.random.key(0)), obs)
    zeros: Any = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    draws = run_port(case, to_torch(zeros), params, form).draws
    starts = np.asarray(params.market.starts[:, 0])
    return draws._replace(starts=np.searchsorted(starts, draws.starts)), len(starts)


def check_learner_draws(seed: int, form: Form = "cpu") -> tuple[CheckResult, Draws]:
    """Check that actions, starts and orders are independent over environments, steps and updates."""
    draws, size = learner_draws(seed, form)
    actions = draws.actions.reshape(-1, draws.actions.shape[-1])
    starts = draws.starts[1:]  # drawn in the step whose action has the same number
    tests = [
        *pair_tests("actions", actions, env.NUM_ACTIONS),
        *pair_tests("starts", starts, size),
        *joint_tests("action and start", actions, env.NUM_ACTIONS, starts, size),
        *order_tests(draws.orders.reshape(-1, draws.orders.shape[-1])),
    ]
    compared = actions.size + starts.size + draws.orders.size
    world = "learner" if form == "cpu" else f"learner ({form})"
    return judge("independent draws", world, tests, compared), draws
