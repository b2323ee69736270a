"""Tables of results: CSV with a header, one row a seed, a score or a learning curve in each."""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foundation.errors import InputError
from foundation.report.format import count
from parity.learning.statistics import Floats

SEED = "seed"
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Results:
    """What one trainer reached.

    Attributes:
        name: for reports.
        seeds: of each row, as written.
        columns: what the numbers are, in order.
        values: float64 (seeds, columns): one column is a score, several are a learning curve.
    """

    name: str
    seeds: tuple[str, ...]
    columns: tuple[str, ...]
    values: Floats

    @property
    def scores(self) -> Floats:
        """One number a seed, float64 (seeds,): the score, or the mean of the learning curve."""
        return np.asarray(self.values.mean(axis=1))


def read_results(path: Path, name: str = "", column: str | None = None) -> Results:
    """Read a table; a column called "seed" numbers the rows, every other one must hold numbers.

    Args:
        path: of a CSV file with a header.
        name: of the trainer; by default the file's.
        column: the only one to take.

    Raises:
        InputError: there is no such file or column, a seed comes twice, or something is no number.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: larger than {MOST_BYTES:,} bytes; one row a seed is enough")
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            # Numbered as an editor does, empty lines and all.
            lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a CSV with one row a seed") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV ({error})") from None
    if len(lines) < 3:
        raise InputError(
            f"{path}: has {count(max(len(lines) - 1, 0), 'row')}; give a header and two seeds or more"
        )
    header = [cell.strip() for cell in lines[0][1]]
    if all(_is_number(cell) for cell in header):
        raise InputError(
            f"{path}: the first line holds numbers; begin with a header, such as seed,score"
        )
    if len(set(header)) < len(header):
        raise InputError(f"{path}: two columns have the same name; rename one")
    wanted = [one for one in header if one.lower() != SEED] if column is None else [column]
    if column is not None and column not in header:
        raise InputError(f"{path}: there is no column {column}; it has {', '.join(header)}")
    if column is not None and column.lower() == SEED:
        raise InputError(f"{path}: column {column} numbers the rows; give one with a score")
    if not wanted:
        raise InputError(f"{path}: there is no column but the seed's; give one with a score")
    places = [header.index(one) for one in wanted]
    rows = []
    for number, line in lines[1:]:
        if len(line) != len(header):
            raise InputError(
                f"{path}, line {number}: {count(len(line), 'cell')}, and {len(header)} in the header; "
                "mend the line"
            )
        rows.append([_number(path, number, header[place], line[place]) for place in places])
    numbered = [one for one in header if one.lower() == SEED]
    seeds = tuple(
        line[header.index(numbered[0])].strip() if numbered else str(number)
        for number, (_, line) in enumerate(lines[1:])
    )
    alike = [float(seed) if _is_number(seed) else seed for seed in seeds]  # 1 and 1.0 are one seed
    rows_of = Counter(alike)
    twice = sorted(seed for seed, one in zip(seeds, alike, strict=True) if rows_of[one] > 1)
    if twice:
        raise InputError(f"{path}: seed {twice[0]} comes twice; give one row a seed")
    return Results(name or path.stem, seeds, tuple(wanted), np.array(rows, np.float64))


def names_of(first: Path, second: Path) -> tuple[str, str]:
    """Return what to call two tables: by their files, with folders too where these are called alike.

    Raises:
        InputError: both are one file, which is equivalent to itself.
    """
    if first.resolve() == second.resolve():
        raise InputError(f"{first} is given twice; give a table of each trainer")
    if first.stem != second.stem:
        return first.stem, second.stem
    here, other = (str(path.with_suffix("")) for path in (first, second))
    return (here, other) if here != other else (str(first), str(second))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(path: Path, line: int, column: str, text: str) -> float:
    if not _is_number(text) or not math.isfinite(float(text)):
        raise InputError(
            f"{path}, line {line}: {column} is {text.strip()!r}, no finite number; leave the column "
            "out with --column, or mend the line (a training that diverged is a result of its own)"
        )
    return float(text)
