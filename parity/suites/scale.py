"""Draws and orders at the trainer's own sizes, and just beyond every power of two of a dtype.

Source: section 4 of ``docs/environment.md`` and section 5 of ``docs/learner.md``. At small sizes an
order of transitions cut to 16 bits is a good one; at the trainer's 1024 x 128 half of them would never
be trained on.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jax_port.envs.fast_rng import below, spread_bits
from jax_port.ppo.minibatches import permutations
from jax_port.ppo.settings import TrainSettings
from parity.engine.compare import Array, Comparison
from parity.engine.verify import CheckResult, Mismatch
from parity.pairs.port_lines import port_at_work
from parity.suites.randomness import Test, binomial_tests, judge

ENVIRONMENTS = (2, 255, 257, 1024, 2**16 - 1, 2**16 + 1, 2**17 + 2)
BOUNDS = (1, 2, 3, 2**7 + 1, 2**8 - 1, 2**8 + 1, 2**15 + 1, 2**16 - 1, 2**16 + 1, 2**23 + 1, 2**24)
ROLLOUTS = ((1024, 128), (257, 255), (1, 2), (3, 43691))
"""Environments and steps: the trainer's defaults, and either side of 2^16 and 2^17."""


def check_scale(seed: int) -> list[CheckResult]:
    """Check words of random bits, draws below a bound, and orders of transitions, at large sizes.

    Args:
        seed: of the draws.
    """
    with port_at_work():
        return [_check_words(seed), _check_bounds(seed), _check_orders(seed)]


def _holds(result: CheckResult, name: str, broken: int, compared: int) -> None:
    """Note how often a property that must hold is broken."""
    result.fields[name] = Comparison("holds", compared, broken)
    result.compared += compared
    if broken and result.first is None:
        result.first = Mismatch(0, -1, name, (), 0.0, float(broken))


def _check_words(seed: int) -> CheckResult:
    """Check that no two environments of one step get the same 32 random bits."""
    result = CheckResult("random bits at scale", "environments", 0)
    for count in ENVIRONMENTS:
        words = np.asarray(spread_bits(jax.random.key(seed), count))
        _holds(result, f"{count:,} environments: own bits", count - len(np.unique(words)), count)
    return result


def _check_bounds(seed: int) -> CheckResult:
    """Check draws below a bound against whole-number arithmetic without a word size."""
    result = CheckResult("random bits at scale", "bounds", 0)
    rng = np.random.default_rng([seed, 3])
    edges = [0, 1, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1]
    bits = np.concatenate([np.array(edges), rng.integers(0, 2**32, 4096)]).astype(np.uint32)
    for bound in BOUNDS:
        drawn = np.asarray(below(jnp.asarray(bits), bound)).astype(np.int64)
        expected = (bits.astype(np.uint64) * np.uint64(bound) >> np.uint64(32)).astype(np.int64)
        _holds(result, f"below {bound:,}", int((drawn != expected).sum()), len(bits))
    return result


def _check_orders(seed: int) -> CheckResult:
    """Check that every order holds every transition once, in no order that its number tells."""
    result = CheckResult("orders at scale", "transitions", 0)
    tests: list[Test] = []
    for environments, steps in ROLLOUTS:
        size = environments * steps
        settings = TrainSettings(
            n_envs=environments, n_steps=steps, batch_size=size, n_epochs=2, total_timesteps=size
        )
        orders: Array = np.asarray(permutations(jax.random.key(seed), settings)).astype(np.int64)
        missing = sum(size - len(np.intersect1d(order, np.arange(size))) for order in orders)
        _holds(result, f"{environments:,} x {steps:,}: every transition once", missing, orders.size)
        if size > 2**10:
            tests += _spread_tests(f"{environments:,} x {steps:,}", orders, size)
    spread = judge("orders at scale", "transitions", tests, 0)
    result.fields.update(spread.fields)
    result.notes.update(spread.notes)
    result.first = result.first or spread.first
    return result


def _spread_tests(name: str, orders: Array, size: int) -> list[Test]:
    """Test how many of an order's first places hold transitions of each eighth of the rollout.

    Places are drawn without putting back, whose counts vary less than the binomial's that are used.
    """
    tests = []
    few = size // 64
    eighths = np.arange(9) * size // 8
    for number, order in enumerate(orders):
        for place in (0, size // 2, size - few):
            counts = np.histogram(order[place : place + few], eighths)[0]
            names = [f"{name}, order {number + 1}, from place {place}, eighth {k}" for k in range(8)]
            tests += binomial_tests(names, counts, few, np.diff(eighths) / size)
    return tests
