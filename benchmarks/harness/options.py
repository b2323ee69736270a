"""Options that every benchmark takes."""

from __future__ import annotations

from pathlib import Path

import click

json_option = click.option(
    "--json",
    "out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report to this file.",
)
"""Where the report goes, or None. A folder is refused before anything is measured."""

quick_option = click.option(
    "--quick", is_flag=True, help="Tiny sizes: shows that it runs, measures nothing."
)
"""Whether sizes are tiny: a bool."""
