"""A bundle's proof hop by hop, on small decisions by hand: which side is asked what, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from markets.advice.fusion import Fused, FusionSettings, Situation
from parity.export_chain.comparison import Board
from parity.export_chain.observations import Batch
from parity.fusion import bundle as proof
from parity.fusion.bundle import WithPrior, prove_fusion
from parity.fusion.cases import situations
from parity.fusion.sides import numpy_side

SETTINGS = FusionSettings(
    "gated", weight=1.7, threshold=0.41, most_losses=2, least_left=0.35, fade=0.25, most_age=6
)
ROWS, DRAWN, ACTIONS = 40, 60, 6
FILES = ("PyTorch", "PyTorch program (.pt2)", "ONNX Runtime", "C#")


def fused(*rows: tuple[float, ...], action: list[int] | None = None) -> Fused:
    """Return decisions of these probabilities, each its likeliest action or another."""
    chances = np.array(rows)
    return Fused(chances, np.array(action) if action else chances.argmax(axis=1))


def failed(board: Board) -> dict[tuple[str, str], int]:
    return {(one.hop, one.stage): one.mismatches for one in board.comparisons if not one.passed}


class _Proof:
    """A chain whose files give logits by hand, with a change of one of them where a test makes it."""

    def __init__(self, patch: pytest.MonkeyPatch, checker: bool = True) -> None:
        rng = np.random.default_rng(3)
        self.logits = rng.normal(size=(ROWS, ACTIONS)).astype(np.float32)
        masks = rng.random((ROWS, ACTIONS)) < 0.6
        masks[:, 0] = True
        self.batch = Batch(rng.random((ROWS, 5)).astype(np.float32), masks)
        self.off: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.fused: dict[str, list[tuple[Situation, FusionSettings]]] = {}
        board, scratch = Board(), Path("scratch")
        network = SimpleNamespace(num_actions=ACTIONS)
        self.chain: Any = SimpleNamespace(
            board=board,
            folder="folder",
            running="running",
            manifest={"fusion": SETTINGS.to_dict()},
            policy=SimpleNamespace(network=network, name="policy"),
            market="market",
            scratch=scratch,
            use=None,
            checker=SimpleNamespace(program="program", side=self.opened("C#")) if checker else None,
        )
        patch.setattr(proof, "OBSERVATIONS", 31)
        patch.setattr(proof, "DRAWN", DRAWN)
        files = {"pytorch": FILES[0], "program": FILES[1], "onnx": FILES[2]}
        opened = {name: self.opened(side) for name, side in files.items()}
        patch.setattr(proof, "sides", SimpleNamespace(**opened))
        patch.setattr(proof, "jax_side", self.fuse("JAX"))
        patch.setattr(proof, "torch_side", self.fuse("PyTorch"))
        patch.setattr(proof, "csharp_side", self.compiled)
        patch.setattr(proof, "of_episodes", self.observed)
        patch.setattr(proof, "in_float32", self.ours)

    def opened(self, name: str) -> Callable[..., Any]:
        def open_file(*given: Any) -> Any:
            self.asked.append((name, *given))

            def side(obs: Any, masks: Any) -> dict[str, Any]:
                assert obs is self.batch.obs
                assert masks is self.batch.masks
                more = self.off.get(name, 0.0)
                return {"action_head": self.logits.astype(np.float64) + more, "value": None}

            return side

        return open_file

    def fuse(self, name: str) -> Callable[[Situation, FusionSettings], Fused]:
        def side(given: Situation, settings: FusionSettings) -> Fused:
            self.fused.setdefault(name, []).append((given, settings))
            return numpy_side(given, settings)

        return side

    def compiled(self, program: str, scratch: Path) -> Any:
        assert (program, scratch) == ("program", self.chain.scratch)
        return self.fuse("C#")

    def observed(self, policy: Any, market: str, least: int, seed: int) -> Any:
        assert (policy, market, least, seed) == (self.chain.policy, "market", 31, 1)
        return iter([self.batch])

    def ours(self, policy: Any, obs: Any, masks: Any) -> dict[str, Any]:
        assert (policy, obs, masks) == (self.chain.policy, self.batch.obs, self.batch.masks)
        return {"action_head": self.logits}


def one_row(row: int, more: float) -> np.ndarray:
    """Return a change of one row's second action."""
    change = np.zeros((ROWS, ACTIONS))
    change[row, 1] = more
    return change


@pytest.mark.parametrize("checker", [True, False])
def test_each_file_s_logits_are_fused_by_its_own_side_and_told(
    checker: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _Proof(monkeypatch, checker)
    found = prove_fusion(made.chain)
    drawn = situations(ROWS, ACTIONS, 7, SETTINGS)
    given = drawn._replace(logits=made.logits, masks=made.batch.masks)
    bare = np.where(given.masks, given.logits, -np.inf).argmax(axis=1)
    changed = int((numpy_side(given, SETTINGS).action != bare).sum())
    assert 0 < changed < ROWS
    assert found == {
        "settings": SETTINGS.to_dict(),
        "drawn": DRAWN,
        "observations": ROWS,
        "changed": changed,
    }
    names = FILES if checker else FILES[:3]
    assert made.asked == [
        ("PyTorch", "folder", torch.float32),
        ("PyTorch program (.pt2)", "running"),
        ("ONNX Runtime", "running"),
        *([("C#", made.chain.policy)] if checker else []),
    ]
    alone = ("PyTorch", "C#") if checker else ("PyTorch",)
    told = {(one.hop, one.stage): one.compared for one in made.chain.board.comparisons}
    assert told == {
        **{(f"fusion alone, {n}", s): DRAWN for n in alone for s in ("probabilities", "action")},
        **{(f"fusion, {n}", s): ROWS for n in names for s in ("probabilities", "action")},
    }
    assert made.chain.board.first_divergence() is None
    assert {name: len(some) for name, some in made.fused.items()} == {
        "JAX": 2,
        "PyTorch": 4,
        **({"C#": 2} if checker else {}),
    }
    whole = situations(DRAWN, ACTIONS, 11, SETTINGS)
    for some in made.fused.values():
        assert {settings for _, settings in some} == {SETTINGS}
        for value, wanted in zip(some[0][0], whole, strict=True):
            np.testing.assert_array_equal(value, wanted)
        for later, _ in some[1:]:
            for value, wanted in zip(later, given, strict=True):
                np.testing.assert_array_equal(value, wanted)
                assert value.dtype == wanted.dtype


@pytest.mark.parametrize("row", [3, ROWS - 1])
@pytest.mark.parametrize("name", FILES)
def test_a_file_whose_logits_differ_in_one_row_is_named(
    name: str, row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _Proof(monkeypatch)
    made.batch.masks[row] = True
    made.off[name] = one_row(row, 0.01)
    prove_fusion(made.chain)
    assert failed(made.chain.board) == {(f"fusion, {name}", "probabilities"): 1}
    quiet = _Proof(monkeypatch)
    quiet.off[name] = one_row(row, 1e-6)  # by rounding
    prove_fusion(quiet.chain)
    assert failed(quiet.chain.board) == {}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("lacking", [True, False])
def test_where_the_fusion_is_the_prior_every_file_is_held_to_training_too(
    name: str, lacking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own logits, beside the drawn answers; not at all where a policy has no prior."""
    made = _Proof(monkeypatch)
    drawn = situations(ROWS, ACTIONS, 23, SETTINGS)
    given = drawn._replace(logits=made.logits, masks=np.ones_like(made.batch.masks))
    told = WithPrior(given, numpy_side(given, SETTINGS), np.zeros(ROWS, np.int64))
    asked: list[Any] = []
    monkeypatch.setattr(proof, "_with_prior", lambda *given: asked.append(given) or told)
    monkeypatch.setattr(proof, "_module", lambda *given: asked.append(given))
    made.chain.use = None if lacking else "use"
    made.off[name] = one_row(ROWS - 1, 0.01)
    made.batch.masks[-1] = True
    prove_fusion(made.chain)
    hops = {one.hop for one in made.chain.board.comparisons if "prior" in one.hop}
    if lacking:
        assert (asked, hops) == ([], set())
        return
    assert asked[0][:3] == (made.chain, "use", made.batch)
    assert asked[0][3] is made.logits
    assert asked[1] == (made.chain, made.batch, told)
    assert hops == {f"fusion is the prior, {one}" for one in FILES}
    hops = {f"fusion, {name}", f"fusion is the prior, {name}"}
    assert failed(made.chain.board) == {(hop, "probabilities"): 1 for hop in hops}


RIGHT = fused((0.5, 0.3, 0.2), (0.2, 0.2, 0.6), (0.1, 0.8, 0.1))


def moved(by: float) -> Fused:
    """Return what is right, but for the last probability of all."""
    chances = RIGHT.probabilities.copy()
    chances[-1, -1] += by
    return RIGHT._replace(probabilities=chances)


@pytest.mark.parametrize(("by", "passes"), [(9e-5, True), (1.2e-4, False), (np.nan, False)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_probabilities_on_equal_logits_lie_within_a_ten_thousandth(
    by: float, sign: int, passes: bool
) -> None:
    chain: Any = SimpleNamespace(board=Board())
    proof._compare(chain, "hop", RIGHT, moved(sign * by))
    assert failed(chain.board) == ({} if passes else {("hop", "probabilities"): 1})


@pytest.mark.parametrize(
    ("lead", "differs"), [(0.3, True), (1.2e-4, True), (8e-5, False), (0.0, False)]
)
def test_actions_may_change_places_at_a_near_tie_alone(lead: float, differs: bool) -> None:
    """The lead is that of the likeliest action above the next, wherever they stand."""
    tie = (0.5 - lead / 2, 0.0, 0.5 + lead / 2)
    expected = fused((0.5, 0.3, 0.2), tie)
    board = Board()
    proof._compare(SimpleNamespace(board=board), "hop", expected, expected._replace(action=[0, 0]))  # type: ignore[arg-type]
    assert failed(board) == ({("hop", "action"): 1} if differs else {})
    told = [(one.hop, one.stage, one.compared) for one in board.comparisons]
    assert told == [("hop", "probabilities", 2), ("hop", "action", 2)]


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("probability", "lead", "stages"),
    [
        (9e-7, 0.3, {"action"}),
        (1.2e-6, 0.3, {"probabilities", "action"}),
        (0.0, 1.2e-6, {"action"}),
        (0.0, 8e-7, set()),
        (np.nan, 8e-7, {"probabilities"}),
    ],
)
def test_decisions_that_are_drawn_whole_are_held_to_a_millionth(
    side: int, probability: float, lead: float, stages: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "DRAWN", 3)
    tie = (0.5 - lead / 2, 0.0, 0.5 + lead / 2)
    expected = fused((0.5, 0.3, 0.2), (0.1, 0.7, 0.2), tie)
    monkeypatch.setattr(proof, "jax_side", lambda given, settings: expected)
    chances = expected.probabilities.copy()
    chances[-1, 1] += probability
    wrong = Fused(chances, np.array([0, 1, 0]))
    answers = [expected, expected]
    answers[side] = wrong
    fuses = {name: (lambda *_, n=n: answers[n]) for n, name in enumerate(("A", "B"))}
    policy = SimpleNamespace(network=SimpleNamespace(num_actions=3))
    chain: Any = SimpleNamespace(board=Board(), policy=policy)
    proof._drawn(chain, SETTINGS, fuses)  # type: ignore[arg-type]
    name = ("A", "B")[side]
    assert failed(chain.board) == {(f"fusion alone, {name}", stage): 1 for stage in stages}
    assert [one.hop for one in chain.board.comparisons] == [
        f"fusion alone, {one}" for one in ("A", "A", "B", "B")
    ]


def test_a_lead_is_that_of_the_likeliest_above_the_next() -> None:
    rows = [[0.2, 0.5, 0.3], [0.9, 0.06, 0.04], [0.25, 0.5, 0.25], [0.4, 0.2, 0.4]]
    np.testing.assert_allclose(proof._lead(rows), [0.2, 0.84, 0.25, 0.0], atol=1e-15)
    np.testing.assert_allclose(proof._lead(np.float32(rows)), [0.2, 0.84, 0.25, 0.0], atol=1e-6)


@pytest.mark.parametrize("wrong", [None, "action", "probabilities"])
def test_a_bundle_s_own_module_is_given_the_ages_of_answers_and_held_to_training(
    wrong: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is forbidden has no chance at all, however unlikely all else was made."""
    masks = np.array([[True, True, False], [True, False, True], [True, True, True]])
    logits = np.array([[-30.0, -31.0, 0.0], [-40.0, 9.0, -38.0], [1.0, 2.0, 0.5]], np.float32)
    chances = np.where(masks, np.exp(logits.astype(np.float64)), 0)
    chances /= chances.sum(axis=1, keepdims=True)
    given = situations(3, 3, 2, SETTINGS)
    told = WithPrior(given, Fused(chances, np.array([0, 2, 1])), np.array([4, -1, 0]))
    batch = Batch(np.arange(6, dtype=np.float32).reshape(3, 2), masks)
    asked: list[Any] = []
    action = np.array([0, 2, 2 if wrong == "action" else 1])
    made = logits + np.float32(0.01) * (np.arange(9).reshape(3, 3) == 8) * (wrong == "probabilities")

    def advised(obs: torch.Tensor, allowed: torch.Tensor, prior: str) -> Any:
        asked.append((obs.tolist(), allowed.tolist(), prior))
        return torch.tensor(action), torch.tensor(made)

    def prior_of(folder: str, *answers: torch.Tensor) -> str:
        asked.append((folder, [one.tolist() for one in answers]))
        return "prior"

    monkeypatch.setattr(proof.torch_policy, "prior_of", prior_of)
    monkeypatch.setattr(
        proof.torch_policy,
        "load",
        lambda folder: asked.append(folder) or SimpleNamespace(advised=advised),
    )
    chain: Any = SimpleNamespace(board=Board(), folder="folder")
    proof._module(chain, batch, told)
    answers = [given.advice.tolist(), given.confidence.tolist(), [4, -1, 0]]
    assert asked == [
        ("folder", answers),
        "folder",
        (batch.obs.tolist(), masks.tolist(), "prior"),
    ]
    hop = "fusion is the prior, PyTorch module"
    assert failed(chain.board) == ({(hop, wrong): 1} if wrong else {})
    assert {(one.hop, one.compared) for one in chain.board.comparisons} == {(hop, 3)}


class _Market:
    timestamps_ns = "times"

    def __len__(self) -> int:
        return 6


def test_drawn_answers_are_those_of_the_bars_that_stand_for_the_observations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With their ages, and with what training makes of the same bars' prior."""
    minute, row = np.array([100, 105, 109, 120, 131, 140]), np.array([-1, 0, 0, 2, 3, 3])
    age = np.array([-1, 4, 8, 10, 10, 19])  # 105 - 100 - 1, 109 - 100 - 1, 120 - 109 - 1 and so on
    rng = np.random.default_rng(1)
    known = SimpleNamespace(row=row, advice=rng.random((6, 3)), confidence=rng.random(6))
    known.fresh = rng.random(6)
    laid, priors = SimpleNamespace(minute=minute), rng.normal(size=(6, 3)).astype(np.float32)
    use: Any = SimpleNamespace(settings="settings")
    market = _Market()
    asked: list[Any] = []

    def make_params(markets: Any, config: str) -> str:
        asked.append((markets, config))
        return "params"

    def prior_at(bars: Any, actions: int, params: str) -> Any:
        asked.append((bars.tolist(), actions, params))
        return jnp.asarray(priors[np.asarray(bars)])

    def by_bar(answers: Any, settings: str) -> Any:
        asked.append((answers, settings))
        return known

    phase = SimpleNamespace(num_actions=3, make_params=make_params)
    monkeypatch.setattr(proof, "phase_of", lambda config: asked.append(config) or phase)
    monkeypatch.setattr(proof, "drawn_answers", lambda times: asked.append(times) or laid)
    monkeypatch.setattr(proof, "with_advice", lambda *given: given)
    monkeypatch.setattr(proof, "stack", tuple)
    monkeypatch.setattr(proof, "prior_at", prior_at)
    monkeypatch.setattr(proof, "by_bar", by_bar)
    count = 24
    logits = rng.normal(size=(count, 3)).astype(np.float32)
    masks = rng.random((count, 3)) < 0.7
    masks[:, 0] = True
    chain: Any = SimpleNamespace(market=market, policy=SimpleNamespace(config="config"))
    made = proof._with_prior(chain, use, Batch(np.zeros((count, 2), np.float32), masks), logits)
    bars = np.random.default_rng(5).integers(0, 6, count)
    assert set(bars) == set(range(6))
    assert asked == [
        "times",
        "config",
        (((market, laid, use),), "config"),
        (bars.tolist(), 3, "params"),
        (laid, "settings"),
    ]
    assert made.ages.tolist() == age[bars].tolist()
    wanted = (logits, masks, known.advice[bars], known.confidence[bars], known.fresh[bars])
    for value, right in zip(made.given, (*wanted, np.zeros(count), np.ones(count)), strict=True):
        np.testing.assert_array_equal(value, right)
    assert (made.given.losses.dtype, made.given.left.dtype) == (np.int32, np.float32)
    chances = np.where(masks, np.exp(logits.astype(np.float64) + priors[bars]), 0)
    chances /= chances.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made.trained.probabilities, chances, atol=1e-6)
    assert made.trained.action.tolist() == chances.argmax(axis=1).tolist()
