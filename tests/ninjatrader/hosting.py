"""The strategy, compiled with the simulated platform, and the logs that it writes."""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from foundation.files import file_digest
from jax_port.data.data_loader import prepare
from jax_port.export.bundle import POLICY
from jax_port.export.manifest import MANIFEST, describe
from jax_port.ppo.policy import save_policy
from markets import Bars, EnvConfig, get_contract
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from parity.export_chain.csharp import host_sources
from parity.export_chain.day import to_csv
from tests.jax_port.made_policy import make_policy

REAL = Path(__file__).parents[3] / "shared" / "data" / "ES_1min_utc.csv"
FROM, TO = "2025-09-02", "2025-09-06"


@cache
def scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="hosting-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def host(*faults: tuple[str, str, str], version: int = 5) -> Path:
    """Return strategy and platform compiled by Mono, warnings being errors.

    Args:
        faults: name of a file, what is right in it, once, and what is wrong.
        version: of C#.
    """
    out = scratch() / f"host-{abs(hash((faults, version)))}.exe"
    sources = {path.name: path for path in host_sources()}
    for file, right, wrong in faults:
        text = sources[file].read_text(encoding="utf-8")
        assert text.count(right) == 1, (file, right)
        sources[file] = out.with_name(f"{out.stem}-{file}")
        sources[file].write_text(text.replace(right, wrong), encoding="utf-8")
    flags = [f"-langversion:{version}", "-warnaserror"]
    if faults:
        flags = flags[:1]  # a fault may leave something unused
    subprocess.run(["mcs", *flags, f"-out:{out}", *map(str, sources.values())], check=True)
    return out


def run_host(
    user_folder: Path,
    folder: Path,
    symbol: str = "ES",
    manners: str = "fill",
    *rest: str,
    culture: str = "",
    kilobytes: int = 0,
    program: Path | None = None,
) -> tuple[list[str], str]:
    """Return what the host prints, line by line, and what the strategy told NinjaTrader's log.

    Args:
        user_folder: stands for NinjaTrader's own folder.
        folder: the bundle.
        symbol: of the chart.
        manners: see RulesPlatform.cs.
        rest: a file of bars; by default the bundle's golden ones.
        culture: such as de-DE.
        program: what to run; by default the strategy as it is.
        kilobytes: no file may grow beyond, as on a full disk; 0 is no limit.
    """
    flags = [f"--culture={culture}"] if culture else []
    where = [str(folder), symbol, manners, str(user_folder)]
    command = ["mono", str(program or host()), *flags, "rules", *where]
    if kilobytes:
        limit = f"trap '' XFSZ; ulimit -f {kilobytes}; exec \"$@\""
        command = ["bash", "-c", limit, "bash", *command]
    done = subprocess.run([*command, *rest], capture_output=True, text=True, check=True)
    return done.stdout.splitlines(), done.stderr


def config_of(phase: int) -> EnvConfig:
    """Return the phase's rules with an early end of the day, so that some trades are closed for it."""
    config = EnvConfig.phase1() if phase == 1 else EnvConfig.phase2()
    return replace(config, entry_close_minute=935, flat_by_minute=935)


@cache
def live_bars() -> Bars:
    """Return four days of bars, nights included: real ones where there are any, else synthetic."""
    if not REAL.is_file():
        return synthetic_bars("ES", days=4, seed=5, session="all")
    bars = read_bars(REAL, get_contract("ES"))
    index = bars.frame.index
    return bars.select((index >= FROM) & (index < TO))


@cache
def live_files() -> tuple[Path, Path]:
    """Return these bars as a file for ``--data`` and as one for the host."""
    data, fed = scratch() / "bars.csv", scratch() / "fed.csv"
    live_bars().frame.to_csv(data)
    fed.write_text(to_csv(live_bars()), encoding="ascii")
    return data, fed


@cache
def live_bundle(phase: int, contracts: int = 1) -> Path:
    """Return what the strategy needs of the bundle of a made policy: the policy and its manifest."""
    folder, config = scratch() / f"live{phase}-{contracts}", config_of(phase)
    config = replace(config, account=replace(config.account, contracts=contracts))
    folder.mkdir(exist_ok=True)
    policy = make_policy(prepare(live_bars(), config), config, seed=3, data={"symbol": "ES"})
    save_policy(folder / POLICY, policy)
    manifest = describe(policy, get_contract("ES"), {"file": POLICY, "sha256": "0" * 64})
    manifest["files"] = {POLICY: file_digest(folder / POLICY)}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@cache
def live_log(
    phase: int, manners: str = "fill", program: Path | None = None, contracts: int = 1
) -> Path:
    """Return the log that the strategy writes over these bars; tests must not change it."""
    user = Path(tempfile.mkdtemp(dir=scratch()))
    run_host(user, live_bundle(phase, contracts), "ES", manners, str(live_files()[1]), program=program)
    (log,) = (user / "rltrader").glob("*.jsonl")
    return log
