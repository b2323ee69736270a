"""Distribution of starts: every start is drawn as often as chance allows, and leads to its own episode.

Source: section 4 of ``docs/environment.md`` ("a reset draws one uniformly"). A draw belongs to either
side's own generator, so there is nothing to compare it with; its frequencies are held to the page.
"""

from __future__ import annotations

import jax
import numpy as np
from scipy import special

from jax_port.envs import env_phase1_jax as port
from jax_port.envs.registry import phase_of
from parity.engine.compare import Array, Comparison
from parity.engine.pair import Fields, Pair
from parity.engine.record import Recording, resets_at
from parity.engine.verify import CheckResult, Mismatch, compare_fields

PER_START = 96
"""Draws for each start there is: enough that a start drawn never, or twice too often, stands out."""

CHANCE = 1e-9
"""How unlikely the most uncommon count may be before the draws are unfair, over all starts."""

SHOWN = 64
"""Resets that are held against the reference's own."""


def check_draws(pair: Pair, recording: Recording, seed: int = 0) -> list[CheckResult]:
    """Check the draws of restarts and of first resets.

    Args:
        pair: the pair; its port is driven, and its reference reset at some of the starts.
        recording: injected cases, some of which end an episode.
        seed: of the draws.
    """
    return [check_restart_draws(pair, recording, seed), check_resets(pair, seed)]


def _key(seed: int, check: int) -> jax.Array:
    """Return a check's own key: with one for both, a restart would draw what the first reset drew."""
    return jax.random.fold_in(jax.random.key(seed), check)


def check_restart_draws(pair: Pair, recording: Recording, seed: int = 0) -> CheckResult:
    """Check that restarts reach every start of every world, each as often as the others.

    Where no case ends an episode nothing restarts; that is an error.

    Args:
        pair: the pair; only its port is driven.
        recording: injected cases, some of which end an episode.
        seed: of the draws.
    """
    ends = recording.after["terminated"][:, 0] | recording.after["truncated"][:, 0]
    if not ends.any():
        error = "none of the cases ends an episode, so nothing restarts"
        return CheckResult("restart draws", " and ".join(pair.worlds), 0, error=error)
    lanes = np.resize(np.flatnonzero(ends), PER_START * _count(pair))
    names = sorted(set(pair.rules) & set(recording.before) - {"obs", "masks"})
    fields = {name: jax.device_put(recording.before[name][lanes]) for name in names}
    side = pair.port

    @jax.jit
    def restart(
        key: jax.Array, worlds: jax.Array, fields: dict[str, jax.Array], actions: jax.Array
    ) -> dict[str, jax.Array]:
        state = side.inject(worlds, fields, side.params)
        return side.read(side.step(key, state, actions, side.params).state, side.params)

    worlds, actions = recording.worlds[lanes], recording.actions[lanes, 0]
    out = restart(_key(seed, 1), worlds, fields, actions)
    return judge_draws(pair, "restart draws", {name: np.asarray(x) for name, x in out.items()})


def check_resets(pair: Pair, seed: int = 0) -> CheckResult:
    """Check a trainer's first reset: its draws, and what it shows against the reference's reset."""
    params, count = pair.port.params, PER_START * _count(pair)
    draw = jax.jit(port.batch_reset, static_argnums=(2, 3))
    obs, state = draw(_key(seed, 2), params, count, phase_of(params))
    fields = {name: np.asarray(x) for name, x in pair.port.read(state, params).items()}
    result = judge_draws(pair, "reset draws", fields)
    if not result.passed:
        return result
    few = slice(0, SHOWN)
    shown = {name: value[few] for name, value in fields.items()}
    shown["obs"] = np.asarray(obs[few])
    shown["masks"] = np.asarray(pair.port.masks(state, params)[few])
    worlds, starts = pair.begun(shown)
    expected: Fields = {name: value.copy() for name, value in shown.items()}
    for world in np.unique(worlds):
        here = worlds == world
        for name, value in resets_at(pair, int(world), starts[here]).items():
            expected[name][here] = value
    compared, firsts = compare_fields(pair.rules, expected, shown, np.ones(len(worlds), bool))
    result.fields.update(compared)
    result.first = firsts[0] if firsts else None
    return result


def _count(pair: Pair) -> int:
    return sum(len(starts) for starts in pair.starts)


def judge_draws(pair: Pair, check: str, fields: Fields) -> CheckResult:
    """Hold the starts at which N episodes began against uniform draws from all of them.

    Args:
        pair: knows the starts of every world.
        check: name of the check.
        fields: of N fresh episodes.
    """
    worlds, starts = pair.begun(fields)
    counts: list[Array] = []
    for world, known in enumerate(pair.starts):
        here = starts[worlds == world]
        place = np.searchsorted(known, here)
        strange = np.asarray(known)[np.minimum(place, len(known) - 1)] != here
        if strange.any():
            result = CheckResult(check, pair.worlds[world], len(starts))
            lane = int(np.flatnonzero(worlds == world)[np.argmax(strange)])
            result.first = Mismatch(lane, -1, "started at", (), -1.0, float(here[strange][0]))
            return result
        counts.append(np.bincount(place, minlength=len(known)))
    times_drawn = np.concatenate(counts)
    share, draws = 1.0 / len(times_drawn), len(starts)
    fewer, more = special.bdtr(times_drawn, draws, share), special.bdtrc(times_drawn - 1, draws, share)
    rare = np.minimum(fewer, np.where(times_drawn > 0, more, 1.0)) * len(times_drawn)
    result = CheckResult(check, " and ".join(pair.worlds), len(starts))
    unfair = rare < CHANCE
    result.fields["draws of a start"] = Comparison("by chance", len(times_drawn), int(unfair.sum()))
    if unfair.any():
        worst = int(np.argmin(rare))
        expected, drawn = len(starts) / len(times_drawn), float(times_drawn[worst])
        result.first = Mismatch(worst, -1, "draws of a start", (), expected, drawn)
    result.notes["draws_of_a_start"] = [int(times_drawn.min()), int(times_drawn.max())]
    return result
