"""``rltrader export verify`` and ``day``: the chain from raw bars to action, every hop measured."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from foundation.memory import require_memory
from foundation.progress import status
from foundation.signals import run_child
from markets import Bars, InputError, get_contract
from rltrader.consoles import report_console, say
from rltrader.options.bars import BarOptions, bar_options
from rltrader.options.keys import key_option

OUT = Path("reports/export")
LIMITED = "RLTRADER_LIMITED_PROCESS"
MOST_MEMORY = 16 << 30
MOST_SECONDS = 3600
"""Limits of a process that loads a received bundle's programs: bytes of memory, CPU seconds."""
OBSERVATION_BYTES = 2000
"""Least memory of one observation: 225 numbers in float64."""
OF_THE_FILE = "Contract of the file; by default the bundle's."


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@bar_options("optional", "optional", OF_THE_FILE)
@click.option("--observations", type=click.IntRange(min=1), default=100_000, show_default=True)
@click.option("--episodes", type=click.IntRange(min=1), default=20, show_default=True, help="Replayed.")
@click.option("--need-csharp", is_flag=True, help="Fail where Mono is missing, instead of saying so.")
@click.option(
    "--trust",
    is_flag=True,
    help="Load the bundle's own zip, normaliser, .pt2 and .onnx, which can run any code.",
)
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="Folder of the run that made the policy; the bundle is held to it too.",
)
@click.option(
    "--key", type=click.Path(path_type=Path), help="PEM file of a private key to sign the attestation."
)
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def verify(folder: Path, bars: BarOptions, key: Path | None, out: Path, **options: Any) -> None:
    """Prove that every file of a bundle decides as the port does.

    Writes chain.json, chain.html and chain.attestation.json, which `rltrader export attested` holds a
    bundle to. Exit code 0 means the same, 1 a divergence, 2 bad input.
    """
    from parity.engine.output import check_key
    from parity.export_chain.attestation import attest, digests
    from parity.export_chain.report import write_report
    from parity.export_chain.verify import Request
    from parity.export_chain.verify import verify as run
    from parity.fusion.bundle import prove_fusion

    require_memory(
        "this proof",
        {"observations": options["observations"] * OBSERVATION_BYTES},
        {"observations": "--observations"},
    )
    if options["trust"] and os.environ.get(LIMITED) != "1":
        raise SystemExit(_in_limited_process())
    check_key(key)
    files = digests(folder)
    request = Request(folder, _bars(folder, bars), **options)
    with status(Console(stderr=True), "verifying") as update:
        report = run(request, lambda stage: update(f"verifying: {stage}"), prove_fusion)
    if digests(folder) != files:
        raise InputError(f"{folder}: its files changed while they were verified; verify them again")
    write_report(out, report, attest(files, report, key))
    show(report, out)
    if report["verdict"] != "same":
        raise SystemExit(1)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("attestation", type=click.Path(path_type=Path))
@key_option("attestation")
def attested(folder: Path, attestation: Path, require_key: Path | None) -> None:
    """Hold a bundle to the attestation that `export verify` wrote of it.

    Takes a moment: digests are compared, and the signature where a key is required. Exit code 2 where
    the bundle is not the one that was proved.
    """
    from parity.export_chain.attestation import check

    predicate, signer = check(folder, attestation, require_key)
    whose = f"signed by {signer[:16]}" if signer else "the signature was not asked for (--require-key)"
    say(
        f"{folder}: the bundle that was proved the same, {predicate['actions']['compared']:,} actions "
        f"compared, C# {predicate['csharp']}; {whose}"
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@bar_options("optional", "optional", OF_THE_FILE)
@click.option("--date", help="New York day, such as 2025-09-17; by default the fullest one.")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Folder to write into.")
def day(folder: Path, bars: BarOptions, date: str | None, to: Path) -> None:
    """Write raw bars and what the policy does on a whole day of them: bars.csv and day.json.

    ``ParityCheck.exe golden BUNDLE bars.csv day.json`` then says on any machine whether its C# does the
    same. Exit code 2 means bad input.
    """
    from jax_port.export.advised import load_network
    from jax_port.export.bundle import POLICY
    from jax_port.export.manifest import check_files, read_manifest
    from parity.export_chain.day import BARS, DAY, make_day
    from parity.export_chain.report import write_day
    from parity.export_chain.verify import bars_for

    manifest = read_manifest(folder)
    check_files(folder, manifest)
    market = bars_for(folder, manifest, _bars(folder, bars))
    made = make_day(load_network(folder / POLICY)[0], market, date)
    write_day(to, market, made)
    say(f"{made['day']}: {len(made['features'])} bars; {to / BARS} and {to / DAY}")


def _in_limited_process() -> int:
    """Run this command again in a process of limited memory and time; return its exit code.

    Raises:
        InputError: it was ended for what it took, or by another signal.
    """
    limits: dict[int, int] = {}
    if sys.platform != "win32":
        import resource

        limits = {
            resource.RLIMIT_AS: MOST_MEMORY,
            resource.RLIMIT_CPU: MOST_SECONDS,
            resource.RLIMIT_CORE: 0,
        }
    done = run_child(
        [sys.executable, "-m", "rltrader", *sys.argv[1:]],
        env={**os.environ, LIMITED: "1"},
        limits=limits,
        capture=False,
    )
    if done.returncode < 0:
        raise InputError(
            f"signal {-done.returncode} ended the process that loaded the bundle's files, which may "
            f"take {MOST_MEMORY >> 30} GiB and {MOST_SECONDS} seconds of a processor; nothing is "
            "proved, so verify the bundle without --trust"
        )
    return done.returncode


def _bars(folder: Path, bars: BarOptions) -> Bars | None:
    """Return the file's bars, or None where no file is given."""
    from jax_port.export.manifest import read_manifest

    if bars.file is None:
        if bars.symbol:
            raise InputError("--symbol is of a file of bars; give one with --data, or leave it out")
        return None
    return bars.read(get_contract(bars.symbol or read_manifest(folder)["contract"]["symbol"]))


def show(report: Mapping[str, Any], out: Path) -> None:
    """Print the largest differences, what was compared, and the verdict."""
    from parity.export_chain.page import by_hop
    from parity.export_chain.report import PAGE

    console = report_console()
    table = Table(box=None, title="largest differences", title_justify="left")
    for name in ("hop", "stages", "rows", "largest", "of its limit"):
        table.add_column(name, justify="left" if name == "hop" else "right")
    for hop in by_hop(report):
        style = "" if hop["passed"] else "red"
        table.add_row(
            hop["hop"],
            str(hop["stages"]),
            f"{hop['rows']:,}",
            hop["largest"],
            hop["share"],
            style=style,
        )
    console.print(table)
    actions, replay = report["actions"], report["replay"]
    console.print(
        f"actions: {actions['compared']:,} compared, {actions['near_ties']} near-ties, "
        f"{actions['near_ties_decided_differently']} of them decided differently"
    )
    console.print(
        f"replay: {replay['episodes']} episodes, {replay['trades']} trades, PnL {replay['pnl_dollars']}"
    )
    if not replay["trades"]:
        console.print("the policy takes no trade, so none was compared", style="yellow")
    if (fusion := report.get("fusion")) is not None:
        rule, changed, of = (fusion["settings"]["rule"], fusion["changed"], fusion["observations"])
        console.print(
            f"fusion: {rule}, {fusion['drawn'] + of:,} decisions on each side; on {changed:,} of "
            f"{of:,} observations another action than the bare policy's"
        )
    if isinstance(report["day"], str):
        console.print(f"C#: {report['day']}", style="yellow")
    if report["csharp"] != "checked":
        console.print(f"C#: {report['csharp']}", style="yellow")
    if report["verdict"] == "same":
        console.print("every hop is the same", style="green")
    else:
        console.print(f"different: {report['first_divergence']}", style="red")
    console.print(f"page: {out / PAGE}", soft_wrap=True)
