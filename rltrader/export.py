"""``rltrader export``: a policy as a bundle, and the proof that the bundle decides as the port does."""

from __future__ import annotations

from pathlib import Path

import click

from foundation.progress import status
from rltrader.consoles import report_console, say
from rltrader.lazy_group import Lazy, LazyGroup
from rltrader.options.fusion import RULES, fusion_settings

BUNDLE = "bundle"
COMMANDS = {
    "attested": Lazy(
        "rltrader.export_verify:attested",
        "Hold a bundle to the attestation that `export verify` wrote of it.",
    ),
    "day": Lazy(
        "rltrader.export_verify:day",
        "Write raw bars and what the policy does on a whole day of them: bars.csv and day.json.",
    ),
    "verify": Lazy(
        "rltrader.export_verify:verify",
        "Prove that every file of a bundle decides as the port does.",
    ),
}


class ExportGroup(LazyGroup):
    """Takes ``rltrader export RUN --to DIR`` for ``rltrader export bundle RUN --to DIR``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let a policy's or a run's path stand for ``bundle`` and the path."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            args = [BUNDLE, *args]
        return super().parse_args(ctx, args)


@click.group(cls=ExportGroup, lazy=COMMANDS)
def export() -> None:
    """Take a policy home: rltrader export RUN --to DIR, then rltrader export verify DIR."""


@export.command(BUNDLE)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Folder of the bundle.")
@click.option("--agent", type=click.IntRange(min=0), help="Which of a run's policies, from 0.")
@click.option("--symbol", help="Contract to trade; by default that of the training data.")
@click.option(
    "--fusion",
    type=click.Choice(RULES),
    help="Rule by which a live strategy fuses the policy with the service's advice; none by default.",
)
@click.option(
    "--fusion-set", multiple=True, metavar="NAME=VALUE", help="Another setting of the fusion."
)
def bundle(
    source: Path,
    to: Path,
    agent: int | None,
    symbol: str | None,
    fusion: str | None,
    fusion_set: tuple[str, ...],
) -> None:
    """Write SOURCE, a run or a policy file, as a bundle for PyTorch, SB3, ONNX and NinjaTrader.

    Exit code 2 means bad input.
    """
    from foundation.errors import InputError
    from jax_port.export.bundle import export as write
    from jax_port.runs.find_policy import find_policy
    from jax_port.runs.lineage import SAME, in_words

    if fusion is None and fusion_set:
        raise InputError("--fusion-set is about a fusion; choose a rule with --fusion, or leave it out")
    console = report_console(stderr=True)
    with status(console, "exporting") as update:
        manifest = write(
            find_policy(source, agent),
            to,
            symbol,
            lambda name: update(f"writing {name}"),
            None if fusion is None else fusion_settings(fusion, fusion_set),
        )
    proof = in_words(manifest["certificate"])
    if proof != SAME:
        console.print(f"{proof}: parity of its training, and the manifest says so", style="yellow")
    if manifest["trained_with_advice"] is not None:
        trained_with = manifest["trained_with_advice"]
        console.print(
            f"trained with the advice of {trained_with['advisor']}, {trained_with['model']}, as a "
            "prior: live it asks the service at every bar (rltrader advise serve), and decides without "
            "where none comes",
            style="yellow",
        )
    say(f"bundle of {len(manifest['files']) + 1} files in {to}; prove it: rltrader export verify {to}")
