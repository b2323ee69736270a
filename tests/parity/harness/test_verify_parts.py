"""Parts of a verification: what is accepted, what was seen, and that nothing found is left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity import Accepted, Report, close, integer, real, verify
from parity.harness import cases as make
from parity.harness.contract.devices import ask_devices
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.modes import boundaries as about
from parity.harness.modes.draws import Drawn
from parity.harness.modes.free_run import FreeRun
from parity.harness.questions import QUESTIONS
from parity.harness.verify import _accept, _free, _generated, _seen, _unsure
from tests.parity.harness.modes.test_draws_of_a_side import seldom
from tests.parity.harness.sides import tiny
from tests.parity.harness.test_cases import of_one_s_own
from tests.sentences import refuses
from tests.snapshots import Snapshot

FEW: dict[str, Any] = {"transitions": 128, "resets": 50}


@pytest.mark.parametrize("status", ["same", "different", "note", "not asked"])
def test_only_a_difference_is_accepted_and_only_by_its_own_name(status: Any) -> None:
    known = (Accepted("step after the end", "one"), Accepted(("info keys", "info values"), "two"))
    questions = ["info values", "step after the end", "free run"]
    marked, used = _accept(
        tiny.pair(accepted=known), [Answer(name, status, "so") for name in questions]
    )
    if status != "different":
        assert [one.status for one in marked] == [status] * 3
        assert used == []
        return
    assert [(one.status, one.reason) for one in marked] == [
        ("accepted", "two"),
        ("accepted", "one"),
        ("different", ""),
    ]
    assert used == [known[1], known[0]]


def test_branches_are_counted_in_every_set_of_cases() -> None:
    one = tiny.pair(
        branches={
            "third": lambda before, action, after: before["count"] == 2,
            "up": lambda before, action, after: action["action"] == 1,
            "fast": lambda before, action, after: after["levels"][:, 1] > 1,
            "never": lambda before, action, after: before["count"] < 0,
        }
    )
    base = make.visited(one, 320, 0)
    judge = Judge(one, base)
    evidence = [judge.step(base), judge.step(base.rows(np.arange(7)))]
    both = [*range(len(base)), *range(7)]
    after = evidence[0].native.reference
    assert _seen(judge, evidence) == {
        "an episode ends": int(after.ended[both].sum()),
        "third": int((base.state["count"][both] == 2).sum()),
        "up": int((base.action["action"][both] == 1).sum()),
        "fast": int((after.state["levels"][both, 1] > 1).sum()),
        "never": 0,
    }
    one.branches["third"] = lambda before, action, after: after["levels"] > 1  # type: ignore[index]
    with refuses():
        _seen(judge, evidence)


def plain(made: Report) -> dict[str, Any]:
    """Return a report's values, fields and answers by name."""
    values = made.to_dict()
    assert values.pop("seconds") > 0
    fields, answers = values.pop("fields"), values.pop("contract")
    by_name = {one["name"]: one for one in fields} | {one["question"]: one for one in answers}
    assert list(by_name) == [one.name for one in made.fields] + [one.question for one in made.answers]
    return {**values, "by name": by_name}


def noisy(names: tuple[str, ...], wrong: float = 0.0, **changes: Any) -> Any:
    """Return a side whose steps draw some parts, and pay more after three steps."""

    class Drawing(tiny.Tiny):
        rng = np.random.default_rng(0)

    def step(one: Any, action: Any) -> Any:
        obs, reward, *others, _ = one.step(action)
        draws = one.rng.random(2)
        one.open = bool(draws[0] < 0.5) if "open" in names else one.open
        reward = draws[1] if "reward" in names else reward + wrong * (one.count == 3)
        return (
            {**obs, "open": one.open},
            reward,
            *others,
            {"told": one.count, **dict.fromkeys(names, 1)},
        )

    def reseed(one: Any, seed: int) -> None:
        one.rng = np.random.default_rng(seed)

    return tiny.side(step, Drawing, reseed=reseed, **changes)


def test_a_whole_verification_of_sides_that_draw_nothing(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "parity.harness.verify.ask_devices", lambda *a: asked.append(a[2:]) or ask_devices(*a)
    )

    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others, _ = one.step(action)
        obs = {**obs, "near": obs["near"] * (1 + 1e-3 * (one.count == 3))}
        return obs, reward + (one.count == 5), *others, {"told": one.count}

    known = (
        Accepted("obs.near", "as it is", lambda before, action, after: before["count"] == 2),
        Accepted("levels", "never seen"),
        Accepted(("info keys", "info values"), "told on purpose"),
        Accepted("reward on the last step", "as the reward"),
    )
    branches = {"third": lambda before, action, after: before["count"] == 2}
    one = tiny.pair(
        tiny.side(step),
        accepted=known,
        branches=branches,
        rules={"levels": close(7)},
        draw=of_one_s_own,
    )
    made = verify(one, transitions=65, resets=53, seed=3, place="a:pair", devices=3)
    snapshot("report", plain(made))
    assert (made.unchecked, asked) == ([], [("a:pair", 3)])
    assert made.unused == ["levels: never seen", "info keys, info values: told on purpose"]


@pytest.mark.costly
def test_a_whole_verification_of_sides_of_which_each_draws(snapshot: Snapshot) -> None:
    """One draws a flag, the other one a reward, and each of them is told."""
    told: list[tuple[str, int, int]] = []
    known = (Accepted("info keys", "as it is"), Accepted("info values", "never seen"))
    one = tiny.pair(
        noisy(("reward",)), reference=noisy(("open",)), accepted=known, rules={"obs": close(7)},
        branches={"third": lambda before, action, after: before["count"] == 2},
    )  # fmt: skip
    made = verify(
        one, transitions=65, resets=53, seed=3, place="a:pair", progress=lambda *a: told.append(a)
    )
    snapshot("report", plain(made))
    assert {name.name for name in made.fields if name.verdict == "drawn"} == {
        "open",
        "obs.open",
        "reward",
    }
    versions = "python jax jaxlib numpy gymnasium gymnax envparity"
    assert list(made.made["versions"]) == versions.split()
    assert [(number, parts) for _, number, parts in told] == [(number, 7) for number in range(7)]
    words = "playing the reference, visited states, drawn states, free run, resets, the contract"
    assert ", ".join(what for what, _, _ in told) == f"{words}, smallest cases"


@pytest.mark.parametrize("played", ["port", "reference"])
def test_a_whole_verification_where_a_side_is_only_played(played: str, snapshot: Snapshot) -> None:
    """In single precision, with as little as may be asked for."""

    def read(one: tiny.Tiny) -> Any:
        return {**tiny.read(one), "levels": one.levels.astype(np.float32)}

    def wrong(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        return obs, reward + (action == 1), *others

    sides = {"reference": tiny.side(read=read), "port": tiny.side(wrong, read=read)}
    sides[played].write = None
    made = verify(tiny.pair(**sides), transitions=32, resets=50, seed=2**63 - 1)
    snapshot("report", plain(made))
    (wrong_one,) = (one for one in made.fields if not one.passed)
    assert wrong_one.name == "reward"
    assert wrong_one.smallest is not None


def test_what_a_boundary_is_looked_for_and_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end that is drawn is no boundary, and without double precision there are ends alone."""
    asked: list[tuple[int, int, int]] = []
    given = about.boundary

    def boundary(*words: Any) -> Any:
        _, _, _, seed, _, pairs, search = words
        asked.append((search, pairs, seed))
        return given(*words)

    monkeypatch.setattr(about, "boundary", boundary)
    one = tiny.pair()
    base = make.visited(one, 32, 5)
    for random, lacking, searches in (
        (frozenset[str](), False, [(0, 48, 5), (1, 24, 5), (2, 24, 5), (3, 24, 5)]),
        (frozenset({"reward"}), True, [(0, 48, 5)]),
        (frozenset({"terminated"}), True, []),
        (frozenset({"truncated"}), True, []),
    ):
        asked.clear()
        judge = Judge(one, base, random)
        judge.no_double = {"the port": "it is said to have none"} if lacking else {}
        counts: dict[str, int] = {"visited": 32}
        evidence = _generated(judge, base, 40, 5, counts)
        assert asked == searches
        names = [name for name in counts if name != "visited"]
        assert [len(part.cases) for part in evidence] == [counts[name] for name in names]
        assert names[0] == "drawn"
        assert counts["drawn"] == 40
        assert ("boundary" in names) == ((0, 48, 5) in searches)
        assert ("clip" in names) == (not lacking)
    few = _generated(judge, base, 3, 5, {})
    assert len(few[0].cases) == 16


def test_where_nothing_that_is_drawn_can_be_the_domains_are_told() -> None:
    one = tiny.pair(possible=lambda state: state["count"] < 0)
    base = make.visited(tiny.pair(), 32, 0)
    with refuses():
        _generated(Judge(one, base), base, 17, 0, {})
    first, counts = base.state["levels"][0, 0], dict[str, int]()
    one = tiny.pair(possible=lambda state: state["levels"][:, 0] == first, state={})
    (evidence,) = _generated(Judge(one, base), base, 90, 0, counts)
    assert 0 < counts["drawn"] == len(evidence.cases) < 90


def report(step: Any = None, **changes: Any) -> Report:
    return verify(tiny.pair(tiny.side(step), **changes), **FEW)


@pytest.mark.costly
def test_every_question_is_answered_once_and_in_order() -> None:
    made = report()
    assert made.passed, str(made)
    names = [one.question for one in made.answers]
    assert names == sorted(names, key=QUESTIONS.index)
    left = {"restart only at an end"}  # of ports that restart by themselves
    assert (set(QUESTIONS) - set(names), len(names)) == (left, len(QUESTIONS) - 1)
    assert made.cases["visited"] == made.cases["drawn"] == 64
    assert made.cases["boundary"] > 100
    assert made.field("levels").compared == sum(made.cases.values())


@pytest.mark.costly
def test_a_branch_that_is_never_taken_fails_the_pair() -> None:
    made = report(branches={"never": lambda before, action, after: before["count"] < 0})
    assert (made.verdict, made.missing) == ("not enough seen", ["never"])


def only_where(condition: Any) -> Any:
    def step(one: tiny.Tiny, action: Any) -> Any:
        wrong = condition(one)
        obs, reward, *others = one.step(action)
        return obs, reward + wrong, *others

    return step


FAULTS: dict[str, Any] = {
    "a state that is visited alone": lambda one: one.count == 0 and 1e9 <= one.levels[0] <= 2e9,
    "a state that no episode visits": lambda one: one.levels[1] > 1e6,
}


@pytest.mark.costly
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_wherever_its_states_come_from(name: str) -> None:
    made = report(only_where(FAULTS[name]))
    assert made.verdict == "different"
    assert not made.field("reward").passed


@pytest.mark.costly
def test_a_limit_that_is_off_by_a_millionth_is_found_about_the_boundary() -> None:
    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, over, _, info = one.step(action)
        return obs, reward, over, one.levels[1] > 9.0 * (1 + 1e-6), info

    made = report(step, state={"levels": real(0, 100), "count": integer(0, 11)})
    assert made.field("truncated").logic > 10
    assert made.answer("terminated or truncated").status == "different"


@pytest.mark.costly
def test_accepted_differences_that_were_not_seen_are_told() -> None:
    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others, _ = one.step(action)
        return obs, reward + 1, *others, {"more": 1}

    known = (
        Accepted("reward", "one more"),
        Accepted("levels", "never"),
        Accepted("free run", "never either"),
        Accepted("action space", "nor this"),
        Accepted("reward on the last step", "one more too"),
    )
    made = report(step, accepted=known)
    assert made.unused == [
        "levels: never",
        "free run: never either",
        "action space: nor this",
        "reward on the last step: one more too",
    ]
    assert made.field("reward").verdict == "accepted"


@pytest.mark.parametrize("growth", [{}, {"levels": 1.5}])
@pytest.mark.parametrize("apart", ["", "levels comes apart"])
def test_what_comes_apart_in_a_free_run_is_a_difference_however_rounding_grows(
    apart: str, growth: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = FreeRun(steps=9, episodes=4, compared=30, growth=growth, apart=apart)
    monkeypatch.setattr("parity.harness.verify.free_run", lambda judge, seed: run)
    judge: Any = SimpleNamespace(random=frozenset())
    found, (answer,) = _free(judge, 0)
    assert found is run
    assert answer.status == ("different" if apart else "same")
    assert answer.text.startswith(apart or "nothing but rounding comes apart in 4 episodes of up to 9")
    run.compared = 0
    found, (answer,) = _free(judge, 0)
    assert found is run
    assert answer.status == "not asked"
    assert answer.text == "every step ended in a restart, and the port shows no state before it"
    judge.random = frozenset({"levels"})
    found, (answer,) = _free(judge, 0)
    assert (found, answer.status) == (None, "not asked")


@pytest.mark.costly
@pytest.mark.parametrize("wrong", [False, True])
def test_the_contract_is_left_out_only_where_a_field_is_wrong_already(wrong: bool) -> None:
    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        return obs, reward + wrong, *others

    made = verify(tiny.pair(tiny.side(step)), stop_early=True, **FEW)
    assert made.verdict == ("different" if wrong else "same")
    assert len(made.answers) == (0 if wrong else len(QUESTIONS) - 1)


@pytest.mark.costly
@pytest.mark.parametrize("power", [1, 3])
def test_draws_in_few_states_alone_are_compared_too(power: int) -> None:
    """What is not drawn in the states that are tried first is found where the fields differ."""

    def side(power: int) -> Any:
        def reseed(one: Any, seed: int) -> None:
            one.rng = np.random.default_rng([seed, power])

        def step(one: Any, action: Any) -> Any:
            rare = int(one.levels[0]) % 64 == 0
            obs, reward, *others = one.step(action)
            one.open = bool(one.rng.random() < 0.5)  # this is drawn everywhere
            return obs, one.rng.random() ** power if rare else reward, *others

        class Drawing(tiny.Tiny):
            rng = np.random.default_rng(0)

        return tiny.side(step, Drawing, reseed=reseed)

    port = side(power)
    port.reseed = lambda one, seed: setattr(one, "rng", np.random.default_rng([seed, 9]))
    made = verify(tiny.pair(port, reference=side(1)), transitions=600, resets=50)
    assert made.field("reward").verdict == "drawn"
    answer = made.answer("draws within a step")
    assert answer.status == ("same" if power == 1 else "different"), answer.text
    assert "reward" in answer.text


@pytest.mark.parametrize("mine", [frozenset(), frozenset("a"), frozenset("ab")])
@pytest.mark.parametrize("theirs", [frozenset(), frozenset("b"), frozenset("ab")])
@pytest.mark.parametrize("status", ["note", "same", "different", "not asked"])
def test_what_one_side_alone_draws_by_chance_has_yet_to_be_seen_of_the_other(
    status: Any, mine: frozenset[str], theirs: frozenset[str]
) -> None:
    answers = [Answer("free run", "note", ""), Answer("draws within a step", status, "")]
    found = _unsure(Drawn(mine, theirs, []), answers)
    expected = [f"a step in which the reference draws {name}" for name in "ab" if name in theirs - mine]
    expected += [f"a step in which the port draws {name}" for name in "ab" if name in mine - theirs]
    assert found == (dict.fromkeys(expected, 0) if status == "note" else {})
    assert _unsure(Drawn(mine, theirs, []), answers[:1]) == {}


@pytest.mark.parametrize("draws", ["reference", "port"])
def test_what_the_first_probes_missed_is_said_of_the_side_that_draws_it(
    draws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probes are kept from seeing anything; where a reward differs its cases are drawn again."""
    monkeypatch.setattr("parity.harness.verify.drawn_fields", lambda *_: (frozenset(), frozenset()))
    sides = {name: seldom(0.5 if name == draws else 0.0, 1) for name in ("reference", "port")}
    report = verify(tiny.pair(sides["port"], reference=sides["reference"]), transitions=64, resets=50)
    answer = report.answer("draws within a step")
    assert answer.status == "different"
    assert answer.text.startswith(f"only the {draws} draws reward; ")
