"""Join what several parts of a sample wrote: one list of mutants, one score.

``python -m parity.mutants.sampled.join PART... --out reports/mutation_sample``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from foundation.errors import run_command
from foundation.files import write_json
from foundation.json_lines import adding_lines
from markets import InputError
from parity.mutants.sampled.equivalents import EQUIVALENT
from parity.mutants.sampled.run import OUT, SUMMARY, show
from parity.mutants.sampled.summary import read_judged, summarize
from parity.mutation.lines import LINES, key_of
from parity.mutation.score import UNJUDGED


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def command(folders: tuple[Path, ...], out: Path) -> None:
    """Join the mutants.jsonl of FOLDERS; write mutants.jsonl and score.json."""
    judged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for folder in folders:
        if not (folder / LINES).is_file():
            raise InputError(
                f"{folder}: no {LINES}; give folders that a part of a sample was written to"
            )
        for line in read_judged(folder / LINES):
            if judged.get(key_of(line), {"outcome": UNJUDGED})["outcome"] == UNJUDGED:
                judged[key_of(line)] = line
    lines = [judged[key] for key in sorted(judged)]
    out.mkdir(parents=True, exist_ok=True)
    with adding_lines(out / LINES, lines):
        pass
    summary = summarize(lines, EQUIVALENT)
    write_json(out / SUMMARY, {"count": len(lines), **summary})
    show(Console(), summary)


def main() -> None:
    """Run the command; bad input prints one sentence and exits with code 2."""
    run_command(command)


if __name__ == "__main__":
    main()
