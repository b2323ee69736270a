"""What is read off traced programs: keys used twice, arithmetic that a device rounds its own way."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_port.envs import env_phase1_jax as env
from jax_port.ppo import rollout
from jax_port.ppo.fast import gpu_rollout
from jax_port.ppo.running_statistics import RunningMoments, Scale, scale_of
from parity.suites.traced import (
    casts_and_back,
    check_key_reuse,
    check_rounding,
    divisions,
    traced_programs,
)


def test_both_phases_environments_and_both_forms_of_the_trainer_are_traced() -> None:
    names = ("batch_reset", "batch_step", "reset", "step")
    environments = {f"{name}, phase {phase}" for name in names for phase in (1, 2)}
    trainers = {f"init_agent and update ({form})" for form in ("cpu", "gpu")}
    assert set(traced_programs(0)) == environments | trainers


@pytest.mark.costly
def test_keys_are_used_once_and_one_used_twice_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_key_reuse(0).passed
    plain = env.batch_step

    def twice(key: jax.Array, *rest: Any) -> Any:
        jax.random.bits(key)
        return plain(key, *rest)

    monkeypatch.setattr(env, "batch_step", twice)
    result = check_key_reuse(0)
    assert not result.passed
    assert result.error.startswith("batch_step, phase 1: ")
    for name in ("batch_step, phase 2", "init_agent and update (cpu)"):
        assert f"{name}: " in result.error


def test_a_key_that_only_the_gpu_s_form_uses_twice_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = gpu_rollout.collect

    def twice(actor: Any, key: jax.Array, *rest: Any) -> Any:
        jax.random.bits(key)
        return plain(actor, key, *rest)

    monkeypatch.setattr(gpu_rollout, "collect", twice)
    assert check_key_reuse(0).error.startswith("init_agent and update (gpu): ")


def test_every_program_rounds_once() -> None:
    result = check_rounding(0)
    assert result.passed, result.error


def test_a_float32_quotient_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(a: jax.Array, b: jax.Array) -> jax.Array:
        return a.astype(jnp.float32) / b.astype(jnp.float32)

    monkeypatch.setattr(env, "quotient", plain)
    result = check_rounding(0)
    assert result.error.startswith("step, phase 1: a float32 division, which a GPU rounds its own way")
    assert "plain, test_traced.py:" in result.error
    assert "step, phase 2: " in result.error


def test_a_cast_and_back_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    right = env.quotient

    def halves(a: jax.Array, b: jax.Array) -> jax.Array:
        with jax.enable_x64(True):
            wide = a.astype(jnp.float64) * 0.1
            low = (wide - wide.astype(jnp.float32).astype(jnp.float64)).astype(jnp.float32)
        return right(a, b) + low * 0

    monkeypatch.setattr(env, "quotient", halves)
    result = check_rounding(0)
    for phase in (1, 2):
        assert f"step, phase {phase}: a cast to float32 and back, which a compiler may" in result.error
    assert (result.passed, result.fields["programs"].compared) == (False, 4)


@pytest.mark.parametrize(("module", "form"), [(rollout, "cpu"), (gpu_rollout, "gpu")])
def test_a_mean_whose_low_half_a_compiler_may_drop_is_named(
    monkeypatch: pytest.MonkeyPatch, module: Any, form: str
) -> None:
    def halves(moments: RunningMoments) -> Scale:
        with jax.enable_x64(True):
            high = moments.mean.astype(jnp.float32)
            low = (moments.mean - high.astype(jnp.float64)).astype(jnp.float32)
            return Scale(high, low, scale_of(moments).inv_std)

    monkeypatch.setattr(module, "scale_of", halves)
    result = check_rounding(0)
    assert not result.passed
    assert (
        f"update ({form}): a cast to float32 and back, which a compiler may leave out" in result.error
    )
    assert "halves, test_traced.py:" in result.error


def test_casts_are_followed_through_what_hands_numbers_on() -> None:
    def program(x: jax.Array, round_it: bool, bits: int = 23) -> jax.Array:
        wide = x.astype(jnp.float64) / 3
        if round_it:
            wide = jax.lax.reduce_precision(wide, exponent_bits=8, mantissa_bits=bits)
        narrow = wide.astype(jnp.float32).reshape(2, 1).T
        return narrow.astype(jnp.float64) * 2

    with jax.enable_x64(True):
        x = jnp.ones(2, jnp.float32)
        assert len(list(casts_and_back(jax.make_jaxpr(lambda x: program(x, False))(x)))) == 1
        assert not list(casts_and_back(jax.make_jaxpr(lambda x: program(x, True))(x)))
        for bits, objections in ((10, 0), (24, 1), (52, 1)):  # to fewer bits than a float32's, or more
            rounded = jax.make_jaxpr(lambda x, bits=bits: program(x, True, bits))(x)
            assert len(list(casts_and_back(rounded))) == objections, bits
        inside = jax.make_jaxpr(
            lambda x: jax.lax.scan(lambda c, y: (c, program(y, False)), 0, x[None])
        )(x)
        assert len(list(casts_and_back(inside))) == 1
        assert not list(divisions(inside))
        assert len(list(divisions(jax.make_jaxpr(lambda x: x / 3)(x)))) == 1


def narrow(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float32)


def widen(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float64)


def rounded(x: jax.Array) -> jax.Array:
    return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=23)


def branch(on: Any) -> Any:
    return lambda x: jax.lax.cond(x[0] > 0, on, lambda x: jnp.zeros(2, jax.eval_shape(on, x).dtype), x)


def loop(on: Any) -> Any:
    return lambda x: jax.lax.scan(lambda c, y: (c, on(y)), 0, x[None])[1][0]


def held(on: Any) -> Any:
    """Use a number that a loop finds again in every round."""
    return lambda x: jax.lax.scan(lambda c, _: (c, on(x)), 0, jnp.arange(3))[1][0]


def carried(on: Any) -> Any:
    def run(x: jax.Array) -> jax.Array:
        begun = jnp.zeros(2, jax.eval_shape(on, x).dtype)
        return jax.lax.scan(lambda c, y: (on(y), c.sum()), begun, x[None])[0]

    return run


def until(on: Any) -> Any:
    def run(x: jax.Array) -> jax.Array:
        begun = (jnp.int32(0), jnp.zeros(2, jax.eval_shape(on, x).dtype))
        return jax.lax.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, on(x)), begun)[1]

    return run


def with_derivative(on: Any) -> Any:
    made = jax.custom_jvp(on)
    made.defjvp(lambda given, moved: (on(*given), on(*moved)))
    return made


PARTS = [jax.jit, branch, loop, held, carried, until, jax.checkpoint, with_derivative]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_casts_are_followed_into_calls_branches_and_loops_and_out_of_them(part: Any) -> None:
    """A compiler may leave them out there as well: it puts calls in their place, and branches too."""
    chains = {
        "narrowed within": lambda x: widen(part(narrow)(x)),
        "widened within": lambda x: part(widen)(narrow(x)),
        "each within": lambda x: part(widen)(part(narrow)(x)),
    }
    for name, chain in chains.items():
        with jax.enable_x64(True):
            x = jnp.ones(2, jnp.float64)
            found = list(casts_and_back(jax.make_jaxpr(chain)(x)))
            sound = list(casts_and_back(jax.make_jaxpr(lambda x, f=chain: f(rounded(x)))(x)))
        assert len(found) == 1, name
        assert found[0].startswith("a cast to float32 and back, which a compiler may leave out (in ")
        assert sound == [], name


def test_rounding_within_a_call_or_in_every_branch_counts_and_in_one_alone_does_not() -> None:
    def both(x: jax.Array, one: Any, other: Any) -> jax.Array:
        return widen(narrow(jax.lax.cond(x[0] > 0, one, other, x)))

    with jax.enable_x64(True):
        x = jnp.ones(2, jnp.float64)
        programs = {
            "call": (lambda x: widen(narrow(jax.jit(rounded)(x))), 0),
            "all": (lambda x: both(x, rounded, lambda x: rounded(-x)), 0),
            "one": (lambda x: both(x, rounded, lambda x: -x), 1),
            "other": (lambda x: both(x, lambda x: -x, rounded), 1),
        }
        for name, (program, count) in programs.items():
            assert len(list(casts_and_back(jax.make_jaxpr(program)(x)))) == count, name


def test_one_function_called_twice_is_read_once_for_each_call() -> None:
    shared = jax.jit(narrow)

    def program(x: jax.Array, first: Any, second: Any) -> Any:
        return first(shared(rounded(x))), second(shared(x))

    with jax.enable_x64(True):
        x = jnp.ones(2, jnp.float64)
        for first, second, count in ((widen, jnp.sin, 0), (jnp.sin, widen, 1), (widen, widen, 1)):
            made = jax.make_jaxpr(lambda x, f=first, s=second: program(x, f, s))(x)
            assert len(list(casts_and_back(made))) == count


def test_a_loop_s_question_and_its_round_each_have_numbers_of_their_own() -> None:
    def asked(x: jax.Array) -> Any:
        short = narrow(x)
        return jax.lax.while_loop(lambda c: (c < 2) & (widen(short)[0] > 0), lambda c: c + 1, 0)

    def looped(question: jax.Array, within: jax.Array) -> jax.Array:
        begun = (0, jnp.zeros(2, jnp.float32))
        return widen(
            jax.lax.while_loop(
                lambda c: (c[0] < 2) & (question[0] > 0), lambda c: (c[0] + 1, narrow(within)), begun
            )[1]
        )

    with jax.enable_x64(True):
        x = jnp.ones(2, jnp.float64)
        programs: dict[str, tuple[Any, int]] = {
            "in the question": (asked, 1),
            "rounded before": (lambda x: asked(rounded(x)), 0),
            "in the round": (lambda x: looped(rounded(x), x), 1),
            "rounded in the round": (lambda x: looped(x, rounded(x)), 0),
        }
        for name, (program, count) in programs.items():
            assert len(list(casts_and_back(jax.make_jaxpr(program)(x)))) == count, name
