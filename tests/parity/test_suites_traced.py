"""What is traced of which program, and how all of it is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_port.envs.registry import phase_of
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from markets import EnvConfig
from parity.suites import traced
from parity.suites.traced import casts_and_back, check_key_reuse, check_rounding, divisions

HANDED_ON: dict[str, Any] = {
    "reshape": lambda x: x.reshape(4, 1),
    "broadcast_in_dim": lambda x: jnp.broadcast_to(x, (3, 4)),
    "squeeze": lambda x: jax.lax.squeeze(jax.lax.expand_dims(x, (0,)), (0,)),
    "transpose": lambda x: x.reshape(2, 2).T,
    "slice": lambda x: jax.lax.slice(x, (1,), (3,)),
    "copy": jnp.copy,
    "all at once": lambda x: jax.lax.squeeze(jnp.copy(x[1:]).reshape(1, 3).T, (1,))[::1],
}
COMPUTED: dict[str, Any] = {
    "a sum": lambda x: x + 1,
    "a product": lambda x: x * x,
    "a total": jnp.sum,
    "a root": jnp.sqrt,
}


def objections(between: Any, before: Any = lambda x: x) -> int:
    def program(x: jax.Array) -> jax.Array:
        return between(before(x).astype(jnp.float32)).astype(jnp.float64)

    with jax.enable_x64(True):
        return len(list(casts_and_back(jax.make_jaxpr(program)(jnp.ones(4, jnp.float64)))))


@pytest.mark.parametrize("name", HANDED_ON)
def test_numbers_that_are_handed_on_are_the_same_numbers(name: str) -> None:
    between = HANDED_ON[name]
    with jax.enable_x64(True):
        made = jax.make_jaxpr(between)(jnp.ones(4, jnp.float32))
    used = {equation.primitive.name for equation in made.eqns}
    assert name in used or name == "all at once"
    assert objections(between) == 1
    assert objections(lambda x: between(between_flat(between, x))) == 1
    rounded = objections(between, lambda x: jax.lax.reduce_precision(x, 8, 23))
    assert rounded == 0


def between_flat(between: Any, x: jax.Array) -> jax.Array:
    """Return four numbers again, where something else came of them."""
    return jnp.broadcast_to(between(x).reshape(-1)[:1], (4,))


@pytest.mark.parametrize("name", COMPUTED)
def test_numbers_that_were_computed_with_are_others(name: str) -> None:
    assert objections(COMPUTED[name]) == 0


@pytest.mark.parametrize(
    ("dtype", "number"), [(jnp.float32, 1), (jnp.float64, 0), (jnp.float16, 0), (jnp.bfloat16, 0)]
)
def test_divisions_of_float32_are_named_and_no_others(dtype: Any, number: int) -> None:
    with jax.enable_x64(True):
        x = jnp.ones(3, dtype)
        found = list(divisions(jax.make_jaxpr(lambda x: (x / 3, x * 3, x - 1))(x)))
        nested = list(divisions(jax.make_jaxpr(jax.jit(lambda x: x / 7))(x)))
    assert (len(found), len(nested)) == (number, number)
    for sentence in found:
        assert sentence.startswith("a float32 division, which a GPU rounds its own way (in ")
        assert ", test_suites_traced.py:" in sentence


def twice(key: jax.Array) -> jax.Array:
    return jax.random.bits(key) + jax.random.bits(key)


def once(key: jax.Array) -> jax.Array:
    return jax.random.bits(key)


def test_every_program_that_uses_a_key_twice_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    programs = {"a": once, "b": twice, "c": once, "d": twice, "e": lambda key: twice(key) + 1}
    of_keys = {name: (program, jax.random.key(0)) for name, program in programs.items()}
    monkeypatch.setattr(traced, "traced_programs", lambda seed: asked.append(seed) or of_keys)
    result = check_key_reuse(8)
    assert asked == [8]
    assert (result.check, result.world, result.compared) == ("keys used twice", "traced programs", 5)
    stats = result.fields["programs"]
    assert (stats.rule, stats.compared, stats.mismatches) == ("no key twice", 5, 3)
    told = result.error.split("; ")
    assert [one.partition(": ")[0] for one in told] == ["b", "d", "e"]
    assert "\n" not in result.error
    assert not result.passed
    of_keys = {name: (once, jax.random.key(n)) for n, name in enumerate("xyz")}
    sound = check_key_reuse(8)
    assert (sound.passed, sound.error, sound.compared) == (True, "", 3)
    assert sound.fields["programs"].mismatches == 0


def test_each_name_is_of_the_program_that_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own phase, with the settings of its seed, and in its own form."""
    programs = traced.traced_programs(6)
    calls: list[Any] = []
    for name in ("batch_reset", "batch_step", "reset", "step"):
        monkeypatch.setattr(
            traced.env, name, lambda *given, name=name: calls.append((name, *given)) or name
        )
    settings = TrainSettings(
        n_envs=4,
        n_steps=4,
        batch_size=8,
        n_epochs=1,
        total_timesteps=16,
        seed=6,
        network=NetworkSpec((4,), (4,)),
    )
    for number in (1, 2):
        for name in ("batch_reset", "batch_step", "reset", "step"):
            program, key, *state = programs[f"{name}, phase {number}"]
            assert jnp.array_equal(jax.random.key_data(key), jax.random.key_data(jax.random.key(6)))
            assert program("key", *["state" for _ in state]) == name
            called, *given = calls.pop()
            assert (called, given[0]) == (name, "key")
            assert len(state) == int("step" in name)
            if state:
                assert given.pop(1) == "state"
                hold = given.pop(1)
                assert (hold.shape, hold.tolist()) == (
                    ((4,), [0] * 4) if name == "batch_step" else ((), 0)
                )
            params, *rest = given[1:]
            assert phase_of(params).number == number
            phase = rest[-1]
            assert phase.number == number
            assert rest[:-1] == ([4] if name == "batch_reset" else [])
            assert int(params.max_episode_bars) == 1
    monkeypatch.setattr(traced, "init_agent", lambda *given: ("agent", *given))
    monkeypatch.setattr(traced, "update", lambda *given, form: (form, *given))
    for form in ("cpu", "gpu"):
        program, seed = programs[f"init_agent and update ({form})"]
        assert int(seed) == 6
        traced_form, agent, _, params, given = program("seed")
        assert (traced_form, agent[:2], given, agent[3]) == (
            form,
            ("agent", "seed"),
            settings,
            settings,
        )
        assert phase_of(params).number == 1


def test_every_objection_to_rounding_is_counted_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    traced_as: list[Any] = []

    def made(program: Any) -> Any:
        return lambda *given: traced_as.append((program, given)) or len(traced_as)

    monkeypatch.setattr(
        traced,
        "jax",
        SimpleNamespace(make_jaxpr=made, eval_shape=jax.eval_shape, random=jax.random, Array=jax.Array),
    )
    monkeypatch.setattr(traced, "divisions", lambda program: [f"division {program}"] * 2)
    monkeypatch.setattr(traced, "casts_and_back", lambda program: ["cast"] * program)
    result = check_rounding(4)
    assert (result.check, result.world) == ("rounding on any device", "traced programs")
    assert result.compared == 4
    stats = result.fields["programs"]
    assert (stats.rule, stats.compared, stats.mismatches) == (
        "rounded once everywhere",
        4,
        2 + 1 + 2 + 2 + 3 + 4,
    )
    assert result.error == (
        "step, phase 1: division 1; step, phase 1: cast; step, phase 2: division 2; "
        "step, phase 2: cast; update (cpu): cast; update (gpu): cast"
    )
    calls: list[Any] = []
    monkeypatch.setattr(traced.env, "step", lambda *given: calls.append(given))
    monkeypatch.setattr(traced, "init_agent", lambda *given: "agent")
    monkeypatch.setattr(traced, "update", lambda *given, form: calls.append((form, *given)))
    for program, given in traced_as:
        program(*given)
    plain = (EnvConfig.phase1(), EnvConfig.phase2())
    for call, config in zip(calls[:2], plain, strict=True):
        assert phase_of(call[3]).number == call[4].number == config.phase
        assert int(call[3].max_episode_bars) == config.max_episode_bars
    assert [call[:2] for call in calls[2:]] == [("cpu", "agent"), ("gpu", "agent")]
