"""The command ``rltrader COMMAND``: its modules are imported when called, so that help starts fast."""

from __future__ import annotations

import signal
import sys
from pathlib import Path, PurePath

if PurePath(sys.argv[0]).name in ("rltrader", "__main__.py"):
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported: no traceback

import click

from foundation.errors import run_command
from foundation.extras import DISTRIBUTION
from rltrader.lazy_group import Lazy, LazyGroup

COMMANDS = {
    "advise": Lazy(
        "rltrader.advice.advise:advise",
        "Ask an advisor about every bar of a market, once, and keep what it says as a table.",
    ),
    "bench": Lazy("rltrader.bench:bench", "Work with reports of benchmarks."),
    "data": Lazy("rltrader.data:data", "Look at market data before anything is trained on it."),
    "doctor": Lazy(
        "rltrader.doctor:doctor", "Say what is installed, which devices there are, and what is missing."
    ),
    "evaluate": Lazy(
        "rltrader.evaluate:evaluate",
        "Let POLICY trade every start of a range of dates; write tables, numbers and a page.",
    ),
    "export": Lazy(
        "rltrader.export:export",
        "Take a policy home: rltrader export RUN --to DIR, then rltrader export verify DIR.",
    ),
    "import": Lazy(
        "rltrader.import_:import_",
        "Read SOURCE, of PyTorch or SB3, as a policy file.",
    ),
    "ninjatrader": Lazy(
        "rltrader.live.ninjatrader:ninjatrader", "Take the strategy's C# sources to NinjaTrader."
    ),
    "parity": Lazy("rltrader.parity:parity", "Prove that the port is the reference."),
    "replay": Lazy(
        "rltrader.live.replay:replay",
        "Find the first bar, and the stage, at which a live strategy's LOG and offline disagree.",
    ),
    "sweep": Lazy(
        "rltrader.sweep.command:sweep",
        "Search for settings: a trial a set of them, judged on days that training leaves out.",
    ),
    "train": Lazy(
        "rltrader.train:train", "Train with MaskablePPO on the device, behind the parity gate."
    ),
    "walk-forward": Lazy(
        "rltrader.walk_forward:walk_forward",
        "Train on each window of dates, judge on the dates that follow, and join what was judged.",
    ),
}
"""Every subcommand; its help is the first sentence of its own."""


CONTEXT = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "RLTRADER"}


@click.command(cls=LazyGroup, lazy=COMMANDS, context_settings=CONTEXT)
@click.version_option(package_name=DISTRIBUTION, prog_name="rltrader")
@click.option(
    "--contracts",
    "contracts",
    type=click.Path(path_type=Path),
    help="TOML file of contracts of your own (or RLTRADER_CONTRACTS in the environment).",
)
def app(contracts: Path | None) -> None:
    """Move a trading agent from PyTorch to JAX, with proof at every hop."""
    if contracts is not None:
        from markets.contracts_file import register_contracts

        register_contracts(contracts)


def main() -> None:
    """Run the command line; bad input prints one sentence and exits with code 2."""
    run_command(app)


if __name__ == "__main__":
    main()
