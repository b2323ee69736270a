"""``rltrader export verify`` and ``day``: the chain from raw bars to action, every hop measured."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from markets import Bars, InputError, get_contract

OUT = Path("reports/export")
LIMITED = "RLTRADER_LIMITED_PROCESS"
MOST_MEMORY = 16 << 30
MOST_SECONDS = 3600
"""Limits of a process that loads a received bundle's programs: bytes of memory, CPU seconds."""


def market_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a bundle and the bars to try it on."""
    for add in (
        click.option("--snap", is_flag=True, help="Move off-grid prices to the grid."),
        click.option("--tz", "timezone", help="Zone of timestamps that carry none."),
        click.option("--format", "format_", help="Format of the file; detected by default."),
        click.option("--symbol", help="Contract of the file; by default the bundle's."),
        click.option(
            "--data",
            type=click.Path(path_type=Path),
            help="File of one-minute bars; synthetic ones by default.",
        ),
        click.argument("folder", type=click.Path(path_type=Path)),
    ):
        command = add(command)
    return command


@click.command()
@market_options
@click.option("--observations", type=click.IntRange(min=1), default=100_000, show_default=True)
@click.option("--episodes", type=click.IntRange(min=1), default=20, show_default=True, help="Replayed.")
@click.option("--need-csharp", is_flag=True, help="Fail where Mono is missing, instead of saying so.")
@click.option(
    "--trust",
    is_flag=True,
    help="Load the bundle's own zip, normaliser and .pt2, which can run any code.",
)
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def verify(folder: Path, out: Path, **options: Any) -> None:
    """Prove that every file of a bundle decides as the port does; write chain.json and chain.html.

    Exit code 0 means the same, 1 a divergence, 2 bad input.
    """
    from parity.engine.report import write_text
    from parity.export_chain.page import render
    from parity.export_chain.verify import Request
    from parity.export_chain.verify import verify as run

    if options["trust"] and os.environ.get(LIMITED) != "1":
        raise SystemExit(_in_limited_process())
    bars = _bars(folder, options)
    request = Request(
        folder,
        bars,
        options["observations"],
        options["episodes"],
        options["need_csharp"],
        options["trust"],
    )
    console = Console(stderr=True)
    with console.status("verifying") as status:
        report = run(request, lambda stage: status.update(f"verifying: {stage}"))
    try:
        write_text(out / "chain.json", json.dumps(report, indent=1) + "\n")
        write_text(out / "chain.html", render(report))
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.strerror or error}); choose another --out"
        ) from None
    _show(report, out)
    if report["verdict"] != "same":
        raise SystemExit(1)


@click.command()
@market_options
@click.option("--date", help="New York day, such as 2025-09-17; by default the fullest one.")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Folder to write into.")
def day(folder: Path, date: str | None, to: Path, **options: Any) -> None:
    """Write raw bars and what the policy does on a whole day of them: bars.csv and day.json.

    ``ParityCheck.exe golden BUNDLE bars.csv day.json`` then says on any machine whether its C# does the
    same. Exit code 2 means bad input.
    """
    from jax_port.export.bundle import POLICY
    from jax_port.export.manifest import check_files, read_manifest
    from jax_port.ppo.policy import load_policy
    from parity.engine.report import write_text
    from parity.export_chain.day import BARS, DAY, last_time, make_day, to_csv
    from parity.export_chain.verify import bars_for

    manifest = read_manifest(folder)
    check_files(folder, manifest)
    bars = bars_for(folder, manifest, _bars(folder, options))
    made = make_day(load_policy(folder / POLICY), bars, date)
    try:
        write_text(to / BARS, to_csv(bars, last_time(made)))
        write_text(to / DAY, json.dumps(made) + "\n")
    except OSError as error:
        raise InputError(
            f"{to}: cannot be written ({error.strerror or error}); choose another --to"
        ) from None
    click.echo(f"{made['day']}: {len(made['features'])} bars; {to / BARS} and {to / DAY}")


def _in_limited_process() -> int:
    """Run this command again in a process of limited memory and time; return its exit code."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    done = subprocess.run(
        [sys.executable, "-m", "rltrader", *sys.argv[1:]],
        env={**os.environ, LIMITED: "1"},
        preexec_fn=limit,
        check=False,
    )
    return done.returncode if done.returncode >= 0 else 1


def _bars(folder: Path, options: dict[str, Any]) -> Bars | None:
    """Return the file's bars, or None where no file is given."""
    from jax_port.export.manifest import read_manifest
    from markets.readers import read_bars

    if options["data"] is None:
        if options["symbol"]:
            raise InputError("--symbol is of a file of bars; give one with --data, or leave it out")
        return None
    contract = get_contract(options["symbol"] or read_manifest(folder)["contract"]["symbol"])
    reader = {"format": options["format_"], "timezone": options["timezone"]}
    return read_bars(options["data"], contract, snap=options["snap"], **reader)


def _show(report: dict[str, Any], out: Path) -> None:
    from parity.export_chain.page import by_hop

    console = Console(highlight=False)
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
    if isinstance(report["day"], str):
        console.print(f"C#: {report['day']}", style="yellow", markup=False)
    if report["csharp"] != "checked":
        console.print(f"C#: {report['csharp']}", style="yellow", markup=False)
    if report["verdict"] == "same":
        console.print("every hop is the same", style="green")
    else:
        console.print(f"different: {report['first_divergence']}", style="red", markup=False)
    console.print(f"page: {out / 'chain.html'}", markup=False)
