"""What makes valid bars unfit: another instrument, columns that hold something else, a wrong clock."""

from __future__ import annotations

from collections.abc import Iterator

from markets.contracts import Contract, contract_of
from markets.file_facts import FileFacts, contracts_in_name, spread_in
from markets.quality.contents.arrays import Contents
from markets.quality.contents.copied_rows import copied_rows
from markets.quality.contents.expiries import mixed_expiries
from markets.quality.contents.filled import filled, filled_hours
from markets.quality.contents.mixed_columns import column_problems
from markets.quality.contents.price_level import level_problems
from markets.quality.contents.quotes import quote_problems
from markets.quality.contents.resolution import resolution_problems
from markets.quality.contents.volume import volume_problems
from markets.quality.finding import Finding
from markets.quality.time_zone import clock_faults


def content_problems(bars: Contents, judge_clock: bool) -> Iterator[Finding]:
    """Yield what is wrong with valid bars: of another instrument, mixed columns, a wrong clock."""
    named = list(symbol_problems(bars.file, bars.contract))
    yield from named
    yield from quote_problems(bars.file)
    mixed = list(mixed_expiries(bars))
    yield from mixed
    if not named and not names_its_contract(bars.file, bars.contract):
        yield from level_problems(bars)
    if not mixed:
        # What one of them finds, the next would name by a consequence.
        checks = (resolution_problems, column_problems, volume_problems)
        yield from next((findings for check in checks if (findings := list(check(bars)))), [])
    yield from copied_rows(bars)
    if judge_clock:
        yield from _clock_problems(bars)


def _clock_problems(bars: Contents) -> Iterator[Finding]:
    flat = filled(bars)
    traded = bars if flat is None or not flat.any() or flat.all() else bars.part(~flat)
    faults = list(clock_faults(traded.ns, bars.file, traded.volume))
    if flat is not None and not faults:
        yield from filled_hours(bars, flat)
    for fault in faults:
        yield Finding(fault.kind, fault.bars, fault.message, fault.mend)


def symbol_problems(file: FileFacts, contract: Contract) -> Iterator[Finding]:
    """Yield a problem where a file names another contract than the one it is read as."""
    spreads = [text for text in file.contracts if spread_in(text)]
    in_names = [text for name in file.names if (text := spread_in(name))]
    spread = next(iter(spreads or in_names), None)
    if spread:
        where = "column of symbols" if spreads else "name"
        yield Finding(
            "spread",
            1,
            f"its {where} says {spread}, a spread, whose prices are differences of two contracts",
            "give the bars of one contract"
            + ("" if spreads else ", or rename the file if it holds them"),
        )
        return
    named = {text: contract_of(text) for text in file.contracts}
    others = sorted(text for text, symbol in named.items() if symbol not in (None, contract.symbol))
    if others:
        right = named[others[0]]
        yield Finding(
            "other_contract",
            1,
            f"its column of symbols says {', '.join(others[:3])}, and the file was read as "
            f"{contract.symbol}",
            f"pass --symbol {right}",
        )
        return
    if any(symbol == contract.symbol for symbol in named.values()):
        return
    for name in file.names:
        in_name = contracts_in_name(name)
        if in_name and contract.symbol not in in_name:
            right = sorted(in_name)[0]
            whose = "its name" if name == file.name else f"the name of {name} within it"
            yield Finding(
                "other_contract",
                1,
                f"{whose} speaks of {' and '.join(sorted(in_name))}, and the file was read as "
                f"{contract.symbol}",
                f"pass --symbol {right}, or rename the file",
            )
            return


def names_its_contract(file: FileFacts, contract: Contract) -> bool:
    """Return whether a file's own column of symbols, or its name, speaks of the contract."""
    return any(contract_of(text) == contract.symbol for text in file.contracts) or (
        any(contract.symbol in contracts_in_name(name) for name in file.names)
    )
