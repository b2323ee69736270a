"""Cases: states and actions that are visited, or drawn from domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from foundation.errors import InputError
from parity.harness.fields import Domain
from parity.harness.pair import Pair
from parity.harness.sides.side import Steps, join_moments, join_steps, take_moments
from parity.harness.spaces import Space
from parity.harness.trees import Array, Fields, as_numbers, cast, flags, flatten, join, rows_of, take

LANES = 16
"""Episodes that are played side by side."""
ROUNDS = 20
"""How often states are drawn where few of them are possible."""


@dataclass
class Cases:
    """N states with an action each.

    Attributes:
        state, action: fields (N, ...); numbers with a fraction of drawn states in float64.
        source: where they come from: "visited", "drawn" or "boundary", (N,).
        played: what the reference did in them, if they were recorded while it played.
        seeds: int64 (N,), what its draws came from then.
    """

    state: Fields
    action: Fields
    source: Array
    played: Steps | None = None
    seeds: Array | None = None

    def __len__(self) -> int:
        return rows_of(self.action)

    def rows(self, rows: Any) -> Cases:
        """Return some of the cases."""
        played = None if self.played is None else self.played.rows(rows)
        seeds = None if self.seeds is None else self.seeds[rows]
        return Cases(take(self.state, rows), take(self.action, rows), self.source[rows], played, seeds)

    def spread(self, many: int) -> Cases:
        """Return up to so many of the cases, evenly from the first to the last."""
        return self.rows(np.linspace(0, len(self) - 1, min(many, len(self))).astype(int))


class Actions:
    """Draws actions of N lanes from a pair's action space, in stretches of the same."""

    def __init__(self, pair: Pair, rng: np.random.Generator) -> None:
        space = pair.reference.spaces()["action"] or pair.port.spaces()["action"]
        if space is None and pair.action is None:
            raise InputError(
                f"{pair.name}: neither side has an action space; give Pair(action=integer(0, n - 1)) "
                "or action=real(low, high)"
            )
        for name, leaf in (space or {}).items():
            if pair.action is not None and leaf.kind == "discrete" and not pair.action.whole:
                raise InputError(
                    f"{pair.name}: {name} is in whole numbers, and the pair's domain of actions has a "
                    "fraction; give Pair(action=integer(low, high)), or none"
                )
            if pair.action is not None and not _holds(leaf.dtype, pair.action):
                raise InputError(
                    f"{pair.name}: the pair's domain of actions, {pair.action.low:g} to "
                    f"{pair.action.high:g}, goes beyond what {name} holds ({leaf.dtype}); give a "
                    "narrower Pair(action=...)"
                )
        self._pair, self._rng, self.space = pair, rng, space or {}
        self._held: Fields | None = None

    def draw(self, count: int) -> Fields:
        """Return ``count`` actions, drawn one by one."""
        if self._pair.action is not None and not self.space:
            drawn = self._pair.action.sample(self._rng, (count,))
            return {"action": drawn if self._pair.action.whole else drawn.astype(np.float32)}
        return {
            name: leaf.sample(self._rng, count, self._pair.action) for name, leaf in self.space.items()
        }

    def next(self, obs: Fields, state: Fields) -> Fields:
        """Return the next action of every lane: the policy's, or mostly the one before."""
        count = rows_of(state)
        if self._pair.policy is not None:
            return self._chosen(self._pair.policy(self._rng, obs, state), count)
        new = self.draw(count)
        if self._held is None:
            self._held = new
        change = self._rng.random(count) < np.linspace(0.03, 1.0, count)
        if self._pair.legal is not None:
            change |= ~_legal(self._pair, state, self._held)
        for name, values in new.items():
            self._held[name] = np.where(
                change.reshape(-1, *(1,) * (values.ndim - 1)), values, self._held[name]
            )
        if self._pair.legal is not None:
            self._held = self._redrawn(state, self._held)
        return {name: value.copy() for name, value in self._held.items()}

    def _chosen(self, given: Any, count: int) -> Fields:
        """Return the actions that a policy chose, in arrays with a row for each lane."""
        actions = {name: as_numbers(name, value) for name, value in flatten(given, "action").items()}
        for name, values in actions.items():
            if values.shape[:1] != (count,):
                raise InputError(
                    f"{self._pair.name}: policy returns {name} of shape {values.shape} for {count} "
                    "lanes; it must return arrays with a row for each"
                )
        return actions

    def _redrawn(self, state: Fields, action: Fields) -> Fields:
        for _ in range(200):
            bad = ~_legal(self._pair, state, action)
            if not bad.any():
                return action
            drawn = self.draw(len(bad))
            for name, values in drawn.items():
                action[name] = np.where(
                    bad.reshape(-1, *(1,) * (values.ndim - 1)), values, action[name]
                )
        raise InputError(f"{self._pair.name}: no legal action among 200 drawn in some state; see legal")


def _holds(dtype: str, domain: Domain) -> bool:
    """Return whether a dtype holds a domain's ends, where it is one of whole numbers."""
    if np.dtype(dtype).kind not in "iu":
        return True
    ends = np.iinfo(dtype)
    return ends.min <= domain.low and domain.high <= ends.max


def visited(pair: Pair, count: int, seed: int) -> Cases:
    """Return at least ``count`` states and actions of episodes that the reference plays."""
    rng = np.random.default_rng([seed, 1])
    actions = Actions(pair, rng)
    seeds = rng.integers(0, 2**31, LANES)
    now = pair.reference.reset(seeds)
    lanes = pair.reference.lanes(seeds, None)
    states, taken, steps, used = [], [], [], []
    for _ in range(-(-count // LANES)):
        action = actions.next(now.obs, now.state)
        seeds = rng.integers(0, 2**31, LANES)
        restartable = hasattr(lanes, "restart")
        done = (
            lanes.advance(action, seeds)
            if restartable
            else pair.reference.transition(now.state, action, seeds)
        )
        states.append(now.state)
        taken.append(action)
        steps.append(done)
        used.append(seeds)
        now = _go_on(pair, lanes, done, rng)
    played = join_steps([replace(step, restart=None) for step in steps])
    total = rows_of(played.outcome)
    wide = {name: np.concatenate([state[name] for state in states]) for name in states[0]}
    source = np.full(total, "visited")
    return Cases(wide, join(taken), source, played, np.concatenate(used))


def _go_on(pair: Pair, lanes: Any, done: Steps, rng: np.random.Generator) -> Any:
    """Return the moments to go on from: those after the step, of another episode where one ended."""
    moments = []
    for row in range(LANES):
        seed = int(rng.integers(0, 2**31))
        if not done.ended[row]:
            moments.append(take_moments(_moments(done), [row]))
        elif hasattr(lanes, "restart"):
            moments.append(lanes.restart(row, seed))
        else:
            moments.append(pair.reference.reset(np.array([seed])))
    return join_moments(moments)


def _moments(steps: Steps) -> Any:
    from parity.harness.sides.side import Moments

    return Moments(steps.state, steps.obs)


def drawn(pair: Pair, base: Cases, count: int, seed: int) -> Cases:
    """Return up to ``count`` cases: visited states with declared fields drawn anew, and drawn actions;
    half of them the pair's own, where it draws some itself.

    Where few of them are possible, more are drawn, up to :data:`ROUNDS` times as many.
    """
    rng = np.random.default_rng([seed, 2])
    actions = Actions(pair, rng)
    parts: list[Cases] = [] if pair.draw is None else [_own(pair, base, -(-count // 2), rng)]
    for _ in range(ROUNDS):
        parts.append(_drawn_once(pair, base, count, rng, actions))
        if sum(len(part) for part in parts) >= count:
            break
    return concat(parts).rows(np.arange(min(sum(len(part) for part in parts), count)))


def _own(pair: Pair, base: Cases, count: int, rng: np.random.Generator) -> Cases:
    """Return the possible ones of ``count`` cases that the pair itself draws.

    Raises:
        InputError: they lack a field, or hold one in another form than visited states do.
    """
    assert pair.draw is not None
    made: Any = pair.draw(rng, count)
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], Mapping)):
        raise InputError(
            f"{pair.name}: draw returns a value of type {type(made).__name__}; return two, the fields "
            "of a state by name and the actions"
        )
    state, action = dict(made[0]), flatten(made[1], "action")
    for what, own, others in (("state", state, base.state), ("action", action, base.action)):
        if set(own) != set(others):
            wanted, has = ", ".join(others), ", ".join(own)
            raise InputError(f"{pair.name}: draw returns the {what} fields {has}; it has {wanted}")
        for name, values in own.items():
            values = np.asarray(values)
            if len(values) != count or values.shape[1:] != others[name].shape[1:]:
                raise InputError(
                    f"{pair.name}: draw returns {name} of shape {values.shape} for {count} cases; it "
                    f"must be {(count, *others[name].shape[1:])}"
                )
            own[name] = cast(name, values, others[name].dtype)
    return possible(pair, Cases(state, action, np.full(count, "drawn")))


def _drawn_once(
    pair: Pair, base: Cases, count: int, rng: np.random.Generator, actions: Actions
) -> Cases:
    rows = rng.integers(0, len(base), count)
    state = take(base.state, rows)
    unknown = sorted(set(pair.state) - set(state))
    if unknown:
        raise InputError(
            f"{pair.name}: {', '.join(unknown)} has a domain and is no field of the state; "
            f"the state has {', '.join(state)}"
        )
    whole = rng.random(count) < 0.7
    for name, domain in pair.state.items():
        old = state[name]
        if domain.whole != (old.dtype.kind != "f"):
            kind = "whole numbers" if domain.whole else "numbers with a fraction"
            raise InputError(
                f"{pair.name}: the domain of {name} has {kind} and the state has {old.dtype}; "
                f"use {'real' if domain.whole else 'integer'}(...)"
            )
        if old.dtype == bool and not (domain.low >= 0 and domain.high <= 1):
            raise InputError(f"{pair.name}: {name} is a flag; its domain is integer(0, 1)")
        new = domain.sample(rng, old.shape)
        anew = (whole | (rng.random(count) < 0.5)).reshape(-1, *(1,) * (old.ndim - 1))
        mixed = np.where(anew, new, old.astype(new.dtype))
        state[name] = mixed.astype(bool) if old.dtype == bool else mixed
    cases = Cases(state, actions.draw(count), np.full(count, "drawn"))
    return possible(pair, cases)


def possible(pair: Pair, cases: Cases) -> Cases:
    """Return the cases whose states can occur and whose actions are legal."""
    keep = np.ones(len(cases), bool)
    if pair.possible is not None:
        keep &= flags(f"{pair.name}: possible", pair.possible(cases.state), len(cases))
    if pair.legal is not None:
        keep &= _legal(pair, cases.state, cases.action)
    return cases.rows(np.flatnonzero(keep))


def _legal(pair: Pair, state: Fields, action: Fields) -> Array:
    assert pair.legal is not None
    return flags(f"{pair.name}: legal", pair.legal(state, action), rows_of(action))


def concat(parts: list[Cases]) -> Cases:
    """Return several sets of cases, one after another, without what was played."""
    return Cases(
        join([part.state for part in parts]),
        join([part.action for part in parts]),
        np.concatenate([part.source for part in parts]),
    )


def simpler_actions(
    space: Space, name: str, value: Any, domain: Domain | None, place: int = 0
) -> list[Any]:
    """Return numbers for a place of an action, simpler to read than ``value``, the simplest first."""
    leaf = space.get(name)
    if domain is None:
        if leaf is None or place >= leaf.low.size:
            return []
        low, high = float(leaf.low.reshape(-1)[place]), float(leaf.high.reshape(-1)[place])
        domain = Domain(low, high, leaf.kind == "discrete")
    return domain.simpler(value)
