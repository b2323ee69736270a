"""Everything the project does to itself: ``nox -l`` lists it, continuous integration runs it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox
from nox.command import CommandFailed

# Some images of containers forbid Python to keep what it compiled: every process that a test or the
# gate starts would compile all of JAX and PyTorch once more, which takes longer than importing them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "tests"]

CONSTRAINTS = str(Path(__file__).parent / "constraints.txt")
ON_CPU = {"JAX_PLATFORMS": "cpu"}
OPTIMISED = {**ON_CPU, "XLA_FLAGS": ""}
"""Tests of programs as users run them; by themselves the tests compile without optimisations."""
FAST = (
    "tests/foundation",
    "tests/markets",
    "tests/legacy_torch",
    "tests/jax_port/data",
    "tests/jax_port/envs",
    "tests/parity/engine",
    "tests/rltrader/options",
)
"""Folders of tests for the inner loop."""
PYTEST = ("pytest", "-n", "2", "--dist", "loadfile")
QUICK = "not slow and not costly"
"""Markers of what each push must pass."""


def install(session: nox.Session, *extras: str) -> None:
    """Install the project with extras, in the versions that are known to work together."""
    wanted = f".[{','.join(extras)}]" if extras else "."
    # Modules are compiled as they are imported: compiling all of every package takes longer.
    session.install("--no-compile", "-c", CONSTRAINTS, "-e", wanted)


def run_tests(session: nox.Session, chosen: str, env: dict[str, str] = ON_CPU) -> None:
    """Run the tests that a selection of markers chooses, and show which take longest."""
    install(session, "test")
    session.run(*PYTEST, "--durations", "25", "-m", chosen, *session.posargs, env=env)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests but those marked slow or costly; arguments go to pytest."""
    run_tests(session, QUICK)


@nox.session
def costly(session: nox.Session) -> None:
    """Run the tests of some seconds each: more cases, whole commands, planted faults."""
    run_tests(session, "costly and not slow")


@nox.session
def foreign_pairs(session: nox.Session) -> None:
    """Hold Navix to MiniGrid; their needs do not fit the versions known to work together."""
    install(session)
    session.install("pytest", "minigrid==3.2.0", "navix==0.7.4")
    session.run("pytest", "tests/examples/test_minigrid_doorkey.py", *session.posargs, env=ON_CPU)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests that take long: whole benchmarks, kills at random moments, the gate as a test."""
    run_tests(session, "slow and not patched_gate", OPTIMISED)


@nox.session
def patches(session: nox.Session) -> None:
    """Run the gate on copies of the code with the how-to pages' patches."""
    install(session, "test")
    session.run("pytest", "-m", "patched_gate", *session.posargs, env=OPTIMISED)


@nox.session
def fast(session: nox.Session) -> None:
    """Run the tests of a few minutes at most, for the inner loop; arguments go to pytest."""
    install(session, "test")
    session.run(*PYTEST, "-m", QUICK, *(session.posargs or FAST), env=ON_CPU)


@nox.session
def examples(session: nox.Session) -> None:
    """Run the examples and the notebook."""
    install(session, "export", "notebook")
    for script in sorted(Path("examples").glob("*.py")):
        session.run("python", str(script), env=ON_CPU)
    for notebook in sorted(Path("examples").glob("*.ipynb")):
        session.run("jupyter", "execute", str(notebook), env=ON_CPU)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into site/, strictly; arguments go to mkdocs (-d FOLDER)."""
    install(session, "docs")
    session.run("mkdocs", "build", *session.posargs, env=ON_CPU | {"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, spelling, types and the direction of imports."""
    install(session, "test", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    session.run("mypy")
    session.run("lint-imports")
    session.run("pytest", "-q", "tests/project/test_import_contracts.py", env=ON_CPU)


def keep_code(session: nox.Session, *command: str) -> None:
    """Run a command; exit code 2, bad input, stays 2, where nox would make it 1."""
    try:
        session.run(*command, env=ON_CPU)
    except CommandFailed as error:
        if getattr(error, "return_code", None) == 2:
            raise SystemExit(2) from None
        raise


@nox.session
def parity(session: nox.Session) -> None:
    """Run the parity gate, then the export chain on a short training of small networks.

    Arguments go to ``rltrader parity run`` (--data FILE --symbol ES).
    """
    install(session, "export")
    keep_code(session, "rltrader", "parity", "run", "--export-chain", *session.posargs)


@nox.session
def export_parity(session: nox.Session) -> None:
    """Train a short policy of each phase with the plan's network, export both and verify every hop."""
    install(session, "export")
    keep_code(session, "python", "-m", "rltrader.export_parity", *session.posargs)


@nox.session
def parity_learning(session: nox.Session) -> None:
    """Train both learners on many seeds and compare how they learn; takes an hour and more."""
    install(session, "reference")
    session.run("python", "-m", "parity.learning_study.run", *session.posargs, env=ON_CPU)


@nox.session
def gate_seeds(session: nox.Session) -> None:
    """Run the whole gate with many seeds and count false alarms; takes minutes a seed, and goes on.

    Arguments go to ``parity.gate.seeds`` (--seed 0 --runs 50 --out FOLDER).
    """
    install(session, "reference")
    session.run("python", "-m", "parity.gate.seeds", *session.posargs, env=ON_CPU)


@nox.session
def mutation(session: nox.Session) -> None:
    """Plant every fault of the catalogue and show that the gate finds it."""
    install(session, "reference")
    session.run("python", "-m", "parity.mutants.run", *session.posargs, env=ON_CPU)


@nox.session
def mutation_sample(session: nox.Session) -> None:
    """Measure how many of a seeded sample of small changes the gate and the tests find.

    Arguments go to ``parity.mutants.sampled.run`` (--count 40 --shard 1/8 --seed 3; --wiring for slips
    between parts, --proof for changes of what proves). First the tests are run once to see which lines
    each executes; ``--executed FILE`` takes what an earlier run saw, and with ``--changed COMMIT``, of
    few files, the tests nearest to them are asked.
    """
    install(session, "test")
    arguments = list(session.posargs)
    if not {"--executed", "--changed"} & set(arguments):
        lines = str(Path(session.create_tmp()) / "executed_lines")
        trained = ("foundation", "markets", "jax_port", "rltrader")
        packages = [f"--cov={name}" for name in (("parity",) if "--proof" in arguments else trained)]
        watch = (*packages, "--cov-context=test", "--cov-report=")
        quick = ("-m", "not slow and not patched_gate")
        session.run(*PYTEST, *watch, *quick, env={**ON_CPU, "COVERAGE_FILE": lines})
        arguments += ["--executed", lines]
    session.run("python", "-m", "parity.mutants.sampled.run", *arguments, env=ON_CPU)


@nox.session
def mutation_csharp(session: nox.Session) -> None:
    """Measure how many small changes of the C# sources are found; needs Mono.

    Arguments go to ``parity.mutants.csharp.run`` (BUNDLE... --count 200); by default the
    bundles that ``nox -s parity`` leaves.
    """
    install(session, "test")
    bundles = ("reports/export/phase1", "reports/export/phase2")
    session.run("python", "-m", "parity.mutants.csharp.run", *(session.posargs or bundles), env=ON_CPU)


@nox.session
def mutation_nightly(session: nox.Session) -> None:
    """Let a general mutation tool loose on the port and list what survives."""
    install(session, "nightly")
    session.run("python", "-m", "parity.mutants.nightly", *session.posargs, env=ON_CPU)


@nox.session
def throughput(session: nox.Session) -> None:
    """Measure both environments' steps per second in one run."""
    install(session, "reference")
    session.run("python", "-m", "benchmarks.suites.env_throughput", *session.posargs)


@nox.session
def train_throughput(session: nox.Session) -> None:
    """Measure steps per second of both trainers and of three others in one run."""
    install(session, "benchmark")
    session.run("python", "-m", "benchmarks.suites.train_throughput", *session.posargs)


@nox.session
def time_to_return(session: nox.Session) -> None:
    """Measure how long each trainer takes to a fixed return."""
    install(session, "benchmark")
    session.run("python", "-m", "benchmarks.suites.time_to_return", *session.posargs)


@nox.session
def gpu_program(session: nox.Session) -> None:
    """Compile the programs for GPUs that are not here and test what they may cost.

    Installs JAX's CUDA compiler, some 3 GB; no driver and no card are needed. Arguments go to
    ``benchmarks.gpu_program``.
    """
    install(session, "test")
    session.install("-c", CONSTRAINTS, "jax[cuda12]")
    session.run("pytest", "tests/benchmarks/gpu_program", env=ON_CPU)
    session.run("python", "-m", "benchmarks.gpu_program", *session.posargs)


@nox.session
def benchmark(session: nox.Session) -> None:
    """Measure everything in one run and write one page; arguments go to ``benchmarks.report.run``."""
    install(session, "benchmark")
    session.run("python", "-m", "benchmarks.report.run", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Damage every kind of file that is read; arguments go to ``tests.fuzz`` (--count, --seed)."""
    install(session, "test")
    session.run("python", "-m", "tests.fuzz", *session.posargs, env=ON_CPU)


@nox.session
def advisor_server(session: nox.Session) -> None:
    """Ask a tiny model, made here, behind ``transformers serve``; installs transformers."""
    install(session, "test")
    session.install("-c", CONSTRAINTS, "transformers>=5.2", "accelerate", "fastapi", "uvicorn")
    session.run("pytest", "tests/markets/advice/chat/test_real_server.py", *session.posargs, env=ON_CPU)


@nox.session
def loggers(session: nox.Session) -> None:
    """Write to W&B and MLflow, offline, and read their files back."""
    install(session, "test", "wandb", "mlflow")
    session.run("pytest", "tests/jax_port/runs/logs/test_loggers.py", *session.posargs, env=ON_CPU)


@nox.session
def sweep_storage(session: nox.Session) -> None:
    """Run sweeps on a PostgreSQL of Debian's packages and behind Optuna's proxy, workers killed.

    Needs PostgreSQL's server (Debian: ``apt-get install postgresql``); without it that part is skipped.
    """
    install(session, "test", "sweep-shared")
    session.run("pytest", "tests/rltrader/sweep", *session.posargs, env=ON_CPU)


@nox.session
def fusion_parity(session: nox.Session) -> None:
    """Hold the fusion in JAX, PyTorch and C# against its reference on 100,000 decisions."""
    install(session, "reference")
    session.run("python", "-m", "parity.fusion", *session.posargs, env=ON_CPU)


@nox.session
def audit(session: nox.Session) -> None:
    """Hold every pinned package against the package index's vulnerabilities; needs the network."""
    session.install("pip-audit")
    # Strict: a package that could not be looked up is a failure, not a pass.
    session.run(
        "pip-audit", "--strict", "--no-deps", "--disable-pip", "-r", CONSTRAINTS, *session.posargs
    )


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel and do whole jobs of the pages with it, each in a bare environment and folder.

    Arguments are jobs of ``tests/docs/from_wheel.py`` (trader, sb3, jax, port); all by default.
    """
    session.install("build", "markdown-it-py")
    folder = Path(session.create_tmp()) / "dist"
    session.run("python", "-m", "build", "--wheel", "--outdir", str(folder))
    newest = max(folder.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    session.run("python", "-m", "tests.docs.from_wheel", str(newest), *session.posargs, env=ON_CPU)


@nox.session
def live(session: nox.Session) -> None:
    """Play 50,000 interleavings to the NinjaTrader strategy and plant every fault in it; needs Mono."""
    if not (shutil.which("mono") and shutil.which("mcs")):
        session.error("no Mono, so nothing would be tested; install it (Debian: mono-mcs mono-runtime)")
    install(session, "test")
    env = {**ON_CPU, "RLTRADER_LIVE": "all"}
    session.run("pytest", "tests/ninjatrader/test_interleavings.py", *session.posargs, env=env)
