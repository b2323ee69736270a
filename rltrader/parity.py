"""``rltrader parity``: run the gate, verify a certificate, reproduce one case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from foundation.errors import InputError
from foundation.json_reading import Artifact, Int32, convert, decode_json
from foundation.loaded_code import loaded_digests
from foundation.memory import require_memory
from foundation.progress import progress_bar
from foundation.report.format import show
from rltrader.consoles import report_console, say
from rltrader.lazy_group import Lazy, LazyGroup
from rltrader.options.bars import DEFAULT_SYMBOL, BarOptions, bar_options
from rltrader.options.proof import CERTIFICATE, demand_options

if TYPE_CHECKING:
    from markets import EnvConfig

DAYS = 6
"""Synthetic days of a case whose bars are not named."""

COMMANDS = {
    "mutation": Lazy(
        "parity.mutants.run:mutation",
        "Plant faults in the port and see that the gate finds each; write mutation.json.",
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def parity() -> None:
    """Prove that the port is the reference."""


@parity.command()
@bar_options("optional", "optional")
@click.option("--episodes", default=100, show_default=True, help="Replayed on the file, in each phase.")
@click.option("--cases", default=20_000, show_default=True, help="Generated transitions on the file.")
@click.option("--days", default=6, show_default=True, help="Synthetic days per symbol.")
@click.option("--symbols", help="Synthetic symbols, comma-separated; all eight by default.")
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--thorough",
    is_flag=True,
    help="All of it with ten seeds, from --seed on: stronger evidence, under an hour on two cores.",
)
@click.option("--workers", default=2, show_default=True, help="Processes that carry out its parts.")
@click.option(
    "--export-chain",
    is_flag=True,
    help="Then train small policies of both phases, export and verify them, into reports/export.",
)
@click.option(
    "--key", type=click.Path(path_type=Path), help="PEM file of a private key to sign the certificate."
)
@click.option("--out", type=click.Path(path_type=Path), default=CERTIFICATE.parent, show_default=True)
def run(
    bars: BarOptions, thorough: bool, export_chain: bool, key: Path | None, out: Path, **options: Any
) -> None:
    """Compare both sides; write report.html, parity.json, junit.xml and certificate.json.

    Exit code 0 means the same, 1 a divergence or too little seen, 2 bad input.
    """
    from jax_port.runs.gate import refuse_other_numbers
    from parity.engine.certificate import issue
    from parity.engine.output import check_key, write_report
    from parity.engine.report import SAME
    from parity.gate.covered import covered_by
    from parity.gate.strength import THOROUGH_ROUNDS, strength_of
    from parity.learner.judge import LIMITS
    from parity.pairs.trading import RULES
    from parity.suites.rounds import run_rounds, seeds_of
    from parity.suites.trading import MODULES, count_worlds
    from rltrader.export_parity import OUT as CHAIN_OUT
    from rltrader.export_parity import ChainRequest, prove_export, require_own

    refuse_other_numbers()
    if export_chain:
        require_own(CHAIN_OUT)
    request, rounds = _request(bars, options), THOROUGH_ROUNDS if thorough else 1
    sources = loaded_digests(MODULES)  # of the code that is about to be judged
    check_key(key)
    console = report_console()
    with progress_bar("parity", "{task.fields[world]}", console=console) as bar:
        task = bar.add_task("", total=rounds * count_worlds(request), world="starting")
        report = run_rounds(
            request,
            rounds,
            lambda world, count: bar.update(task, advance=1, world=f"{world}: {count:,} steps"),
        )
    values = report.to_dict()
    tolerances = {name: rule.describe() for name, rule in RULES.items()}
    tolerances |= {f"learner: {name}": f"relative error up to {x:g}" for name, x in LIMITS.items()}
    covered = covered_by(values["worlds"], seeds_of(request, rounds), request.learner)
    certificate = issue(values, tolerances, sources, covered)
    if sources != loaded_digests(MODULES):
        raise InputError("a source file was changed while the gate ran; run it again")
    write_report(out, report, certificate, key)
    _show(console, values, strength_of(certificate), out)
    if report.verdict != SAME:
        raise SystemExit(1)
    if export_chain:
        chain = ChainRequest(bars=bars, hidden=CHAIN_HIDDEN, episodes=CHAIN_EPISODES)
        if not prove_export(chain, Console(stderr=True)):
            raise SystemExit(1)


CHAIN_HIDDEN, CHAIN_EPISODES = (64, 64), 10
"""Size of the policies that ``--export-chain`` trains, and episodes it replays of each."""


WORKER_BYTES, CASE_BYTES, EPISODE_BYTES = 600 << 20, 1000, 50_000
"""Least memory of a process that carries out parts, of a generated transition (its observation on
both sides, float32), and of a replayed episode (a short one's)."""


def _request(bars: BarOptions, options: dict[str, Any]) -> Any:
    from markets import SYMBOLS, get_contract
    from parity.suites.scenarios import Request

    for name, least in (("episodes", 4), ("cases", 200), ("days", 2), ("workers", 0)):
        if options[name] < least:
            raise InputError(f"--{name} is {options[name]}; it must be at least {least}")
    sizes = {
        "processes": options["workers"] * WORKER_BYTES,
        "generated transitions": options["cases"] * CASE_BYTES,
        "replayed episodes": options["episodes"] * EPISODE_BYTES,
    }
    lower = dict(zip(sizes, ("--workers", "--cases", "--episodes"), strict=True))
    require_memory("this gate", sizes, lower)
    symbols = tuple(options["symbols"].upper().split(",")) if options["symbols"] else SYMBOLS
    for symbol in symbols:
        get_contract(symbol)
    return Request(
        data=bars.file,
        symbol=bars.contract().symbol,
        reader=bars.reader,
        symbols=symbols,
        **{name: options[name] for name in ("episodes", "cases", "days", "seed", "workers")},
    )


def _show(console: Console, values: dict[str, Any], strength: str, out: Path) -> None:
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
        ("strength", strength),
        ("time", f"{values['made']['seconds']} s"),
    )
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    for line in failures(values):
        console.print(line, style="red")
    if values["missing"]:
        console.print(f"never seen: {', '.join(values['missing'])}", style="red")
    for divergence in values["divergences"]:
        console.print(show_finding(divergence, len(values["worlds"])), style="yellow")
        if divergence["command"]:
            console.print(divergence["command"], soft_wrap=True)
    for command in values["made"]["settings"].get("again", ()):
        console.print(f"run it again: {command}", soft_wrap=True)
    colour = "green" if good else "red"
    verdict = f"verdict: {values['verdict']}   {out / 'report.html'}"
    console.print(verdict, style=f"bold {colour}", soft_wrap=True)


def failures(values: dict[str, Any]) -> list[str]:
    """Return a line for each kind of check that failed: on how many data sets, and how on the first."""
    failed = [check for check in values["checks"] if not check["passed"]]
    lines = []
    for name in dict.fromkeys(check["check"] for check in failed):
        ones = [check for check in failed if check["check"] == name]
        more = f" and {len(ones) - 1} more" if len(ones) > 1 else ""
        lines.append(f"failed: {name} on {ones[0]['world']}{more}: {_why(ones[0])}")
    return lines


def show_finding(found: dict[str, Any], worlds: int) -> str:
    """Return what a finding is of and where it was seen, before the command that shows it again."""
    seen = found["seen"]
    where = f"{len(seen['worlds'])} of {worlds} data sets, by {' and '.join(seen['checks'])}"
    smallest = "the smallest case:" if found["command"] else "no single case shows it, an episode does"
    return f"{found['looks_like']}: {', '.join(seen['fields'])}; seen in {where}; {smallest}"


def _why(check: dict[str, Any]) -> str:
    from parity.engine.format import place_of

    first = check["first"]
    if check["error"]:
        return str(check["error"])
    if first is None:
        for name, measure in check["measures"].items():
            if not measure["error"] <= measure["limit"]:
                return f"{name}: error {measure['error']:.2g}, {measure['limit']:g} allowed"
        return f"{check['mismatches']} numbers differ"
    place = f"{list(first['index'])}" if first["index"] else ""
    values = f"reference {show(first['reference'])}, port {show(first['port'])}"
    where = place_of(check["check"], first["field"], first["lane"], first["step"])
    return f"{first['field']}{place}{' ' if where else ''}{where}: {values}"


@parity.command()
@click.argument("certificate", type=click.Path(path_type=Path), default=CERTIFICATE)
@demand_options("quick", "standard", "full", "thorough")
def verify(certificate: Path, least: str, require_key: Path | None) -> None:
    """Say whether a certificate is sound and fits the code at hand, and why not (exit code 2)."""
    from parity.admission import Demand, admit

    admitted = admit(certificate, demand=Demand(least, require_key))
    made, covered = admitted["made"], admitted["covered"]
    say(
        f"{certificate} fits: verdict {admitted['verdict']!r}, strength {admitted['strength']}, "
        f"{len(admitted['sources'])} source files, made {made['when']} on {made['device']}"
        f"{', signed by ' + admitted['signed_by'][:16] if admitted['signed_by'] else ''}; covers "
        f"{', '.join(covered['symbols'])} on {len(covered['markets'])} markets, precision "
        f"{', '.join(covered['precision'])}"
    )


@parity.command()
@bar_options("optional", "optional", f"Contract of the bars; {DEFAULT_SYMBOL} for synthetic ones.")
@click.option(
    "--synthetic", type=click.IntRange(min=1), help=f"Days of synthetic bars; {DAYS} by default."
)
@click.option("--stress", type=click.Choice(["rth", "all"]), help="Hostile bars of this session.")
@click.option("--seed", default=0, show_default=True, help="Of synthetic or hostile bars.")
@click.option("--commission", type=int, help="Cents per side, instead of the contract's.")
@click.option("--slippage", type=int, help="Ticks, instead of the contract's.")
@click.option(
    "--seconds", type=click.IntRange(min=0), help="Look at every second, of bars made with this seed."
)
@click.option(
    "--config", help="Configuration as JSON; the defaults of its phase for the rest, Phase 1 by itself."
)
@click.option("--state", required=True, help="State fields in ticks and cents, as JSON.")
@click.option("--action", required=True, type=click.IntRange(-(2**31), 2**31 - 1))
def case(bars: BarOptions, state: str, action: int, config: str | None, **options: Any) -> None:
    """Inject one state into both sides, take one action, and show where they differ (exit code 1)."""
    from jax_port.data.data_loader import prepare
    from parity.engine.diverge import differences
    from parity.engine.pair import Case
    from parity.pairs.corners import usable_bars
    from parity.pairs.trading import trading_pair

    settings = _settings(config)
    world = _world(bars, options)
    pair = trading_pair([world], settings)
    fields = {**_state(state), "market": 0}
    needed = set(pair.rules) & set(pair.reference.read(_fresh(pair)))
    if missing := sorted(needed - set(fields)):
        raise InputError(f"--state lacks {', '.join(missing)}; give every field of the state")
    allowed = usable_bars(prepare(world.bars, settings), settings)
    if int(fields["step_idx"]) not in allowed:
        raise InputError(
            f"--state names bar {fields['step_idx']}; these bars allow {allowed[0]} to {allowed[-1]}"
        )
    differing = differences(pair, Case(0, fields, action))
    console = report_console()
    for name, value in pair.describe(0, fields).items():
        console.print(f"{name:>16} {value}")
    if not differing:
        console.print("both sides agree", style="green")
        return
    table = Table("when", "field", "reference", "port", "ulps")
    for row in differing:
        ulps = "" if row.ulps is None else f"{row.ulps:,}"
        table.add_row(row.when, row.field, show(row.reference), show(row.port), ulps)
    console.print(table)
    raise SystemExit(1)


def _fresh(pair: Any) -> Any:
    env = pair.reference.make(0)
    pair.reference.reset(env, int(pair.starts[0][0]))
    return env


JSON_OBJECT = Artifact("JSON object", "give names and whole numbers, in quotes")


def _settings(text: str | None) -> EnvConfig:
    """Return a configuration: what the JSON names, and the defaults of its phase for the rest."""
    from markets import EnvConfig

    given = {} if text is None else _object("--config", text)
    for part in ("account", "reward"):
        inner = given.pop(part, {})
        given |= convert(inner, dict[str, Any], JSON_OBJECT, where=f"--config, {part}")
    phase = given.pop("phase", 1)
    if phase not in (1, 2) or isinstance(phase, bool):
        raise InputError(f"--config: phase is {phase!r}; it must be 1 or 2")
    defaults = EnvConfig.phase1() if phase == 1 else EnvConfig.phase2()
    return defaults.override(**given)


def _object(option: str, text: str) -> dict[str, Any]:
    return decode_json(text, dict[str, Any], JSON_OBJECT, where=option)


def _state(text: str) -> dict[str, int]:
    """Return the fields of a state: whole numbers of 32 bits, or true and false."""
    where = "--state, field {}"
    return {
        name: convert(value, Int32 | bool, JSON_OBJECT, where=where.format(name))  # type: ignore[arg-type]
        for name, value in _object("--state", text).items()
    }


def _world(given: BarOptions, options: dict[str, Any]) -> Any:
    from markets.synthetic.bars import synthetic_bars
    from markets.synthetic.stress import stress_bars
    from parity.pairs.seconds import gappy_seconds
    from parity.pairs.trading import World

    if sum(one is not None for one in (given.file, options["synthetic"], options["stress"])) > 1:
        raise InputError("say once which bars: --data FILE, --synthetic DAYS or --stress SESSION")
    symbol, seed = given.contract().symbol, options["seed"]
    if given.file is not None:
        bars = given.read()
    elif options["stress"]:
        bars = stress_bars(symbol, seed=seed, session=options["stress"])
    else:
        bars = synthetic_bars(symbol, days=options["synthetic"] or DAYS, seed=seed)
    contract = bars.contract.with_costs(
        slippage_ticks=options["slippage"], commission_cents=options["commission"]
    )
    bars = replace(bars, contract=contract)
    fine = None if options["seconds"] is None else gappy_seconds(bars, options["seconds"])
    return World(symbol, bars, "", fine)
