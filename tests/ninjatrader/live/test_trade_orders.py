"""The ledger's orders: which is alive, what is foreseen, protected, inferred and abandoned."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RLTrader;

public static class Show
{
    private static readonly Trade trade = new Trade();
    private static readonly Dictionary<string, OwnOrder> orders = new Dictionary<string, OwnOrder>();

    private static double Number(string text)
    {
        return double.Parse(text, CultureInfo.InvariantCulture);
    }

    private static string Key(OwnOrder order) { return order == null ? "-" : (string)order.Key; }

    private static object Do(string[] words)
    {
        OwnOrder order = null;
        if (words.Length > 1) orders.TryGetValue(words[1], out order);
        switch (words[0])
        {
            case "order": // key role side
                Role role = (Role)Enum.Parse(typeof(Role), words[2]);
                bool known = trade.Knows(words[1]);
                OwnOrder made = trade.Order(words[1], role, int.Parse(words[3]));
                bool same = order == made;
                orders[words[1]] = made;
                return (known ? "known " : "new ") + (same ? "same" : "other");
            case "set": // key quantity filled, and letters: l live, w working
                order.Quantity = int.Parse(words[2]);
                order.Filled = int.Parse(words[3]);
                order.Live = words[4].Contains("l");
                order.Working = words[4].Contains("w");
                return order.Left + " " + order.Told;
            case "fill": // key (- for none) id role contracts price
                int contracts = int.Parse(words[4]);
                Role of = (Role)Enum.Parse(typeof(Role), words[3]);
                string id = words[2] == "-" ? "" : words[2];
                int side = Math.Sign(contracts);
                return trade.Fill(id, words[1], order, of, side, contracts * side, Number(words[5]));
            case "infer": // key average seconds
                DateTime now = new DateTime(2025, 1, 6).AddSeconds(Number(words[3]));
                return trade.Infer(order, Number(words[2]), now, TimeSpan.FromSeconds(5));
            case "note": trade.Note(order); return "-";
            case "opening": trade.Opening(); return "-";
            case "tidy": trade.Tidy(); return "-";
            case "leaving":
                return string.Join("", trade.AllAlive(Role.Stop, Role.Target, Role.Exit).Select(Key));
            default: trade.Abandon(Number(words[1])); return "-";
        }
    }

    public static void Main()
    {
        Role[] roles = { Role.Entry, Role.Exit, Role.Stop, Role.Target };
        for (string line; (line = Console.ReadLine()) != null;)
        {
            object said = Do(line.Split(' '));
            string alive = string.Join("", roles.Select(role => Key(trade.Alive(role))));
            string over = string.Join("", roles.Select(role => trade.Over(role) ? "y" : "n"));
            Console.WriteLine(string.Format(CultureInfo.InvariantCulture,
                "{0}|{1} {2} {3} {4} {5} {6}|{7} {8}|{9}|{10}{11}",
                said, trade.Net, trade.Foreseen, trade.Protected, trade.Points, trade.Contracts,
                trade.Average, alive, over, string.Join("", trade.Orders.Select(Key)),
                Key(trade.PlatformsExit(1)), Key(trade.PlatformsExit(-1))));
        }
    }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("orders"), PROGRAM)


def check(program: Path, expected: list[tuple[str, str]]) -> None:
    """Compare what is told after each step: what the step itself returns; contracts held, foreseen and
    protected, points made, contracts traded, the entry's average; the orders alive of entry, exit,
    stop and target, and whether each role is over; all orders; the platform's exits that buy and sell.
    """
    steps = [step for step, _ in expected]
    text = "".join(f"{step}\n" for step in steps)
    done = subprocess.run(
        ["mono", str(program)], input=text, capture_output=True, text=True, check=True
    )
    assert list(zip(steps, done.stdout.splitlines(), strict=True)) == expected


FLAT = "0 0 0 0 0 0"


def test_the_newest_order_alive_of_a_role_is_told_until_all_are_over(program: Path) -> None:
    check(
        program,
        [
            ("order a Stop -1", f"new other|{FLAT}|---- yyyy|a|--"),
            ("set a 2 0 lw", f"2 0|{FLAT}|--a- yyny|a|--"),
            ("order b Stop -1", f"new other|{FLAT}|--a- yyny|ab|--"),
            ("set b 3 1 l", "2 0|0 -1 0 0 0 0|--b- yyny|ab|--"),
            ("set b 3 0 l", f"3 0|{FLAT}|--b- yyny|ab|--"),
            ("order c Target -1", f"new other|{FLAT}|--b- yyny|abc|--"),
            ("set c 1 0 l", f"1 0|{FLAT}|--bc yynn|abc|--"),
            ("set b 3 0 -", f"3 0|{FLAT}|--ac yynn|abc|--"),
            ("tidy", f"-|{FLAT}|--ac yynn|ac|--"),
            ("set a 2 0 -", f"2 0|{FLAT}|---c yyyn|ac|--"),
            ("tidy", f"-|{FLAT}|---c yyyn|c|--"),
            ("order b Stop -1", f"known same|{FLAT}|---c yyyn|cb|--"),  # late news of an old order
        ],
    )  # fmt: skip


def test_all_orders_alive_of_some_roles_are_told(program: Path) -> None:
    check(
        program,
        [
            ("leaving", f"|{FLAT}|---- yyyy||--"),
            ("order e Entry 1", f"new other|{FLAT}|---- yyyy|e|--"),
            ("set e 1 0 lw", f"1 0|{FLAT}|e--- nyyy|e|--"),
            ("order a Stop -1", f"new other|{FLAT}|e--- nyyy|ea|--"),
            ("set a 1 0 lw", f"1 0|{FLAT}|e-a- nyny|ea|--"),
            ("order x Exit -1", f"new other|{FLAT}|e-a- nyny|eax|--"),
            ("order b Stop -1", f"new other|{FLAT}|e-a- nyny|eaxb|--"),
            ("set b 1 0 l", f"1 0|{FLAT}|e-b- nyny|eaxb|--"),
            ("order c Target -1", f"new other|{FLAT}|e-b- nyny|eaxbc|--"),
            ("set c 1 0 l", f"1 0|{FLAT}|e-bc nynn|eaxbc|--"),
            ("leaving", f"abc|{FLAT}|e-bc nynn|eaxbc|--"),
            ("set x 1 0 l", f"1 0|{FLAT}|exbc nnnn|eaxbc|--"),
            ("leaving", f"axbc|{FLAT}|exbc nnnn|eaxbc|--"),
            ("set b 1 0 -", f"1 0|{FLAT}|exac nnnn|eaxbc|--"),
            ("leaving", f"axc|{FLAT}|exac nnnn|eaxbc|--"),
        ],
    )  # fmt: skip


def test_what_orders_show_as_filled_is_foreseen_and_each_execution_counts_once(program: Path) -> None:
    check(
        program,
        [
            ("order e Entry 1", f"new other|{FLAT}|---- yyyy|e|--"),
            ("set e 3 3 -", "0 0|0 3 0 0 0 0|---- nyyy|e|--"),
            ("fill e 1 Entry 2 100", "True|2 3 0 -200 2 100|---- nyyy|e|--"),
            ("fill e 1 Entry 2 100", "False|2 3 0 -200 2 100|---- nyyy|e|--"),
            ("tidy", "-|2 3 0 -200 2 100|---- nyyy|e|--"),
            ("fill e 2 Entry 1 103", "True|3 3 0 -303 3 101|---- yyyy|e|--"),
            ("order s Stop -1", "new other|3 3 0 -303 3 101|---- yyyy|es|--"),
            ("set s 3 1 lw", "2 0|3 2 2 -303 3 101|--s- yyny|es|--"),
            ("set s 3 1 l", "2 0|3 2 0 -303 3 101|--s- yyny|es|--"),
            # An execution of another order may have the same number.
            ("fill s 1 Stop -1 99", "True|2 2 0 -204 4 101|--s- yyny|es|--"),
            ("order w Stop 1", "new other|2 2 0 -204 4 101|--s- yyny|esw|--"),
            # A stop of the trade's own side protects nothing.
            ("set w 2 0 lw", "2 0|2 2 0 -204 4 101|--w- yyny|esw|--"),
            # Executions without a number cannot be told apart, so each counts.
            ("fill s - Stop -1 98", "True|1 1 0 -106 5 101|--w- yyny|esw|--"),
            ("fill s - Stop -1 98", "True|0 0 0 -8 6 101|--w- yyny|esw|--"),
        ],
    )  # fmt: skip


def test_what_no_execution_tells_of_is_booked_after_a_while_and_not_twice(program: Path) -> None:
    held = "3 3 0 -300 3 100"
    check(
        program,
        [
            ("fill - 1 Entry 3 100", f"True|{held}|---- yyyy||--"),
            ("order t Target -1", f"new other|{held}|---- yyyy|t|--"),
            ("set t 3 2 l", "1 0|3 1 0 -300 3 100|---t yyyn|t|--"),
            ("infer t 111 10", "False|3 1 0 -300 3 100|---t yyyn|t|--"),
            ("fill t 1 Target -1 110", "True|2 1 0 -190 4 100|---t yyyn|t|--"),
            ("infer t 111 14.9", "False|2 1 0 -190 4 100|---t yyyn|t|--"),
            # The order's average of 111 makes it 112 for the one that is missing.
            ("infer t 111 15", "True|1 1 0 -78 5 100|---t yyyn|t|--"),
            ("infer t 111 30", "False|1 1 0 -78 5 100|---t yyyn|t|--"),
            ("fill t 2 Target -1 112", "True|1 1 0 -78 5 100|---t yyyn|t|--"),
            ("set t 3 3 -", "0 2|1 0 0 -78 5 100|---- yyyn|t|--"),
            ("infer t 112 40", "False|1 0 0 -78 5 100|---- yyyn|t|--"),
            ("fill t 3 Target -1 114", "True|0 0 0 36 6 100|---- yyyy|t|--"),
            ("infer t 112 90", "False|0 0 0 36 6 100|---- yyyy|t|--"),
            ("set t 4 4 -", "0 3|0 -1 0 36 6 100|---- yyyn|t|--"),
            # What was missing is there: the wait begins anew.
            ("infer t 112 91", "False|0 -1 0 36 6 100|---- yyyn|t|--"),
        ],
    )  # fmt: skip


def test_what_is_abandoned_is_told_of_once_and_a_new_trade_forgets_it(program: Path) -> None:
    check(
        program,
        [
            ("fill - 1 Entry 2 100", "True|2 2 0 -200 2 100|---- yyyy||--"),
            ("abandon 105", "-|0 0 0 10 4 100|---- yyyy||--"),
            ("abandon 90", "-|0 0 0 10 4 100|---- yyyy||--"),
            # The other way it is no news of what was given up; of three sold two are known.
            ("fill - 2 Exit -3 104", "True|-1 -1 0 114 5 104|---- yyyy||--"),
            ("fill - 3 Exit 1 104", "True|0 0 0 10 6 104|---- yyyy||--"),
            ("fill - 4 Entry 1 100", "True|1 1 0 -90 7 100|---- yyyy||--"),
            ("abandon 100", "-|0 0 0 10 8 100|---- yyyy||--"),
            ("opening", "-|0 0 0 10 8 100|---- yyyy||--"),
            ("fill - 5 Entry -1 100", "True|-1 -1 0 110 9 100|---- yyyy||--"),
        ],
    )  # fmt: skip


def test_the_platforms_own_exit_is_found_until_it_is_filled_or_a_trade_opens(program: Path) -> None:
    check(
        program,
        [
            ("order p Exit -1", f"new other|{FLAT}|---- yyyy|p|--"),
            ("set p 2 0 l", f"2 0|{FLAT}|-p-- ynyy|p|--"),
            ("note p", f"-|{FLAT}|-p-- ynyy|p|-p"),
            ("note none", f"-|{FLAT}|-p-- ynyy|p|-p"),
            ("fill p 1 Exit -1 100", "True|-1 -1 0 100 1 100|-p-- ynyy|p|-p"),
            ("fill p 2 Exit -1 100", "True|-2 -2 0 200 2 100|-p-- ynyy|p|--"),
            ("order q Exit 1", "new other|-2 -2 0 200 2 100|-p-- ynyy|pq|--"),
            ("set q 2 0 l", "2 0|-2 -2 0 200 2 100|-q-- ynyy|pq|--"),
            ("note q", "-|-2 -2 0 200 2 100|-q-- ynyy|pq|q-"),
            ("opening", "-|-2 -2 0 200 2 100|-q-- ynyy|pq|--"),
        ],
    )  # fmt: skip


def test_of_an_order_that_goes_on_filling_the_news_is_of_what_is_new_first(program: Path) -> None:
    """What was booked without an execution is told of when all that the order has filled is."""
    check(
        program,
        [
            ("fill - 1 Entry 5 100", "True|5 5 0 -500 5 100|---- yyyy||--"),
            ("order t Target -1", "new other|5 5 0 -500 5 100|---- yyyy|t|--"),
            ("set t 5 1 l", "4 0|5 4 0 -500 5 100|---t yyyn|t|--"),
            ("infer t 110 0", "False|5 4 0 -500 5 100|---t yyyn|t|--"),
            ("infer t 110 5", "True|4 4 0 -390 6 100|---t yyyn|t|--"),
            # Two more, at 112 on average with the first: 113 each, of which one is told of.
            ("set t 5 3 l", "2 1|4 2 0 -390 6 100|---t yyyn|t|--"),
            ("fill t 2 Target -1 113", "True|3 2 0 -277 7 100|---t yyyn|t|--"),
            ("infer t 112 6", "False|3 2 0 -277 7 100|---t yyyn|t|--"),
            ("infer t 112 11", "True|2 2 0 -164 8 100|---t yyyn|t|--"),
            ("fill t 3 Target -1 110", "True|2 2 0 -164 8 100|---t yyyn|t|--"),
            ("fill t 4 Target -1 113", "True|2 2 0 -164 8 100|---t yyyn|t|--"),
            ("fill t 5 Target -1 120", "True|1 1 0 -44 9 100|---t yyyn|t|--"),
        ],
    )  # fmt: skip


def test_what_is_abandoned_may_be_told_of_in_parts(program: Path) -> None:
    check(
        program,
        [
            ("fill - 1 Entry -3 100", "True|-3 -3 0 300 3 100|---- yyyy||--"),
            ("abandon 90", "-|0 0 0 30 6 100|---- yyyy||--"),
            ("fill - 2 Exit 1 91", "True|0 0 0 30 6 100|---- yyyy||--"),
            ("fill - 3 Exit 2 91", "True|0 0 0 30 6 100|---- yyyy||--"),
            ("fill - 4 Exit 1 95", "True|1 1 0 -65 7 95|---- yyyy||--"),
        ],
    )  # fmt: skip
