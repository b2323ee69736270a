"""Checks of the traced programs: keys used twice, and arithmetic that a device may round its own way.

What a CPU computes doesn't show what a GPU would. A GPU's float32 division is off by up to 2 units in
the last place, and running statistics magnify that where a number hardly varies. And a compiler may
leave out a cast to float32 and back: XLA does for a GPU, so that a number and its rounded self are one.
Both can be read off the programs as JAX traces them, on any device.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jax_port.envs import env_phase1_jax as env
from jax_port.envs.form import FORMS
from jax_port.envs.registry import phase_of
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from jax_port.ppo.train_ppo_jax import init_agent, update
from markets import EnvConfig
from parity.engine.compare import Comparison
from parity.engine.jaxprs import equations, inside
from parity.engine.verify import CheckResult
from parity.learner.cases import LearnerCase
from parity.learner.port import hyper_of, make_params
from parity.suites.randomness import ONE_BAR

UNROUNDED = ("reshape", "broadcast_in_dim", "squeeze", "transpose", "slice", "copy")
"""Operations that hand numbers on as they are."""
FLOAT32_BITS = 23
"""Of a float32's mantissa."""

KINDS = ROUNDED, OTHER, NARROWED = "rounded", "other", "narrowed"
"""A float64 rounded to float32, any other number, and a float32 cast from a float64 that was not."""

Programs = dict[str, tuple[Any, ...]]
"""A function and what it is traced with, by name."""


def traced_programs(seed: int) -> Programs:
    """Return the programs of both phases' environments and of both forms of the trainer, small."""
    programs: Programs = {}
    for config in (ONE_BAR, EnvConfig.phase2(max_episode_bars=1)):
        programs |= _traced_environment(config, seed)
    settings = _tiny(seed)
    params, hyper = make_params(LearnerCase("traced", settings, 1, ONE_BAR)), hyper_of(settings)
    for form in FORMS:
        programs[f"init_agent and update ({form})"] = (
            lambda s, f=form: update(init_agent(s, params, settings), hyper, params, settings, form=f),
            jnp.int32(seed),
        )
    return programs


def _traced_environment(config: EnvConfig, seed: int) -> Programs:
    params, phase = make_params(LearnerCase("traced", _tiny(seed), 1, config)), phase_of(config)
    key, hold = jax.random.key(seed), jnp.zeros(4, jnp.int32)
    states = jax.eval_shape(lambda k: env.batch_reset(k, params, 4, phase)[1], key)
    state = jax.eval_shape(lambda k: env.reset(k, params, phase)[1], key)
    programs: Programs = {
        "batch_reset": (lambda k: env.batch_reset(k, params, 4, phase), key),
        "batch_step": (lambda k, s: env.batch_step(k, s, hold, params, phase), key, states),
        "reset": (lambda k: env.reset(k, params, phase), key),
        "step": (lambda k, s: env.step(k, s, hold[0], params, phase), key, state),
    }
    return {f"{name}, phase {phase.number}": program for name, program in programs.items()}


def check_key_reuse(seed: int) -> CheckResult:
    """Trace the environments' and the trainer's programs with JAX's checker of keys used twice."""
    programs = traced_programs(seed)
    result = CheckResult("keys used twice", "traced programs", len(programs))
    reused = []
    with jax.debug_key_reuse(True):
        for name, (program, *arguments) in programs.items():
            try:
                jax.eval_shape(program, *arguments)
            except jax.errors.KeyReuseError as error:
                reused.append(f"{name}: {str(error).splitlines()[0]}")
    result.fields["programs"] = Comparison("no key twice", len(programs), len(reused))
    if reused:
        result.error = "; ".join(reused)
    return result


def check_rounding(seed: int) -> CheckResult:
    """Trace both phases' environments and both forms of the trainer, and read how they round.

    In the environments no division is of float32. Nowhere is a float64 cast to float32 and back, unless
    ``jax.lax.reduce_precision`` has rounded it, which no compiler may leave out.
    """
    objections = []
    programs = 0
    for config in (EnvConfig.phase1(), EnvConfig.phase2()):
        params, phase = make_params(LearnerCase("rounding", _tiny(seed), 1, config)), phase_of(config)
        state = jax.eval_shape(lambda k, p=params, f=phase: env.reset(k, p, f)[1], jax.random.key(0))
        step = jax.make_jaxpr(lambda k, s, p=params, f=phase: env.step(k, s, jnp.int32(0), p, f))(
            jax.random.key(seed), state
        )
        name = f"step, phase {phase.number}"
        objections += [f"{name}: {what}" for what in (*divisions(step), *casts_and_back(step))]
        programs += 1
    params = make_params(LearnerCase("rounding", _tiny(seed), 1, ONE_BAR))
    for form in FORMS:
        settings = _tiny(seed)
        learn = jax.make_jaxpr(
            lambda s, p=params, t=settings, f=form: update(
                init_agent(s, p, t), hyper_of(t), p, t, form=f
            )
        )(jnp.int32(seed))
        objections += [f"update ({form}): {what}" for what in casts_and_back(learn)]
        programs += 1
    result = CheckResult("rounding on any device", "traced programs", programs)
    result.fields["programs"] = Comparison("rounded once everywhere", programs, len(objections))
    result.error = "; ".join(dict.fromkeys(objections))
    return result


def divisions(program: Any) -> Iterator[str]:
    """Give a sentence for each division of float32 in a traced program."""
    for equation in equations(program):
        if equation.primitive.name == "div" and equation.outvars[0].aval.dtype == jnp.float32:
            yield f"a float32 division, which a GPU rounds its own way{_where(equation)}"


def casts_and_back(program: Any) -> Iterator[str]:
    """Give a sentence for each float64 that a traced program casts to float32 and back, also where the
    casts lie in different functions, branches or loops: a compiler puts them in one another's place.
    """
    given = [OTHER] * len(getattr(program, "jaxpr", program).invars)
    yield from _Rounding().follow(program, given)[1]


class _Rounding:
    """Follows numbers through a traced program and those inside it, each as often as it is called.

    Every number is :data:`NARROWED`, :data:`ROUNDED` or :data:`OTHER`.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, tuple[str, ...]], tuple[list[str], list[str]]] = {}

    def follow(self, program: Any, given: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return what a program's results are if its arguments are these, and its sentences."""
        jaxpr = getattr(program, "jaxpr", program)
        call = id(jaxpr), tuple(given)
        if call not in self._known:
            self._known[call] = self._followed(jaxpr, given)
        return self._known[call]

    def _followed(self, jaxpr: Any, given: Sequence[str]) -> tuple[list[str], list[str]]:
        marks = dict(zip(jaxpr.invars, given, strict=True))
        found: list[str] = []

        def of(variables: Sequence[Any]) -> list[str]:
            return [OTHER if hasattr(one, "val") else marks.get(one, OTHER) for one in variables]

        for equation in jaxpr.eqns:
            operands = of(equation.invars)
            if _casts(equation, "float32", "float64") and operands[0] == NARROWED:
                what = "a cast to float32 and back, which a compiler may leave out"
                found.append(f"{what}{_where(equation)}")
            results, within = self._after(equation, operands)
            found += within
            marks |= dict(zip(equation.outvars, results, strict=True))
        return of(jaxpr.outvars), found

    def _after(self, equation: Any, operands: list[str]) -> tuple[list[str], list[str]]:
        """Return what an operation's results are, and the sentences of programs inside it."""
        name, params = equation.primitive.name, equation.params
        if name in UNROUNDED:
            return operands[:1], []
        if name == "reduce_precision":
            return [ROUNDED if params["mantissa_bits"] <= FLOAT32_BITS else OTHER], []
        if _casts(equation, "float64", "float32"):
            return [OTHER if operands[0] == ROUNDED else NARROWED], []
        if name == "scan":
            first = params["num_consts"]
            last = first + params["num_carry"]
            return self._loop(params["jaxpr"], operands[:first], operands[first:last], operands[last:])
        if name == "while":
            first, last = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
            carried, found = self._loop(params["body_jaxpr"], operands[first:last], operands[last:], [])
            asked = self.follow(params["cond_jaxpr"], [*operands[:first], *carried])
            return carried, [*asked[1], *found]
        given = operands[1:] if name == "cond" else operands
        marks, found = [OTHER] * len(equation.outvars), []
        for number, program in enumerate(inside(params)):
            taken = len(getattr(program, "jaxpr", program).invars)
            fits = taken == len(given)
            results, within = self.follow(program, given if fits else [OTHER] * taken)
            found += within
            if fits and len(results) == len(marks):
                marks = results if number == 0 else _either(marks, results)
        return marks, found

    def _loop(
        self, body: Any, held: list[str], carried: list[str], rows: list[str]
    ) -> tuple[list[str], list[str]]:
        """Return what the results of a loop are, and its sentences, whatever round it is in."""
        while True:
            results, found = self.follow(body, [*held, *carried, *rows])
            after = _either(carried, results[: len(carried)])
            if after == carried:
                return [*carried, *results[len(carried) :]], found
            carried = after


def _either(one: list[str], other: list[str]) -> list[str]:
    """Return what numbers are that come from one of two places: narrowed if they are in any."""
    return [max(pair, key=KINDS.index) for pair in zip(one, other, strict=True)]


def _casts(equation: Any, before: str, after: str) -> bool:
    if equation.primitive.name != "convert_element_type":
        return False
    dtypes = (str(some[0].aval.dtype) for some in (equation.invars, equation.outvars))
    return (*dtypes,) == (before, after)


def _where(equation: Any) -> str:
    """Return which function an operation was traced in, for a sentence."""
    for frame in getattr(equation.source_info.traceback, "frames", ()):
        if f"{os.sep}jax{os.sep}" not in frame.file_name:
            return f" (in {frame.function_name}, {Path(frame.file_name).name}:{frame.line_num})"
    return ""


def _tiny(seed: int) -> TrainSettings:
    return TrainSettings(
        n_envs=4,
        n_steps=4,
        batch_size=8,
        n_epochs=1,
        total_timesteps=16,
        seed=seed,
        network=NetworkSpec((4,), (4,)),
    )
