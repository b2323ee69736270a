"""C# side of the export chain: compiled by Mono, driven by way of files."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from foundation.json_reading import Artifact, decode_json
from foundation.signals import run_child
from jax_port.export.layers import layer_names
from jax_port.ppo.policy import Policy
from markets import Bars, InputError
from parity.export_chain.day import BARS, DAY, last_time, to_csv
from parity.export_chain.sides import Masks, Obs, Side, Stages

SOURCES = Path(__file__).resolve().parents[2] / "ninjatrader"
MISSING = (
    "not checked, since mcs and mono are not installed; on Debian and Ubuntu: "
    "apt-get install --no-install-recommends mono-mcs mono-runtime"
)
NO_SOURCES = f"not checked, since the C# sources are not in {SOURCES}; install the package again"
SECONDS = 600
ANSWER = Artifact("answer of the checker", "export the policy anew")
T = TypeVar("T")


def missing() -> str | None:
    """Return what the C# side lacks and how to get it, Mono or the sources; None where all is here."""
    if not strategy_sources():
        return NO_SOURCES
    return None if all(shutil.which(name) for name in ("mcs", "mono")) else MISSING


def available() -> bool:
    """Say whether Mono's compiler and runtime, and the sources, are here."""
    return missing() is None


def library() -> list[Path]:
    """Return the sources that need nothing of NinjaTrader, in a fixed order."""
    return _sources("policy", "live")


def host_sources() -> list[Path]:
    """Return the sources of the strategy on the simulated platform, in a fixed order."""
    return [*library(), *_sources("strategy", "host/stubs", "host")]


def checker_sources() -> list[Path]:
    """Return the sources of the console program that checks a bundle, in a fixed order."""
    return [*library(), *_sources("check")]


def strategy_sources() -> list[Path]:
    """Return the sources that NinjaTrader compiles, in a fixed order."""
    return [*library(), *_sources("strategy")]


def _sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((SOURCES / folder).glob("*.cs"))]


def compile_checker(out: Path) -> Path:
    """Compile the checker as C# 5, warnings being errors, and return its path.

    Raises:
        InputError: Mono is missing, or it does not compile.
    """
    if (lacking := missing()) is not None:
        raise InputError(lacking)
    _run(["mcs", "-langversion:5", "-warnaserror", f"-out:{out}", *map(str, checker_sources())])
    return out


class Checker:
    """A compiled checker (``program``) and a bundle."""

    def __init__(self, program: Path, folder: Path, scratch: Path) -> None:
        self.program, self._folder, self._scratch = program, folder, scratch

    def golden(self) -> dict[str, Any]:
        """Return what the checker says of golden.json: largest differences and counts."""
        return _answer(self._call("golden", may_fail=True), dict[str, Any])

    def day(self, bars: Bars, day: dict[str, Any]) -> dict[str, Any]:
        """Return what the checker says of a day of raw bars, see :mod:`parity.export_chain.day`."""
        bars_file, day_file = self._scratch / BARS, self._scratch / DAY
        bars_file.write_text(to_csv(bars, last_time(day)), encoding="ascii")
        day_file.write_text(json.dumps(day), encoding="utf-8")
        output = self._call("golden", str(bars_file), str(day_file), may_fail=True)
        return _answer(output, dict[str, Any])

    def features(self, bars: Bars | Path) -> NDArray[np.float64]:
        """Return features of every bar of the session and its three distances: (T, 14).

        Args:
            bars: written as a raw bar file first, or such a file itself.
        """
        given, made = self._scratch / BARS, self._scratch / "features.bin"
        if isinstance(bars, Path):
            given = bars
        else:
            given.write_text(to_csv(bars), encoding="ascii")
        self._call("features", str(given), str(made))
        return np.fromfile(made, np.float64).reshape(-1, 14)

    def minutes(self, seconds: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return New York minutes of UTC times in seconds since 1970."""
        given, made = self._scratch / "clock.in", self._scratch / "clock.out"
        given.write_bytes(np.int32(len(seconds)).tobytes() + seconds.astype("<i8").tobytes())
        self._call("clock", str(given), str(made))
        return np.fromfile(made, np.int32)

    def latency(self, count: int) -> list[float]:
        """Return microseconds of single decisions, after as many unmeasured ones."""
        return _answer(self._call("latency", str(count)), list[float])

    def side(self, policy: Policy) -> Side:
        """Return the policy runner as a side that tells every stage in float64."""
        layers = policy.params["params"]
        names = layer_names(policy.spec)
        size = policy.observation_size
        widths = {
            "standardised": size,
            "clipped": size,
            **{name: int(layers[name]["bias"].shape[0]) for name in names},
            "action": 1,
        }

        def run(obs: Obs, masks: Masks) -> Stages:
            given, made = self._scratch / "obs.bin", self._scratch / "stages.bin"
            rows = [(o.astype("<f4").tobytes() + m.tobytes()) for o, m in zip(obs, masks, strict=True)]
            given.write_bytes(np.int32(len(obs)).tobytes() + b"".join(rows))
            self._call("decide", str(given), str(made))
            table = np.fromfile(made, np.float64).reshape(len(obs), -1)
            parts = np.split(table, np.cumsum(list(widths.values()))[:-1], axis=1)
            stages: Stages = dict(zip(widths, parts, strict=True))
            return {**stages, "action": stages["action"][:, 0].astype(np.int64)}

        return run

    def _call(self, command: str, *rest: str, may_fail: bool = False) -> str:
        return _run(["mono", str(self.program), command, str(self._folder), *rest], may_fail)


def _answer(text: str, kind: type[T]) -> T:
    return decode_json(text, kind, ANSWER, where="ParityCheck.exe")


def _run(command: Sequence[str], may_fail: bool = False) -> str:
    """Run a program and return what it says; exit code 1 is an answer where ``may_fail``."""
    name = Path(command[0]).name
    try:
        done = run_child(command, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{name} did not answer within {SECONDS} seconds; export the policy anew"
        ) from None
    if done.returncode and not (may_fail and done.returncode == 1):
        words = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise InputError(f"{name} failed: {words[0]}")
    return done.stdout
