"""Learner parity: the trainer's own program against sb3-contrib's MaskablePPO, end to end.

The port goes first. Then the real MaskablePPO collects rollouts on the reference environment, and
trains on them, with the actions, starts and minibatches that the port drew; and every number of both
is compared after every update. Source: ``docs/learner.md``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_port.envs.form import Form
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.ppo.policy import decide, make_network
from jax_port.ppo.running_statistics import Scale
from jax_port.ppo.settings import TrainSettings
from parity.engine.compare import Array, exact
from parity.engine.pair import Fields
from parity.engine.verify import CheckResult, Mismatch, compare_fields
from parity.learner.cases import KL_ENDS_ALL, LearnerCase, learner_cases
from parity.learner.definition import check_definition
from parity.learner.drawn import REQUIRED as STRUCTURES_REQUIRED
from parity.learner.drawn import coverage_of_structures, drawn_cases
from parity.learner.judge import judge_end, judge_updates
from parity.learner.port import PortRun, make_params, run_port, run_trainer, state_of_late
from parity.pairs.port_lines import port_at_work

if TYPE_CHECKING:
    from parity.learner.reference import Reference

TRAINED_TOGETHER = 2
"""Cases, from the first, that the trainer's program trains side by side."""

TRIES = 40
"""Seeds tried until one says something; with target_kl about three in ten do, else three in four."""

APART = 2**31 // TRIES
"""Distance of the seeds that are tried in turn."""

CHANCE = 5.0
"""Deviations by which an action may be drawn too often or too seldom."""

ORDERS_REQUIRED = frozenset(f"learner, orders: {value}" for value in ("one", "by group"))
REQUIRED = (
    STRUCTURES_REQUIRED
    | ORDERS_REQUIRED
    | frozenset(
        f"learner: {name}"
        for name in (
            "terminated",
            "truncated, value added",
            "forbidden action",
            "observation clipped",
            "reward clipped",
            "ended on a rollout's last step",
            "went on after a rollout's last step",
            "ratio clipped",
            "value clipped",
            "norm clipped",
            "norm not clipped",
            "partial minibatch",
            "stopped by target_kl",
            KL_ENDS_ALL,
            "rate annealed",
            "reward not normalised",
        )
    )
)
"""What must have happened, or the comparison has not seen enough."""

STEPS = 1.0, -1.0, 0.5
NEAR = 1e-9
"""A difference of logits too small to make one probability differ from another in float32."""


class LearnerRun:
    """One case driven on both sides.

    Attributes:
        case: as it was compared, with the seed that was found.
        weights: before training, by torch's names.
        form: of the trainer's program.
        params: the port's environment.
        port: what the port did and drew.
        updates: what the reference did with it.
        coverage: how often each thing happened.
        decisions: likeliest actions by the reference, of :func:`decision_cases`.
    """

    def __init__(self, case: LearnerCase, form: Form = "cpu") -> None:
        """Drive both sides, with the first of :func:`seeds_to_try` that can be compared.

        Where a decision of the reference lies within rounding (a ratio on the edge of its clip
        range, say), two right programs may decide differently, and all that follows differs; where
        rounding is magnified, they come apart by more than a limit. Such a seed says nothing; whether
        it is one is told by the reference alone.

        Raises:
            ArithmeticError: no seed can be compared.
            AstrayError: the two sides do not restart at the same steps.
        """
        from parity.learner.rounding import STEADY, rounding_share

        self.form: Form = form
        with port_at_work():
            self.params: EnvParams = make_params(case)
        for seed in seeds_to_try(case.settings.seed):
            self.case = replace(case, settings=case.settings.override(seed=seed))
            reference = self._begin()
            self.weights: Fields = reference.weights
            self.port: PortRun = run_port(self.case, self.weights, self.params, form)
            done = reference.learn(self.port.draws)
            if done.margin < 1 or not all(done.coverage[name] for name in case.must_show):
                continue
            if rounding_share(self.case, self._begin, done, self.port.draws) <= STEADY:
                self.updates: Sequence[Fields] = done.updates
                self.coverage = coverage_of(self.case, done.updates, done.coverage)
                self.decisions: Array = reference.decide(*decision_cases(self.case))
                return
        shows = f", or do not show: {', '.join(case.must_show)}" if case.must_show else ""
        raise ArithmeticError(f"{case.name}: {TRIES} seeds in a row hang on rounding{shows}")

    def _begin(self) -> Reference:
        """Return the reference before it learns."""
        from parity.learner.reference import Reference

        reference = Reference(self.case)
        if (late := self.case.late) is not None:
            state = state_of_late(self.case, late, reference.weights, self.params)
            reference.begin_late(state, late.adam_steps)
        return reference


def seeds_to_try(seed: int) -> list[int]:
    """Return what a case is tried with in turn: its own seed, then others far from it.

    Seeds less than :data:`APART` from each other share none, so no two rounds compare the same case.
    """
    return [(seed + number * APART) % 2**31 for number in range(TRIES)]


def check_learner(seed: int = 0) -> Iterator[CheckResult]:
    """Yield the results of all cases, and of the trainer's program on each form's first ones together.

    Args:
        seed: of weights, environments and draws.
    """
    for form, begin, end in learner_parts(seed):
        yield from check_cases(form, begin, end, seed)


def learner_parts(seed: int = 0) -> list[tuple[Form, int, int]]:
    """Return what can be judged by itself: a form and its cases from one to before another."""
    parts: list[tuple[Form, int, int]] = []
    for form, cases in cases_of_forms(seed).items():
        parts.append((form, 0, TRAINED_TOGETHER))
        parts += [(form, begin, begin + 1) for begin in range(TRAINED_TOGETHER, len(cases))]
    return parts


def check_cases(form: Form, begin: int, end: int, seed: int = 0) -> Iterator[CheckResult]:
    """Yield the results of some cases of a form, one of :func:`learner_parts`.

    The first ones are also trained together by the trainer's own program; in the CPU's form they show
    which action counts as likeliest.
    """
    runs: list[LearnerRun] = []
    for case in cases_of_forms(seed)[form][begin:end]:
        yield from _check_one(form, case, runs)
    if begin or len(runs) < TRAINED_TOGETHER:
        return
    if form == "cpu":
        yield check_decisions(runs[0].case, runs[0].decisions)
    yield from check_trainer(runs)


def check_case(form: Form, case: LearnerCase) -> list[CheckResult]:
    """Return the results of one case in a form of the trainer's program."""
    return list(_check_one(form, case, []))


def _check_one(form: Form, case: LearnerCase, runs: list[LearnerRun]) -> Iterator[CheckResult]:
    """Yield a case's results, and add what was driven to ``runs`` where it could be."""
    from parity.learner.led import AstrayError

    try:
        run = LearnerRun(case, form)
    except (AstrayError, ArithmeticError) as error:
        yield CheckResult("learner", case.name, 0, error=str(error))
        return
    result = judge_updates(run.case, run.updates, run.port.updates)
    result.coverage = run.coverage
    result.notes["updates"] = len(run.updates)
    result.notes["gradient_steps"] = sum(int(table["gradient steps"]) for table in run.updates)
    result.notes["seed"] = run.case.settings.seed
    yield result
    yield check_drawn(run.case, run.port)
    yield check_definition(run.case, run.weights, run.port)
    runs.append(run)


def cases_of_forms(seed: int = 0) -> dict[Form, list[LearnerCase]]:
    """Return what each form of the trainer's program is compared on, here on whatever device there is.

    The names of the cases say which form it is, but for the CPU's.
    """
    clipping, target_kl, quiet, wide = learner_cases(seed)
    first, second, *others = drawn_cases(seed)
    forms: dict[Form, list[LearnerCase]] = {
        "cpu": [clipping, target_kl, quiet, wide, first, second],
        "gpu": [clipping, target_kl, wide, *others],
    }
    return {
        form: [case if form == "cpu" else replace(case, name=f"{case.name} ({form})") for case in some]
        for form, some in forms.items()
    }


def count_checks() -> int:
    """Return how many results :func:`check_learner` yields."""
    forms = cases_of_forms()
    return 3 * sum(map(len, forms.values())) + 1 + TRAINED_TOGETHER * len(forms)


def check_trainer(runs: Sequence[LearnerRun]) -> list[CheckResult]:
    """Check where the trainer's own program leads to: all updates of several agents in one call."""
    cases = [run.case for run in runs]
    ends = run_trainer(cases, [run.weights for run in runs], runs[0].params, runs[0].form)
    return [judge_end(run.case, run.updates[-1], end) for run, end in zip(runs, ends, strict=True)]


def coverage_of(case: LearnerCase, updates: Sequence[Fields], seen: Counter[str]) -> Counter[str]:
    """Return how often each thing happened in a case, under the report's names."""
    rates = {float(table["learning rate"]) for table in updates}
    counts = Counter(seen)
    counts["rate annealed"] += len(rates) - 1
    if not case.settings.norm_reward:
        counts["reward not normalised"] += sum(table["rewards"].size for table in updates)
    named = {f"learner: {name}": count for name, count in counts.items() if count}
    return Counter(named) + Counter(coverage_of_structures([case]))


def check_drawn(case: LearnerCase, run: PortRun) -> CheckResult:
    """Check what no comparison can: that minibatches are shuffled, and actions drawn as they should.

    Every order holds every transition once and none is used twice; where orders are by group, every
    minibatch has equal shares of them; no forbidden action is taken; each
    action, and likely actions on the whole, are taken as often as probabilities say.
    """
    orders = run.draws.orders.reshape(-1, run.draws.orders.shape[-1])
    result = CheckResult("learner draws", case.name, run.draws.actions.size + orders.size)
    whole = np.arange(orders.shape[1])
    bad = (np.sort(orders, axis=1) != whole).any(1)
    if bad.any():
        result.first = Mismatch(int(bad.argmax()), -1, "an order with every transition", (), 1.0, 0.0)
        return result
    different = len(np.unique(orders, axis=0))
    if different != len(orders):
        counts = float(len(orders)), float(different)
        result.first = Mismatch(0, -1, "different orders", (), *counts)
        return result
    uneven = uneven_minibatches(case.settings, orders)
    if uneven:
        result.first = Mismatch(0, -1, "equal shares of a minibatch", (), 0.0, float(uneven))
        return result
    actions, probabilities, masks = (
        np.stack([table[name] for table in run.updates])
        for name in ("actions", "probabilities", "masks")
    )
    allowed = np.take_along_axis(masks, actions[..., None].astype(np.int64), -1)
    if not allowed.all():
        place = tuple(int(i) for i in np.argwhere(~allowed)[0])
        result.first = Mismatch(place[0], place[1], "action allowed", place[2:3], 1.0, 0.0)
        return result
    chance = np.maximum(probabilities.astype(np.float64), 1e-30)
    one_hot = {
        f"action {number}": np.eye(chance.shape[-1])[number] for number in range(chance.shape[-1])
    }
    for name, told_by in {**one_hot, "likely actions": np.log(chance)}.items():
        weight = np.broadcast_to(told_by, chance.shape)
        taken = np.take_along_axis(weight, actions[..., None].astype(np.int64), -1).sum()
        mean = (chance * weight).sum(-1)
        spread = np.sqrt(np.maximum((chance * weight**2).sum(-1) - mean**2, 0).sum() + 1e-12)
        off = float((taken - mean.sum()) / spread)
        if abs(off) >= abs(result.notes.get("deviations", 0.0)):
            result.notes.update(deviations=round(off, 2), of=name)
        if not abs(off) < CHANCE and result.first is None:
            result.first = Mismatch(0, -1, f"frequency of {name}", (), float(mean.sum()), float(taken))
    return result


def uneven_minibatches(settings: TrainSettings, orders: Array) -> int:
    """Return how many minibatches of orders (K, M) do not have as many transitions of each group."""
    groups, size = settings.order_groups, orders.shape[1]
    cuts = range(settings.batch_size, size, settings.batch_size)
    shares = (
        np.bincount(part // (size // groups), minlength=groups)
        for order in orders
        for part in np.split(order, cuts)
    )
    return sum(len(set(share.tolist())) > 1 for share in shares)


def decision_cases(case: LearnerCase) -> tuple[Array, Array]:
    """Return logits float32 (M, A) and masks bool (M, A) among which the likeliest is to be chosen.

    Some logits differ by too little to make their probabilities differ, and then the first counts;
    some of the largest are forbidden; the rest are told apart easily. Actions after the third are
    always forbidden.
    """
    others = phase_of(case.config).num_actions - 3
    logits, masks = [], []
    near = [(0.0, NEAR, -5.0), (0.0, 2 * NEAR, NEAR), (-5.0, 0.0, NEAR), (NEAR, -5.0, 2 * NEAR)]
    plain = [(a, b, c) for a in STEPS for b in STEPS for c in STEPS]
    for row in (*near, *plain, (3.0, 9.0, 3.0001), (9.0, 3.0, 3.0 + 1e-9)):
        for mask in ((True, True, True), (True, False, True), (False, True, True)):
            logits.append((*row, *[10.0] * others))
            masks.append((*mask, *[False] * others))
    return np.array(logits, np.float32), np.array(masks)


def port_decisions(case: LearnerCase) -> Array:
    """Return the port's likeliest actions of :func:`decision_cases`: int64 (M,).

    The weights are zero, so that the logits are the action head's biases to the bit.
    """
    settings = case.settings
    logits, masks = decision_cases(case)
    network = make_network(settings.network, num_actions=masks.shape[1])
    shapes: Any = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 4), jnp.float32))
    params: Any = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    scale = Scale(jnp.zeros(4), jnp.zeros(4), jnp.ones(4))

    def likeliest(bias: jax.Array, mask: jax.Array) -> jax.Array:
        head = {**params["params"]["action_head"], "bias": bias}
        weights = {"params": {**params["params"], "action_head": head}}
        return decide(network, weights, scale, jnp.zeros((1, 4)), mask[None])[0]

    chosen = jax.jit(jax.vmap(likeliest))(jnp.asarray(logits), jnp.asarray(masks))
    return np.asarray(chosen).astype(np.int64)


def check_decisions(case: LearnerCase, reference: Array) -> CheckResult:
    """Check which action counts as likeliest, on near ties and under masks."""
    with port_at_work():
        ours: Fields = {"likeliest action": port_decisions(case)}
    theirs: Fields = {"likeliest action": reference}
    rules = {"likeliest action": exact()}
    stats, firsts = compare_fields(rules, theirs, ours, np.ones(len(reference), bool))
    first = firsts[0] if firsts else None
    return CheckResult("learner decisions", "near ties", len(reference), stats, first)
