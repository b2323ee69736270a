"""Check the numbers that pages quote from committed reports.

A page gives a report a short name, and puts a comment after each number that comes from it::

    <!-- report bench: reports/reference/benchmarks_cpu2/benchmarks.json -->
    It trains at 48.0 k<!-- bench sections.train.report.rows[name=port].rate.median --> steps a second.

``<!-- code NAME -->`` takes the number from a function of :mod:`tests.docs.facts` instead. The
number must be the report's, rounded to the digits that are shown. In a section that names a report
every number that looks measured needs
such a comment; ``<!-- given -->`` after a number says that it was chosen, not measured, and
``<!-- measured apart -->`` before a paragraph that its numbers are in no report.
"""

from __future__ import annotations

import itertools
import json
import operator
import re
import statistics
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from tests.docs import facts
from tests.docs.pages import ROOT, Fault, Page

UNITS = {"million": 1e6, "thousand": 1e3, "billion": 1e9, "M": 1e6, "k": 1e3, "G": 1e9, "%": 0.01,
         "ms": 1e-3, "MB": 1e6, "GB": 1e9, "kB": 1e3}  # fmt: skip
"""Word after a number to its factor; other words change nothing."""
NUMBER = r"(?P<sign>[-−+]?)\$?(?P<digits>\d[\d,]*(?:\.\d+)?)(?P<exponent>e[-+]?\d+)?"
QUOTED = re.compile(rf"{NUMBER}(?P<gap>\s?)(?P<unit>[A-Za-z%]*)\**\s*$")
REDUCE: dict[str, Callable[[list[float]], float]] = {
    "min": min, "max": max, "mean": statistics.fmean, "median": statistics.median, "sum": sum,
    "len": len, "sd": statistics.stdev,
}  # fmt: skip
PAIRED = {"paired": 50, "paired25": 25, "paired75": 75}
"""Words for the median and the quartiles of ratios taken sample by sample, to percentiles."""
OPERATORS = {"*": operator.mul, "/": operator.truediv, "+": operator.add, "-": operator.sub}
MEASURED = re.compile(
    rf"(?<![\w.,$§-])(?:{NUMBER})(?P<unit>%|\s(?:million|thousand|billion|times|k|M|seconds|ms)\b)?"
)


MARK = "\x01"
"""What stands for a comment while numbers without one are looked for."""


@cache
def report(path: str) -> Any:
    """Return a committed report's content."""
    return json.loads((ROOT / path).read_text("utf-8"))


def lookup(value: Any, path: str) -> Any:
    """Return what a path such as ``rows[name=port, obs].rate.median`` leads to.

    ``[*]`` gives a list over all entries, ``[hop=C#;*]`` over those that fit; ``[a=1;b=2]`` is the one
    entry that fits both, and ``a|b`` the first of two keys that is there.
    """
    for step in re.findall(r"\[[^\]]*\]|[^.\[]+", path):
        if step == "[*]":
            rest = path[path.index("[*]") + 3 :].lstrip(".")
            items = value.values() if isinstance(value, dict) else value
            return [lookup(item, rest) if rest else item for item in items]
        if step.startswith("["):
            inner = step[1:-1]
            if "=" in inner:
                conditions = [part.split("=", 1) for part in inner.split(";") if part != "*"]
                fitting = [row for row in value if all(str(row.get(k)) == w for k, w in conditions)]
                if inner.endswith(";*"):
                    rest = path[path.index(step) + len(step) :].lstrip(".")
                    return [lookup(row, rest) if rest else row for row in fitting]
                if len(fitting) != 1:
                    raise KeyError(f"{len(fitting)} rows with {inner}")
                value = fitting[0]
            else:
                value = value[int(inner)] if inner.lstrip("-").isdigit() else value[inner]
        else:
            value = value[next((key for key in step.split("|") if key in value), step)]
    return value


def evaluate(expression: str, reports: dict[str, str]) -> float:
    """Return the value of ``NAME path``, ``max NAME path[*]``, ``paired NAME path over path``, or
    such terms joined by * / + -."""
    terms = re.split(r"\s([*/+-])\s(?![^\[]*\])", expression.strip())
    result = _term(terms[0], reports)
    for sign, term in zip(terms[1::2], terms[2::2], strict=True):
        result = float(OPERATORS[sign](result, _term(term, reports)))
    return result


def paired(over: list[list[float]], under: list[list[float]], percentile: int) -> float:
    """Return a percentile of the ratios of samples that were measured in the same round."""
    ratios = np.concatenate(over) / np.concatenate(under)
    return float(np.percentile(ratios, percentile))


def _term(term: str, reports: dict[str, str]) -> float:
    term = term.strip()
    if re.fullmatch(r"-?[\d.]+(e-?\d+)?", term):
        return float(term)
    first, _, rest = term.partition(" ")
    if first in PAIRED:
        name, _, paths = rest.partition(" ")
        over, under = (
            lookup(report(reports[name]), path) for path in re.split(r" over (?=\w+[.\[])", paths)
        )
        return paired(over, under, PAIRED[first])
    if first == "code":
        return float(getattr(facts, rest)())
    if first in REDUCE and first not in reports:
        name, _, path = rest.partition(" ")
        return float(REDUCE[first](lookup(report(reports[name]), path)))
    value = lookup(report(reports[first]), rest)
    return float("nan") if value is None else float(value)


def agrees(match: re.Match[str], value: float) -> bool:
    """Say whether a quoted number is ``value`` rounded to the digits that it shows."""
    digits = match["digits"].replace(",", "")
    places = len(digits.partition(".")[2])
    exponent = int((match["exponent"] or "e0")[1:])
    shown = float(digits) * 10.0**exponent * (-1 if match["sign"] in ("-", "−") else 1)
    factor = UNITS.get(match["unit"], 1.0)
    step = 10.0 ** (exponent - places) * factor
    return abs(shown * factor - value) <= step * 0.5 * (1 + 1e-6)


def check_page(page: Page) -> Iterator[Fault]:
    """Yield a fault for every quoted number that differs from its report, and for unmarked ones."""
    reports: dict[str, str] = dict(re.findall(r"<!--\s*report (\w+): (\S+)\s*-->", page.text))
    for name, path in reports.items():
        if not (ROOT / path).is_file():
            yield Fault(page.name, 1, f"report {name}: {path} does not exist")
            return
    prose = re.sub(r"^```.*?^```", _blank, page.text, flags=re.DOTALL | re.MULTILINE)
    for match in re.finditer(
        r"<!--\s*((?:(?:min|max|mean|median|sum|len|sd|paired\d*) )?(\w+) [^>]*?)\s*-->", prose
    ):
        if match[2] not in (*reports, "code"):
            continue
        line = prose[: match.start()].count("\n") + 1
        quoted = QUOTED.search(prose[max(0, match.start() - 60) : match.start()])
        if quoted is None:
            yield Fault(page.name, line, f"{match[1]}: no number stands before this comment")
            continue
        try:
            value = evaluate(match[1], reports)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            yield Fault(page.name, line, f"{match[1]}: not in the report ({error!r})")
            continue
        if not agrees(quoted, value):
            yield Fault(
                page.name, line, f"{quoted[0].strip()}: the report says {value:.6g} ({match[1]})"
            )
    yield from _unmarked(page, prose)


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _unmarked(page: Page, prose: str) -> Iterator[Fault]:
    """Yield numbers without a comment in sections that speak of a committed report."""
    starts = [0, *(match.start() for match in re.finditer(r"^#+ ", prose, re.MULTILINE)), len(prose)]
    for begin, end in itertools.pairwise(starts):
        section = prose[begin:end]
        if "reports/reference/" not in re.sub(r"<!--.*?-->", "", section, flags=re.DOTALL):
            continue
        cleaned = re.sub(
            r"<!-- measured apart -->.*?(?:\n\s*\n|\Z)", _same_length, section, flags=re.DOTALL
        )
        cleaned = re.sub(
            r"(?:Python|jax|NumPy|torch) \d[\d.]*(?:(?:,| or) \d[\d.]*)*", _same_length, cleaned
        )
        cleaned = re.sub(r"`[^`]*`|\]\([^)]*\)", _same_length, cleaned)
        cleaned = re.sub(r"<!--.*?-->", lambda m: MARK * len(m[0]), cleaned, flags=re.DOTALL)
        cleaned = re.sub(
            r"^(#+ .*|\|[^|\n]*\|(?=.*\|$)|\|[-| :]+\|$)", _same_length, cleaned, flags=re.M
        )
        for match in MEASURED.finditer(cleaned):
            after = cleaned[match.end() : match.end() + 24]
            if re.match(rf"[ ]?[A-Za-z%*]*[ ]?{MARK}", after) or not _looks_measured(match):
                continue
            line = prose[: begin + match.start()].count("\n") + 1
            yield Fault(page.name, line, f"{match[0]}: quoted beside a report, but not tied to it")


def _same_length(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "x", match[0])


def _looks_measured(match: re.Match[str]) -> bool:
    text = match[0]
    return bool(match["unit"] or match["exponent"] or "." in match["digits"] or "$" in text)
