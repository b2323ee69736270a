"""Everything the project does to itself: ``nox -l`` lists it, continuous integration runs it."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "tests"]

CONSTRAINTS = str(Path(__file__).parent / "constraints.txt")
CODE = ("markets", "legacy_torch", "jax_port", "parity", "benchmarks", "rltrader.py")
ON_CPU = {"JAX_PLATFORMS": "cpu"}


def install(session: nox.Session, *extras: str) -> None:
    """Install the project with extras, in the versions that are known to work together."""
    wanted = f".[{','.join(extras)}]" if extras else "."
    session.install("-c", CONSTRAINTS, "-e", wanted)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; arguments go to pytest."""
    install(session, "test")
    session.run(
        "pytest", "-n", "2", "--dist", "loadfile", "--durations", "25", *session.posargs, env=ON_CPU
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and the direction of imports."""
    install(session, "test", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def parity(session: nox.Session) -> None:
    """Run the parity gate; arguments go to ``rltrader parity run`` (--data FILE --symbol ES)."""
    install(session)
    session.run("rltrader", "parity", "run", *session.posargs, env=ON_CPU)


@nox.session
def export_parity(session: nox.Session) -> None:
    """Train a short policy of each phase, export both and verify every hop; takes ten minutes."""
    install(session, "export")
    session.run("python", "-m", "parity.chain.run", *session.posargs, env=ON_CPU)


@nox.session
def parity_learning(session: nox.Session) -> None:
    """Train both learners on many seeds and compare how they learn; takes an hour and more."""
    install(session)
    session.run("python", "-m", "parity.learning.run", *session.posargs, env=ON_CPU)


@nox.session
def mutation(session: nox.Session) -> None:
    """Plant every fault of the catalogue and show that the gate finds it."""
    install(session)
    session.run("python", "-m", "parity.mutants.run", *session.posargs, env=ON_CPU)


@nox.session
def mutation_nightly(session: nox.Session) -> None:
    """Let a general mutation tool loose on the port and list what survives."""
    install(session, "nightly")
    session.run("python", "-m", "parity.mutants.nightly", *session.posargs, env=ON_CPU)


@nox.session
def throughput(session: nox.Session) -> None:
    """Measure both environments' steps per second in one run."""
    install(session)
    session.run("python", "-m", "benchmarks.env_throughput", *session.posargs)


@nox.session
def train_throughput(session: nox.Session) -> None:
    """Measure steps per second of both trainers and of three others in one run."""
    install(session, "benchmark")
    session.run("python", "-m", "benchmarks.train_throughput", *session.posargs)


@nox.session
def time_to_return(session: nox.Session) -> None:
    """Measure how long each trainer takes to a fixed return."""
    install(session, "benchmark")
    session.run("python", "-m", "benchmarks.time_to_return", *session.posargs)
