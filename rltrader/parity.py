"""``rltrader parity``: run the gate, verify a certificate, reproduce one case."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from foundation.import_closure import PACKAGES_ROOT
from markets import EnvConfig, InputError, get_contract
from parity.admission import CERTIFICATE
from parity.mutants.run import mutation


@click.group()
def parity() -> None:
    """Prove that the port is the reference."""


parity.add_command(mutation)


@parity.command()
@click.option(
    "--data", type=click.Path(path_type=Path), help="File of one-minute bars; else synthetic bars."
)
@click.option("--symbol", default="ES", show_default=True, help="Contract of the file.")
@click.option("--format", "format_", help="Format of the file; detected by default.")
@click.option("--tz", "timezone", help="Zone of timestamps that carry none.")
@click.option("--snap", is_flag=True, help="Move off-grid prices to the grid.")
@click.option("--episodes", default=100, show_default=True, help="Replayed on the file, in each phase.")
@click.option("--cases", default=20_000, show_default=True, help="Generated transitions on the file.")
@click.option("--days", default=6, show_default=True, help="Synthetic days per symbol.")
@click.option("--symbols", help="Synthetic symbols, comma-separated; all eight by default.")
@click.option("--seed", default=0, show_default=True)
@click.option("--workers", default=2, show_default=True, help="Processes that drive the reference.")
@click.option("--out", type=click.Path(path_type=Path), default=CERTIFICATE.parent, show_default=True)
def run(out: Path, **options: Any) -> None:
    """Compare both sides; write report.html, parity.json, junit.xml and certificate.json.

    Exit code 0 means the same, 1 a divergence or too little seen, 2 bad input.
    """
    from parity.engine.certificate import issue
    from parity.engine.page import render
    from parity.engine.report import SAME, write_json, write_text
    from parity.learner.judge import LIMITS
    from parity.pairs.trading import RULES
    from parity.suites.trading import MODULES, count_worlds
    from parity.suites.trading import run as run_gate

    request = _request(options)
    console = Console()
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[world]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("parity", total=count_worlds(request), world="starting")
        report = run_gate(
            request, lambda world, count: bar.update(task, advance=1, world=f"{world}: {count:,} steps")
        )
    values = report.to_dict()
    tolerances = {name: rule.describe() for name, rule in RULES.items()}
    tolerances |= {f"learner: {name}": f"relative error up to {x:g}" for name, x in LIMITS.items()}
    write_text(out / "report.html", render(values))
    write_json(out / "parity.json", values)
    write_text(out / "junit.xml", report.to_junit())
    write_json(out / "certificate.json", issue(values, tolerances, PACKAGES_ROOT, MODULES))
    _show(console, values, out)
    if report.verdict != SAME:
        raise SystemExit(1)


def _request(options: dict[str, Any]) -> Any:
    from markets import SYMBOLS
    from parity.suites.scenarios import Request

    for name, least in (("episodes", 4), ("cases", 200), ("days", 2), ("workers", 0)):
        if options[name] < least:
            raise InputError(f"--{name} is {options[name]}; it must be at least {least}")
    symbols = tuple(options["symbols"].upper().split(",")) if options["symbols"] else SYMBOLS
    for symbol in (options["symbol"], *symbols):
        get_contract(symbol)
    given = {"format": options["format_"], "timezone": options["timezone"]}
    reader = {name: value for name, value in given.items() if value}
    if options["snap"]:
        reader["snap"] = True
    return Request(
        data=options["data"],
        symbol=options["symbol"].upper(),
        reader=reader,
        symbols=symbols,
        **{name: options[name] for name in ("episodes", "cases", "days", "seed", "workers")},
    )


def _show(console: Console, values: dict[str, Any], out: Path) -> None:
    summary, good = values["summary"], values["verdict"] == "same"
    table = Table(show_header=False, box=None)
    rows = (
        (
            "transitions compared",
            f"{summary['replayed_transitions'] + summary['generated_transitions']:,}",
        ),
        ("numbers compared", f"{summary['numbers_compared']:,}"),
        ("mismatches", f"{summary['mismatches']:,}"),
        (
            "largest error",
            f"obs {summary['max_ulps_obs']} ulps, reward {summary['max_ulps_reward']} ulps",
        ),
        ("episode reward deviation", f"{summary['reward_deviation_max']:.2%} (limit 5%)"),
        (
            "learner",
            ", ".join(
                f"{name} {summary['relative_errors'][name]['largest']:.1e}"
                for name in ("gradients", "weights")
                if name in summary["relative_errors"]
            ),
        ),
        (
            "branches seen",
            f"{len(values['required']) - len(values['missing'])} of {len(values['required'])}",
        ),
        ("time", f"{values['made']['seconds']} s"),
    )
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    for check in values["checks"]:
        if not check["passed"]:
            console.print(f"[red]failed[/] {check['check']} on {check['world']}: {_why(check)}")
    if values["missing"]:
        console.print(f"[red]never seen[/] {', '.join(values['missing'])}")
    for found in values["divergences"]:
        console.print(f"looks like {found['looks_like']}; reproduce with:", style="yellow")
        console.print(found["command"], soft_wrap=True, highlight=False, markup=False)
    colour = "green" if good else "red"
    console.print(f"[bold {colour}]verdict: {values['verdict']}[/]   {out / 'report.html'}")


def _why(check: dict[str, Any]) -> str:
    first = check["first"]
    if check["error"]:
        return str(check["error"])
    if first is None:
        for name, found in check["measures"].items():
            if not found["error"] <= found["limit"]:
                return f"{name}: error {found['error']:.2g}, {found['limit']:g} allowed"
        return f"{check['mismatches']} numbers differ"
    place = f"{list(first['index'])}" if first["index"] else ""
    values = f"reference {first['reference']:g}, port {first['port']:g}"
    return f"{first['field']}{place} at lane {first['lane']}, step {first['step']}: {values}"


@parity.command()
@click.argument("certificate", type=click.Path(path_type=Path), default=CERTIFICATE)
def verify(certificate: Path) -> None:
    """Say whether a certificate still fits the code at hand, and why not (exit code 2)."""
    from parity.admission import admit

    found = admit(certificate)
    made = found["made"]
    click.echo(
        f"{certificate} fits: verdict {found['verdict']!r}, {len(found['sources'])} source files, "
        f"made {made['when']} on {made['device']}"
    )


@parity.command()
@click.option("--data", type=click.Path(path_type=Path), help="File of bars.")
@click.option("--synthetic", type=int, help="Days of synthetic bars.")
@click.option("--stress", type=click.Choice(["rth", "all"]), help="Hostile bars of this session.")
@click.option("--symbol", default="ES", show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of synthetic or hostile bars.")
@click.option("--commission", type=int, help="Cents per side, instead of the contract's.")
@click.option("--slippage", type=int, help="Ticks, instead of the contract's.")
@click.option("--seconds", type=int, help="Look at every second, of bars made with this seed.")
@click.option("--config", help="Configuration as JSON; Phase 1 defaults otherwise.")
@click.option("--state", required=True, help="State fields in ticks and cents, as JSON.")
@click.option("--action", required=True, type=int)
def case(state: str, action: int, config: str | None, **options: Any) -> None:
    """Inject one state into both sides, take one action, and show where they differ (exit code 1)."""
    from parity.engine.diverge import differences
    from parity.engine.pair import Case
    from parity.pairs.trading import trading_pair

    settings = EnvConfig.phase1() if config is None else EnvConfig.from_dict(_json("--config", config))
    pair = trading_pair([_world(options, settings)], settings)
    fields = {**_json("--state", state), "market": 0}
    needed = set(pair.rules) & set(pair.reference.read(_fresh(pair)))
    if missing := sorted(needed - set(fields)):
        raise InputError(f"--state lacks {', '.join(missing)}; give every field of the state")
    bars = len(pair.reference.make(0).df)
    if not 1 <= int(fields["step_idx"]) < bars - 1:
        raise InputError(f"--state names bar {fields['step_idx']}; these bars allow 1 to {bars - 2}")
    found = differences(pair, Case(0, fields, action))
    console = Console()
    for name, value in pair.describe(0, fields).items():
        console.print(f"[dim]{name:>16}[/] {value}")
    if not found:
        console.print("[green]both sides agree[/]")
        return
    table = Table("when", "field", "reference", "port", "ulps")
    for row in found:
        ulps = "" if row.ulps is None else f"{row.ulps:,}"
        table.add_row(row.when, row.field, f"{row.reference:.9g}", f"{row.port:.9g}", ulps)
    console.print(table)
    raise SystemExit(1)


def _fresh(pair: Any) -> Any:
    env = pair.reference.make(0)
    pair.reference.reset(env, int(pair.starts[0][0]))
    return env


def _json(option: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError(f"{option} is not JSON ({error}); quote it as a JSON object") from None
    if not isinstance(found, dict):
        raise InputError(f"{option} must be a JSON object of names and numbers")
    return found


def _world(options: dict[str, Any], config: EnvConfig) -> Any:
    from markets.readers import read_bars
    from markets.synthetic.bars import synthetic_bars
    from markets.synthetic.stress import stress_bars
    from parity.pairs.seconds import gappy_seconds
    from parity.pairs.trading import World

    symbol, seed = options["symbol"], options["seed"]
    if options["data"]:
        bars = read_bars(options["data"], symbol)
    elif options["stress"]:
        bars = stress_bars(symbol, seed=seed, session=options["stress"])
    else:
        bars = synthetic_bars(symbol, days=options["synthetic"] or 6, seed=seed)
    contract = bars.contract.with_costs(
        slippage_ticks=options["slippage"], commission_cents=options["commission"]
    )
    bars = replace(bars, contract=contract)
    fine = None if options["seconds"] is None else gappy_seconds(bars, options["seconds"])
    return World(symbol, bars, "", fine)
