"""``rltrader export verify``: the chain from raw bars to action, every hop measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from markets import InputError, get_contract

OUT = Path("reports/export")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="File of one-minute bars; synthetic ones by default.",
)
@click.option("--symbol", help="Contract of the file; by default the bundle's.")
@click.option("--tz", "timezone", help="Zone of timestamps that carry none.")
@click.option("--observations", type=click.IntRange(min=1), default=100_000, show_default=True)
@click.option("--episodes", type=click.IntRange(min=1), default=20, show_default=True, help="Replayed.")
@click.option("--need-csharp", is_flag=True, help="Fail where Mono is missing, instead of saying so.")
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def verify(folder: Path, out: Path, **options: Any) -> None:
    """Prove that every file of a bundle decides as the port does; write chain.json and chain.html.

    Exit code 0 means the same, 1 a divergence, 2 bad input.
    """
    from jax_port.export.manifest import read_manifest
    from markets.readers import read_bars
    from parity.chain.page import render
    from parity.chain.verify import Request
    from parity.chain.verify import verify as run
    from parity.engine.report import write_text

    bars = None
    if options["data"] is not None:
        contract = get_contract(options["symbol"] or read_manifest(folder)["contract"]["symbol"])
        reader = {"timezone": options["timezone"]} if options["timezone"] else {}
        bars = read_bars(options["data"], contract, **reader)
    request = Request(
        folder, bars, options["observations"], options["episodes"], options["need_csharp"]
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


def _show(report: dict[str, Any], out: Path) -> None:
    from parity.chain.page import by_hop

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
