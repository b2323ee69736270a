"""The ledger of one trade, execution by execution, by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using RLTrader;

public static class Show
{
    public static void Main()
    {
        Trade trade = new Trade();
        int number = 0;
        for (string line; (line = Console.ReadLine()) != null;)
        {
            string[] words = line.Split(' ');
            Role role = (Role)Enum.Parse(typeof(Role), words[0]);
            int contracts = int.Parse(words[1]);
            double price = double.Parse(words[2], CultureInfo.InvariantCulture);
            trade.Fill((++number).ToString(), "order", null, role, Math.Sign(contracts),
                Math.Abs(contracts), price);
            Console.WriteLine(string.Format(CultureInfo.InvariantCulture, "{0} {1} {2} {3}",
                trade.Net, trade.Average, trade.Contracts, trade.Points));
        }
    }
}
"""

Fill = tuple[str, int, float]
"""(role, contracts bought, negative for sold, price in points)."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("trade"), PROGRAM)


def ledger(program: Path, fills: list[Fill]) -> list[tuple[float, ...]]:
    """Return after each fill: contracts held, the entry's average, contracts traded, points made."""
    text = "".join(f"{role} {contracts} {price}\n" for role, contracts, price in fills)
    command = ["mono", str(program)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return [tuple(map(float, line.split())) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("side", [1, -1])
def test_the_average_is_of_the_entry_alone(program: Path, side: int) -> None:
    fills = [("Entry", 1, 100.0), ("Entry", 1, 102.0), ("Target", -1, 110.0), ("Stop", -1, 90.0)]
    made = ledger(program, [(role, side * contracts, price) for role, contracts, price in fills])
    assert [(net, average) for net, average, *_ in made] == [
        (side, 100),
        (2 * side, 101),
        (side, 101),
        (0, 101),
    ]
    assert made[-1][2:] == (4, side * (110 + 90 - 100 - 102))


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("role", ["Exit", "Stop", "Target"])
def test_what_is_closed_beyond_what_is_held_is_a_new_trade_at_its_own_price(
    program: Path, role: str, side: int
) -> None:
    """A stop and an exit may both be filled, or one execution of both come at once."""
    fills = [("Entry", 1, 100.0), (role, -3, 110.0), (role, -1, 113.0), ("Exit", 2, 107.0)]
    made = ledger(program, [(name, side * contracts, price) for name, contracts, price in fills])
    assert [net for net, *_ in made] == [side, -2 * side, -3 * side, -side]
    # The part beyond, of two contracts, was entered at 110; what closes more of it moves no entry.
    assert [average for _, average, *_ in made] == [100, 110, 110, 110]
    assert [contracts for _, _, contracts, _ in made] == [1, 4, 5, 7]
