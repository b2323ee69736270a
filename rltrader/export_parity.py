"""Train a policy of each phase, export both and verify both: ``python -m rltrader.export_parity``.

The training is short and ungated: it is the way out that is proved here, not what was learnt. It is
done on a market with a planted edge, unless bars are given, so that the policies soon trade. Phase 2
begins with Phase 1's weights, as it would in earnest, and is trained while Phase 1 is exported and
verified.
"""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from foundation.errors import InputError, run_command
from foundation.progress import status
from foundation.signals import closing_pool, worker_start
from markets.contracts import added_contracts
from markets.contracts_file import know_contracts, known_files
from rltrader.options.bars import BarOptions, bar_options

if TYPE_CHECKING:
    from jax_port.runs.plan import Plan
    from markets import Bars
    from parity.export_chain.verify import Request

OUT = Path("reports/export")
PHASES = (1, 2)
MARK = "export_parity.txt"
"""Says of a run or a bundle that it was made here, so that the next time may replace it."""
MARKED = "made by rltrader.export_parity, which replaces it the next time\n"
PATTERN_DAYS = 30
ENVS = 256
LEARNING_RATE = 0.001
"""Three times the default, so that a short training moves the weights far."""

Report = Mapping[str, Any]
Verification = Callable[[], Report]
"""Waits for a report, as :func:`parity.export_chain.verify.verify` gives it."""


@dataclass(frozen=True)
class ChainRequest:
    """What to train, export and verify.

    Attributes:
        bars: the file to train on and to verify on; synthetic markets where there is none.
        steps: of training, for each phase.
        hidden: sizes of the policy's and of the value's hidden layers.
        observations: compared in each phase.
        episodes: replayed in each phase.
        need_csharp: fail where Mono is missing.
        out: folder of the runs, the bundles and the reports.
    """

    bars: BarOptions = field(default_factory=BarOptions)
    steps: int = 200_000
    hidden: tuple[int, ...] = (256, 256)
    observations: int = 100_000
    episodes: int = 20
    need_csharp: bool = False
    out: Path = OUT


def require_own(out: Path) -> None:
    """Require that whatever would be replaced in a folder was made by :func:`prove_export`.

    Raises:
        InputError: something else is in a place that is needed.
    """
    for folder in (place for phase in PHASES for place in _places(out, phase)):
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
        if taken and not (folder / MARK).is_file():
            raise InputError(
                f"{folder}: not made by this command, which would replace it; move it, or choose "
                "another folder to write into"
            )


def _places(out: Path, phase: int) -> tuple[Path, Path]:
    """Return the folders of a phase's run and of its bundle."""
    return out / f"run{phase}", out / f"phase{phase}"


def prove_export(request: ChainRequest, console: Console) -> bool:
    """Train, export and verify a policy of each phase; return whether every hop is the same.

    Both phases are verified, whatever comes out of the first, which is exported and verified in a
    process of its own while the second is trained.

    Args:
        request: what to do.
        console: for progress.

    Raises:
        InputError: the bars cannot be used, C# is needed and Mono is missing, or a place is taken.
    """
    from parity.export_chain.csharp import missing
    from parity.export_chain.report import write_report
    from parity.export_chain.verify import verify
    from rltrader.export_verify import show

    require_own(request.out)
    if request.need_csharp and (lacking := missing()) is not None:
        raise InputError(f"C# is {lacking}")
    bars = request.bars.read() if request.bars.file is not None else None
    first, second = PHASES
    with proving_beside() as begin:
        run = _train(request, first, None, console)
        wait = begin(run, _wanted(request, first, bars))
        run, wanted = _train(request, second, run, console), _wanted(request, second, bars)
        with status(console, f"exporting phase {second}"):
            _export(run, wanted.folder)
        with status(console, f"verifying phase {second}") as update:
            after = verify(wanted, lambda stage: update(f"verifying phase {second}: {stage}"))
        with status(console, f"verifying phase {first}"):
            reports = {first: wait(), second: after}
    for phase, report in reports.items():
        out = request.out / f"report{phase}"
        write_report(out, report)
        show(report, out)
    return all(report["verdict"] == "same" for report in reports.values())


def _train(request: ChainRequest, phase: int, start: Path | None, console: Console) -> Path:
    """Train a phase's policy, from the run ``start`` on; return its run, with no bundle of it yet."""
    from jax_port.runs.run import run as train

    run, bundle = _places(request.out, phase)
    for folder in (run, bundle):
        shutil.rmtree(folder, ignore_errors=True)
    with status(console, f"training phase {phase}"):
        train(_plan(request, phase, start), run, begin=True, texts={MARK: MARKED})
    return run


def _export(run: Path, bundle: Path) -> None:
    """Export a run's policy."""
    from foundation.files import write_text
    from jax_port.export.bundle import export

    export(run / "policy-0.safetensors", bundle)
    write_text(bundle / MARK, MARKED)


def _wanted(request: ChainRequest, phase: int, bars: Bars | None) -> Request:
    """Return what to verify of a phase, on bars or on synthetic ones."""
    from parity.export_chain.verify import Request

    bundle = _places(request.out, phase)[1]
    return Request(bundle, bars, request.observations, request.episodes, request.need_csharp)


def _plan(request: ChainRequest, phase: int, start: Path | None) -> Plan:
    """Return the plan of a phase's training; it begins with the policy of the run ``start``."""
    from jax_port.ppo.settings import TrainSettings
    from jax_port.runs.gate import UNGATED
    from jax_port.runs.plan import Plan
    from jax_port.runs.training_data import from_options
    from markets import EnvConfig
    from rltrader.options.train_plan import initial_policy

    bars = request.bars
    return Plan(
        settings=TrainSettings().override(
            n_envs=ENVS,
            total_timesteps=request.steps,
            learning_rate=LEARNING_RATE,
            pi=request.hidden,
            vf=request.hidden,
        ),
        data=from_options(
            files=bars.files,
            symbols=bars.symbols,
            pattern=None if bars.files else PATTERN_DAYS,
            reader=bars.reader,
        ),
        config=EnvConfig.phase1() if phase == 1 else EnvConfig.phase2(),
        certificate=UNGATED,
        initial=initial_policy(start),
    )


@contextmanager
def proving_beside() -> Iterator[Callable[[Path, Request], Verification]]:
    """Give a function that begins to export a run's policy and to verify its bundle, and returns how to
    wait for the report.

    One after another, in one process, which gets ready at once. It is gone with the block; an error
    that ends that ends the process too, whatever it does.

    Yields:
        (run, what to verify) -> (() -> report). Waiting raises InputError where the policy, the bundle
            or the bars can't be used, or C# is needed and Mono is missing; both raise it where the
            process died.
    """
    pool = ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=worker_start(know_contracts, added_contracts(), known_files()),
    )
    with closing_pool(pool):
        pool.submit(_get_ready)
        yield lambda run, request: _begin(pool, run, request)


def _begin(pool: ProcessPoolExecutor, run: Path, request: Request) -> Verification:
    def wait() -> Report:
        with _alive(request):
            return future.result()

    with _alive(request):
        future = pool.submit(_prove, run, request)
    return wait


@contextmanager
def _alive(request: Request) -> Iterator[None]:
    """Say what to do where the process that exports and verifies has died."""
    try:
        yield
    except BrokenProcessPool:
        raise InputError(
            f"{request.folder}: the process that made and verified it died, perhaps for lack of "
            "memory; do both by themselves with rltrader export and rltrader export verify"
        ) from None


def _get_ready() -> None:
    """Import what exporting and verifying take, before there is anything to export."""
    import parity.export_chain.verify  # noqa: F401  # imported for those who come after


def _prove(run: Path, request: Request) -> dict[str, Any]:
    """Export a run's policy and verify its bundle, in whichever process."""
    from parity.export_chain.verify import verify

    _export(run, request.folder)
    return verify(request)


LEAST_ONE = click.IntRange(min=1)


@click.command()
@bar_options("optional", "optional")
@click.option(
    "--steps",
    type=LEAST_ONE,
    default=ChainRequest.steps,
    show_default=True,
    help="Of each phase's training.",
)
@click.option("--hidden", default="256,256", show_default=True, help="Sizes of the hidden layers.")
@click.option("--observations", type=LEAST_ONE, default=ChainRequest.observations, show_default=True)
@click.option(
    "--episodes", type=LEAST_ONE, default=ChainRequest.episodes, show_default=True, help="Replayed."
)
@click.option("--need-csharp", is_flag=True, help="Fail where Mono is missing.")
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def main(bars: BarOptions, hidden: str, **options: Any) -> None:
    """Train, export and verify a policy of each phase; write chain.json and chain.html of both.

    Exit code 0 means that every hop is the same, 1 that one differs, 2 bad input.
    """
    from rltrader.options.train_plan import hidden_sizes

    request = ChainRequest(bars=bars, hidden=hidden_sizes("hidden", hidden), **options)
    if not prove_export(request, Console(stderr=True)):
        raise SystemExit(1)


if __name__ == "__main__":
    run_command(main)
