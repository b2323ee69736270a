"""``rltrader train``: train agents on the device, or go on with a run that was cut off."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pandas as pd
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from markets import InputError

CERTIFICATE = Path("reports/parity/certificate.json")
STOPPED = 130
"""Exit code after Ctrl-C, so that a script does not go on as if the run were finished."""

SETTINGS: dict[str, tuple[str, Any]] = {
    "steps": ("total_timesteps", int),
    "envs": ("n_envs", int),
    "n-steps": ("n_steps", int),
    "batch-size": ("batch_size", int),
    "epochs": ("n_epochs", int),
    "learning-rate": ("learning_rate", float),
    "gamma": ("gamma", float),
    "gae-lambda": ("gae_lambda", float),
    "clip-range": ("clip_range", float),
    "clip-range-vf": ("clip_range_vf", float),
    "ent-coef": ("ent_coef", float),
    "vf-coef": ("vf_coef", float),
    "max-grad-norm": ("max_grad_norm", float),
    "target-kl": ("target_kl", float),
    "seed": ("seed", int),
    "precision": ("precision", str),
    "activation": ("activation", str),
}
"""Command-line option to training setting."""


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each of :data:`SETTINGS`; left out, the setting's own default holds."""
    from jax_port.ppo.settings import TrainSettings

    own = {item.name: item.default for item in fields(TrainSettings)}
    for option, (name, kind) in reversed(SETTINGS.items()):
        default = own.get(name, "relu")
        text = f"[default: {'none' if default is None else default}]"
        command = click.option(f"--{option}", name, type=kind, help=text)(command)
    return command


@click.command()
@click.option("--data", "files", multiple=True, help="File of one-minute bars; may be repeated.")
@click.option("--symbol", "symbols", multiple=True, help="Contract of each file.  [default: ES]")
@click.option("--synthetic", type=click.IntRange(min=1), help="Days of synthetic bars instead.")
@click.option(
    "--pattern", type=click.IntRange(min=1), help="Days of synthetic bars with a planted edge instead."
)
@click.option("--data-seed", type=click.IntRange(min=0), default=0, help="Of synthetic bars.")
@click.option("--format", "file_format", help="Format of the files; detected by default.")
@click.option("--tz", "timezone", help="Zone of timestamps that carry none.")
@click.option("--snap", is_flag=True, help="Move off-grid prices to the grid.")
@click.option(
    "--from", "first", default="", help="First New York date to train on, or as --from-policy."
)
@click.option("--to", "last", default="", help="Last New York date to train on.")
@click.option("--phase", type=click.Choice(["1", "2"]), default="1", show_default=True)
@click.option(
    "--from-policy", "initial", help="Policy file to begin with; one of phase 1 may start phase 2."
)
@click.option("--freeze", multiple=True, metavar="LAYER", help="Layer that keeps its weights.")
@click.option(
    "--layer-rate", "layer_rates", multiple=True, metavar="LAYER=X", help="Factor on its learning rate."
)
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Environment setting.")
@click.option("--pi", help="Hidden sizes of the policy.  [default: 256,256]")
@click.option("--vf", help="Hidden sizes of the value.  [default: 256,256]")
@_settings_options
@click.option("--anneal", is_flag=True, help="Lower learning rate and clip range to zero.")
@click.option("--no-norm-reward", is_flag=True, help="Leave rewards as they are.")
@click.option("--seeds", type=click.IntRange(min=1), help="Agents to train side by side.")
@click.option("--sweep", type=click.Path(path_type=Path), help="CSV with one row of settings an agent.")
@click.option("--updates-per-call", type=click.IntRange(min=1), help="Updates between two reports.")
@click.option("--checkpoint-every", default=20, show_default=True, help="Updates between checkpoints.")
@click.option("--certificate", type=click.Path(path_type=Path), default=CERTIFICATE, show_default=True)
@click.option("--ungated", is_flag=True, help="Train without proof of parity; artifacts say so.")
@click.option("--distributed", is_flag=True, help="Join the other processes of a cluster first.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="The run's folder.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
def train(out: Path | None, resume: bool, distributed: bool, **options: Any) -> None:
    """Train with MaskablePPO on the device, behind the parity gate.

    Exit code 0 means finished, 130 stopped by Ctrl-C (go on with --resume), 2 bad input.
    """
    if out is None:
        raise InputError("no --out; name the folder that the run is to be written to")
    given = {name for name, value in options.items() if value and name not in ("certificate", "phase")}
    if distributed:
        import jax

        jax.distributed.initialize()
    from jax_port.runs import run as runs
    from jax_port.runs.gate import UNGATED, pass_gate
    from parity.admission import admit

    if resume:
        plan = runs.read_plan(out)
        if extra := sorted(given - {"ungated", "checkpoint_every"}):
            raise InputError(
                f"--resume goes on with what {out / runs.RUN} says; leave out "
                f"{', '.join(extra)}, or start a new run"
            )
        if plan.certificate != UNGATED:
            pass_gate(admit, options["certificate"], options["ungated"])
    else:
        plan = _plan(options)
        runs.refuse_occupied(out)
    console = Console(stderr=True)
    if plan.certificate == UNGATED:
        console.print("[yellow]ungated: no proof of parity; every artifact will say so[/]")
    with _bar(console, plan) as (tell, _), _on_interrupt() as stopped:
        finished = runs.go_on(plan, out, tell, stopped, begin=not resume)
    if not finished:
        console.print(f"stopped and saved; go on with: rltrader train --out {out} --resume")
        raise SystemExit(STOPPED)
    count = len(plan.agents)
    click.echo(f"{count} {'policy' if count == 1 else 'policies'} trained; saved in {out}")


def _plan(options: dict[str, Any]) -> Any:
    """Return the plan that the options ask for."""
    import jax

    from jax_port.ppo.settings import TrainSettings
    from jax_port.runs import training_data
    from jax_port.runs.gate import pass_gate
    from jax_port.runs.run import Plan
    from parity.admission import admit
    from rltrader.environment_options import environment

    first, initial = _first_and_policy(options["first"], options["initial"])
    names = ("format", "timezone")
    reader = dict(zip(names, (options["file_format"], options["timezone"]), strict=True))
    reader = {name: value for name, value in reader.items() if value}
    if options["snap"]:
        reader["snap"] = True
    chosen = {name: options[name] for name, _ in SETTINGS.values() if options[name] is not None}
    for tower in ("pi", "vf"):
        if options[tower]:
            chosen[tower] = _sizes(tower, options[tower])
    settings = TrainSettings().override(
        **chosen,
        anneal=options["anneal"],
        norm_reward=not options["no_norm_reward"],
        layer_rates=_layer_rates(options["layer_rates"], options["freeze"]),
    )
    data = training_data.from_options(
        options["files"],
        options["symbols"],
        options["synthetic"],
        options["pattern"],
        options["data_seed"],
        reader,
        first,
        options["last"],
    )
    calls = options["updates_per_call"] or (1 if jax.default_backend() == "cpu" else 8)
    certificate = pass_gate(admit, options["certificate"], options["ungated"])
    return Plan(
        settings=settings,
        data=data,
        config=environment(options["phase"], options["overrides"]),
        agents=_agents(options["seeds"], options["sweep"]),
        updates_per_call=calls,
        checkpoint_every=options["checkpoint_every"],
        certificate=certificate,
        initial=_initial(initial),
    )


def _first_and_policy(first: str, policy: str | None) -> tuple[str, str | None]:
    """Return --from as a date and as a policy to begin with: a run or a policy file is no date."""
    if not first or not Path(first).exists():
        return first, policy
    if policy:
        raise InputError("--from and --from-policy both name a policy; give it once")
    return "", first


def _layer_rates(given: tuple[str, ...], frozen: tuple[str, ...]) -> list[tuple[str, float]]:
    """Return LAYER=X texts and frozen layers as pairs."""
    found = [(name, 0.0) for name in frozen]
    for text in given:
        name, _, value = text.partition("=")
        try:
            found.append((name, float(value)))
        except ValueError:
            raise InputError(f"--layer-rate {text}: give LAYER=X, such as policy_0=0.1") from None
    return found


def _initial(text: str | None) -> dict[str, str]:
    """Return a policy file's place and digest; a run's folder stands for its first policy."""
    from jax_port.runs.run import file_digest

    if not text:
        return {}
    path = Path(text) / "policy-0.safetensors" if Path(text).is_dir() else Path(text)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a policy that `rltrader train` wrote")
    return {"path": str(path.absolute()), "sha256": file_digest(path)}


def _sizes(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--{name} is {text!r}; give sizes such as 256,256") from None


def _agents(seeds: int | None, sweep: Path | None) -> tuple[dict[str, Any], ...]:
    """Return each agent's overrides: one a row of the table, else one a seed."""
    if sweep is None:
        return tuple({} for _ in range(seeds or 1))
    if seeds is not None:
        raise InputError("--seeds and --sweep both say how many agents to train; give one of them")
    try:
        table = pd.read_csv(sweep)
    except FileNotFoundError:
        raise InputError(
            f"{sweep}: no such file; give a CSV with one row of settings an agent"
        ) from None
    except ValueError as error:
        raise InputError(
            f"{sweep}: not a readable CSV ({error}); give names, then a row an agent"
        ) from None
    rows = [{k: v for k, v in row.items() if pd.notna(v)} for row in table.to_dict("records")]
    return tuple({str(k): int(v) if k == "seed" else v for k, v in row.items()} for row in rows)


@contextmanager
def _bar(console: Console, plan: Any) -> Iterator[tuple[Callable[..., None], TaskID]]:
    """Show progress: updates, steps a second, mean PnL of an episode, time left."""
    columns = (
        TextColumn("[bold]training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[pnl]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        total = plan.settings.num_updates
        task = bar.add_task("training", total=total, rate="compiling", pnl="")

        def tell(updates: int, records: list[dict[str, Any]]) -> None:
            shown: dict[str, Any] = {}
            if records:
                shown["rate"] = f"{records[-1]['steps_per_second']:,.0f} steps/s"
                pnl = [
                    r["episode_pnl_dollars"] for r in records if r["episode_pnl_dollars"] is not None
                ]
                if pnl:
                    shown["pnl"] = f"${sum(pnl) / len(pnl):,.0f} an episode"
            bar.update(task, completed=updates, **shown)

        yield tell, task


@contextmanager
def _on_interrupt() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C ask the run to save and leave; the second one interrupts."""
    asked: list[int] = []
    previous = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, previous)
