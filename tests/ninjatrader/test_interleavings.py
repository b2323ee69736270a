"""Random interleavings of a platform's events: no rule is broken, and planted faults are found."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available, host_sources
from tests.ninjatrader.hosting import host
from tests.ninjatrader.planted.allowance import ALLOWANCE
from tests.ninjatrader.planted.former import FORMER, FURTHER, Edit
from tests.ninjatrader.planted.hidden import HIDDEN
from tests.ninjatrader.planted.order import SLIPS
from tests.ninjatrader.planted.review import REVIEW
from tests.ninjatrader.planted.stranger import STRANGER

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

EVERY = os.environ.get("RLTRADER_LIVE") == "all"
"""Set by ``nox -s live``: every fault and 50,000 interleavings in place of a thousand."""
COUNT = 50_000 if EVERY else 1_000
FIRST = int(os.environ.get("RLTRADER_LIVE_SEED", "1"))
"""Seed of the first interleaving: another each night finds what these do not meet."""
WITHIN = 20_000
"""Interleavings within which a fault must be found: about a minute of one core."""
SECONDS = 240
"""CPU seconds after which one that hangs is ended, also on a slow machine."""
OTHERS = FURTHER | SLIPS | HIDDEN | STRANGER | REVIEW | ALLOWANCE
LONG = {
    "what was not told of an order is booked at the price of all",
    "a session's end that is not known hides the platform's own exit",
    "a refused change is not noticed",
}
"""Faults that half a minute finds: too long for every run of the tests."""
SOME = OTHERS if EVERY else {name: OTHERS[name] for name in list(OTHERS)[::18] if name not in LONG}


def interleave(
    program: Path, count: int, seconds: int, first: int = 1
) -> subprocess.CompletedProcess[str]:
    """Run interleavings in at most so many seconds of one core, however busy the machine is."""
    limited = ["bash", "-c", f'ulimit -t {seconds}; exec "$@"', "bash"]
    command = [*limited, "mono", str(program), "interleavings", str(count), str(first)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_no_rule_is_broken() -> None:
    done = interleave(host(), COUNT, 1200, FIRST)
    assert done.stdout == f"{COUNT} interleavings, no invariant broken\n"
    assert done.returncode == 0


BROKE = [
    *(522, 5517, 5672, 6246, 10476, 11010, 15283, 17155),
    *(22310, 34575, 39200, 42007, 8003755, 8003773, 8006385, 12006456),
    *(13020273, 14011224, 20006766, 20013064, 20027867, 574, 2845, 4133),
    *(20064082, 30008730, 70008653, 1500002913, 1500006753, 2000022374, 4100011215, 4100016193),
    *(4100018507, 7000000482, 7000013315, 11000007448, 330002578, 810009476, 1230002140, 2600018659),
    *(2600019944, 5300015026, 5300015442, 5300018229, 5300021667, 8800007015, 21000002724, 21000016950),
    *(21000019754, 121907, 11, 1536, 4083, 31339297, 31341948, 77001413),
    *(9090995, 9099609),
]
"""Seeds that once broke a rule."""


@pytest.mark.parametrize("seed", BROKE)
def test_what_once_broke_a_rule_is_mended(seed: int) -> None:
    command = ["mono", str(host()), "interleavings", "1", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "1 interleavings, no invariant broken\n"


def test_every_fault_fits_the_sources() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in host_sources()}
    for name, edits in (FORMER | OTHERS).items():
        for file, right, wrong in edits:
            assert sources[file].count(right) == 1, (name, file, right)
            assert right != wrong, name


def found(*edits: Edit) -> str:
    """Return what a strategy with a fault was found out by."""
    done = interleave(host(*edits), WITHIN, SECONDS)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.costly(keep=3)
@pytest.mark.parametrize("name", FORMER)
def test_a_fault_of_the_former_strategy_is_found(name: str) -> None:
    found(*FORMER[name])


@pytest.mark.costly(keep=2)
@pytest.mark.parametrize("name", SOME)
def test_a_fault_of_the_order_handling_is_found(name: str) -> None:
    found(*OTHERS[name])


@pytest.mark.parametrize("renewed", ["true", "false"])
def test_orders_on_bars_of_the_past_show_in_what_they_do(renewed: str) -> None:
    """Not only by being sent: renewed on the account, or never filled, at the switch to real time."""
    told = 'Wrong("an order on a bar of the past");'
    blind = (
        ("Requests.cs", f"if (simulation.strategy.State != State.Realtime) {told}", ""),
        ("Requests.cs", f"                {told}", "                Now.ToString();"),
    )
    outcome = ("Starts.cs", "bool renew = broker.OneIn(2);", f"bool renew = {renewed};")
    found(*FORMER["3 orders on bars of the past"], *blind, outcome)


def test_a_broken_rule_comes_with_its_smallest_scenario_and_the_same_again() -> None:
    edits = FURTHER["a position without a stop is left alone"]
    lines = found(*edits).splitlines()
    assert lines[0].endswith("a position without a working stop")
    assert len(lines[1].split(": ", 1)[1].split("; ")) <= 3  # the steps that are left
    assert any("WRONG: a position without a working stop" in line for line in lines[2:])
    assert found(*edits).splitlines() == lines


def test_threads_don_t_get_into_each_others_way() -> None:
    done = subprocess.run(
        ["mono", str(host()), "threads", "20"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_work_on_several_threads_at_once_is_found() -> None:
    at_once = ("Inbox.cs", "                if (busy) return;\n", "")
    done = subprocess.run(
        ["mono", str(host(at_once)), "threads", "20"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "worked on at once" in done.stdout or "another order" in done.stdout


def test_an_alert_that_is_given_inside_a_lock_is_found() -> None:
    inside = ("DecisionLog.cs", "why = error.Message;", "tell(error.Message);")
    done = subprocess.run(
        ["mono", str(host(inside)), "threads", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "an alert is given inside a lock" in done.stdout
