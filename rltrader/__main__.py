"""The command ``rltrader COMMAND``: its modules are imported when called, so that help starts fast."""

from __future__ import annotations

import signal
import sys
from pathlib import PurePath

if PurePath(sys.argv[0]).name in ("rltrader", "__main__.py"):
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported: no traceback

import click

from foundation.errors import run_command
from rltrader.lazy_group import Lazy, LazyGroup

COMMANDS = {
    "bench": Lazy("rltrader.bench:bench", "Work with reports of benchmarks."),
    "data": Lazy("rltrader.data:data", "Look at market data before anything is trained on it."),
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
    "parity": Lazy("rltrader.parity:parity", "Prove that the port is the reference."),
    "replay": Lazy(
        "rltrader.replay:replay",
        "Find the first bar, and the stage, at which a live strategy's LOG and offline disagree.",
    ),
    "train": Lazy(
        "rltrader.train:train", "Train with MaskablePPO on the device, behind the parity gate."
    ),
}
"""Every subcommand; its help is the first sentence of its own."""


@click.command(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rltrader", prog_name="rltrader")
def app() -> None:
    """Move a trading agent from PyTorch to JAX, with proof at every hop."""


def main() -> None:
    """Run the command line; bad input prints one sentence and exits with code 2."""
    run_command(app)


if __name__ == "__main__":
    main()
