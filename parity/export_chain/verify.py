"""Verification of an exported bundle: the whole chain from raw bars to action, every hop measured."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.files import file_digest
from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.evaluation.evaluate import check_policy
from jax_port.export import torch_policy
from jax_port.export.advised import TRAINED_WITH, fusion_of, load_network
from jax_port.export.bundle import FILES, MODULE, POLICY
from jax_port.export.layers import same_bits
from jax_port.export.manifest import check_files, describe, read_manifest
from jax_port.export.sb3 import MODEL, NORMALIZER, load_sb3
from jax_port.ppo.policy import Policy
from jax_port.runs.run import made_with
from markets import SYMBOLS, Bars, Contract, InputError
from markets.advice.by_bar import AdviceUse
from markets.synthetic.bars import synthetic_bars
from parity.export_chain.comparison import Board
from parity.export_chain.csharp import Checker, available, compile_checker, missing
from parity.export_chain.day import make_day
from parity.export_chain.decisions import compare_decisions
from parity.export_chain.market import (
    compare_csharp_day,
    compare_csharp_golden,
    compare_golden,
    compare_stream,
)
from parity.export_chain.origin import HOP, compare_origin
from parity.export_chain.rebuilt import RUNNING, rebuild
from parity.export_chain.replay import replay

OBSERVATIONS = 100_000
EPISODES = 20
DAYS = 30
STATED = (
    "phase",
    "actions",
    "observation",
    "normalizer",
    "network",
    "masks",
    "env_config",
    "certificate",
    "lineage",
    "made",
)

OnProgress = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to verify.

    Attributes:
        folder: the bundle.
        bars: market for the decisions and the replay; synthetic ones when None.
        observations: at least this many of episodes.
        episodes: replayed in the reference's environment.
        need_csharp: fail where C# can't be checked, instead of saying so.
        run: folder of the run that made the policy; the bundle is held to it too.
        trust: load the bundle's own files that run when they are loaded, instead of the same files
            made anew from its weights.
    """

    folder: Path
    bars: Bars | None = None
    observations: int = OBSERVATIONS
    episodes: int = EPISODES
    need_csharp: bool = False
    trust: bool = False
    run: Path | None = None


@dataclass(frozen=True)
class Chain:
    """A bundle that is being verified, for a proof of more than its policy.

    Attributes:
        board: is told every distance.
        folder, manifest, policy: the bundle.
        running: folder of the files that run when they are loaded.
        market: bars under the policy's rules.
        scratch: a folder for files.
        checker: the C# side; None where it isn't there.
        use: how the policy was trained with advice; None for without. The policy here decides without.
    """

    board: Board
    folder: Path
    manifest: dict[str, Any]
    policy: Policy
    running: Path
    market: PreparedMarket
    scratch: Path
    checker: Checker | None
    use: AdviceUse | None = None


ProveMore = Callable[[Chain], dict[str, Any] | None]
"""What is proved beside the policy; its answer goes into the report."""


def prove_nothing_more(chain: Chain) -> dict[str, Any] | None:
    """Prove the policy alone (a :data:`ProveMore`); a fusion that a bundle carries fails it."""
    if "fusion" in chain.manifest:
        _equal(chain.board, "fusion", "settings", "proved", "not proved")
    return None


def verify(
    request: Request,
    on_progress: OnProgress = lambda stage: None,
    prove_fusion: ProveMore = prove_nothing_more,
) -> dict[str, Any]:
    """Return a report of the chain, ready for JSON; its "verdict" is "same" or "different".

    Args:
        request: what to verify.
        on_progress: told each stage.
        prove_fusion: proves the fusion that a bundle carries, such as
            :func:`parity.fusion.bundle.prove_fusion`.

    Raises:
        InputError: the bundle or the bars can't be used, or C# is needed and Mono is missing.
    """
    began, folder = time.perf_counter(), request.folder
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    policy, use = load_network(folder / POLICY)
    check_policy(policy)
    contract = _contract(folder, manifest)
    bars = bars_for(folder, manifest, request.bars)
    if request.need_csharp and (lacking := missing()) is not None:
        raise InputError(lacking)
    market = prepare(bars, policy.config)
    board = Board()
    on_progress("files and manifest")
    compare_files(board, folder, manifest, policy, contract)
    compare_prior(board, manifest, use)
    compare_origin(
        lambda stage, expected, found: _equal(board, HOP, stage, expected, found),
        folder,
        manifest,
        policy,
        contract,
        request.run,
    )
    on_progress("golden values in the reference")
    golden = compare_golden(board, folder, policy, contract)
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as made:
        running, rebuilt = folder, None
        if not request.trust:
            on_progress("files that run code, made anew")
            rebuilt = rebuild(folder, policy, manifest, Path(made))
            running = rebuilt.folder
        checker, day = None, None
        if available():
            on_progress("C# from raw bars")
            checker, day = _check_csharp(board, folder, Path(scratch), policy, bars)
        on_progress("decisions")
        actions = compare_decisions(
            board,
            folder,
            policy,
            market,
            request.observations,
            running=running,
            csharp=None if checker is None else checker.side(policy),
        )
        on_progress("episodes in the reference's environment")
        played = replay(board, running, policy, bars, market, request.episodes)
        on_progress("fusion")
        fusion = prove_fusion(
            Chain(board, folder, manifest, policy, running, market, Path(scratch), checker, use)
        )
        if rebuilt is not None:
            _note_rebuilt(board, rebuilt.different)
    first = board.first_divergence()
    return {
        "verdict": "same" if first is None else "different",
        "first_divergence": None if first is None else first.sentence(),
        "bundle": {
            "folder": folder.name,
            "phase": policy.config.phase,
            "contract": contract.symbol,
            "policy_sha256": file_digest(folder / POLICY),
            "certificate": manifest["certificate"],
        },
        "data": {"source": bars.source, "sha256": bars.digest, "bars": len(bars)},
        "golden": golden,
        "day": day,
        "actions": actions.to_dict(),
        "replay": played,
        "fusion": fusion,
        "csharp": "checked" if checker is not None else missing() or "refused",
        "hops": [comparison.to_dict() for comparison in board.comparisons],
        "made": {**made_with(), "seconds": round(time.perf_counter() - began, 1)},
    }


def _note_rebuilt(board: Board, different: Sequence[str]) -> None:
    """Note which running files are not what the weights give, after all that was decided."""
    for name in RUNNING:
        words = "the same" if name not in different else "another; --trust loads it all the same"
        _equal(board, "running files", f"{name} is what its weights give", "the same", words)


def _check_csharp(
    board: Board, folder: Path, scratch: Path, policy: Policy, bars: Bars
) -> tuple[Checker | None, dict[str, Any] | str | None]:
    """Return the compiled checker, None where it refuses the bundle, and what it saw of a whole day."""
    checker = Checker(compile_checker(scratch / "ParityCheck.exe"), folder, scratch)
    stated = _day(policy, bars)
    try:
        compare_csharp_golden(board, checker)
        compare_stream(board, checker, policy, bars)
        if isinstance(stated, str):
            return checker, stated
        return checker, compare_csharp_day(board, checker, bars, stated)
    except InputError as error:
        _equal(board, "C# from raw bars", "the bundle is accepted", "yes", str(error))
        return None, None


def compare_files(
    board: Board, folder: Path, manifest: dict[str, Any], policy: Policy, contract: Contract
) -> None:
    """Compare what the manifest states with the policy, and the round trip through SB3, bit for bit."""
    hop = "files"
    _equal(board, hop, "files listed", sorted(FILES), sorted(manifest["files"]))
    own = Path(torch_policy.__file__).read_bytes()
    _equal(board, hop, f"{MODULE} is this version's", True, (folder / MODULE).read_bytes() == own)
    stated = json.loads(json.dumps(describe(policy, contract, manifest["source"])))
    for name in STATED:
        sides = (json.dumps(part.get(name), sort_keys=True) for part in (stated, manifest))
        _equal(board, hop, f"manifest: {name}", *sides)
    back = load_sb3(folder / MODEL, folder / NORMALIZER, advised=True)
    comparison = board.at("JAX to SB3 to JAX", "bits of weights and statistics").update([0], [0])
    if wrong := same_bits(policy, back):
        comparison.mismatches, comparison.share = 1, float("inf")
        comparison.first = {"expected": "the same bits", "found": f"others in {', '.join(wrong[:4])}"}
    _equal(board, "JAX to SB3 to JAX", "activation", policy.spec.activation, back.spec.activation)
    _equal(board, "JAX to SB3 to JAX", "rules", policy.config, back.config)


def compare_prior(board: Board, manifest: dict[str, Any], use: AdviceUse | None) -> None:
    """Compare what the manifest says of advice in training with the policy, and the fusion with it."""
    stated = None if use is None else use.to_dict()
    _equal(board, "files", f"manifest: {TRAINED_WITH}", stated, manifest.get(TRAINED_WITH))
    if use is not None:
        own = fusion_of(use, "the policy").to_dict()
        _equal(board, "files", "manifest: fusion is the prior", own, manifest.get("fusion"))


def _equal(board: Board, hop: str, stage: str, expected: Any, actual: Any) -> None:
    comparison = board.at(hop, stage)
    comparison.compared += 1
    if expected != actual:
        comparison.mismatches, comparison.share, comparison.max_abs = 1, float("inf"), float("inf")
        comparison.first = {"expected": str(expected)[:400], "found": str(actual)[:400]}


def _day(policy: Policy, bars: Bars) -> dict[str, Any] | str:
    """Return a day for the C# checker, or why the bars hold none."""
    try:
        return make_day(policy, bars)
    except InputError as error:
        return f"not checked over a whole day: {error}"


def bars_for(folder: Path, manifest: dict[str, Any], bars: Bars | None) -> Bars:
    """Return bars of a bundle's contract: those given, else synthetic ones.

    Raises:
        InputError: those given are of another contract or bring features along, or there are no
            synthetic ones of it.
    """
    contract = _contract(folder, manifest)
    if bars is None:
        return _synthetic(contract)
    if (bars.contract.symbol, bars.contract.tick_size) != (contract.symbol, contract.tick_size):
        raise InputError(
            f"{bars.source}: bars of {bars.contract.symbol}, and {folder} trades {contract.symbol}; "
            "give bars of its contract, or export the policy with another --symbol"
        )
    if bars.precomputed is not None:
        raise InputError(
            f"{bars.source}: brings features along, and a live strategy computes them; read the bars "
            "without use_features"
        )
    return bars


def _contract(folder: Path, manifest: dict[str, Any]) -> Contract:
    try:
        return Contract(**manifest["contract"])
    except TypeError as error:
        raise InputError(
            f"{folder}: its contract is not one ({error}); export the policy anew"
        ) from None


def _synthetic(contract: Contract) -> Bars:
    if contract.symbol not in SYMBOLS:
        raise InputError(f"there are no synthetic bars of {contract.symbol}; give bars with --data")
    return synthetic_bars(contract.symbol, days=DAYS, seed=17)
