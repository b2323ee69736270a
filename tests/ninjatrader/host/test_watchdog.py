"""What the watchdog of the simulated platform calls wrong, and after how many seconds, rule by rule."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available, host_sources
from tests.ninjatrader.live.test_custody import steps_of

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

STORIES = {
    "a position without a stop": """new ->; run 9 ->; own 2 ->
run 60 -> 26 a position without a working stop""",
    "a short one whose stop is for a part": """new ->; own -2 ->
order Stop_loss StopMarket 1 1 0 there ->; run 60 -> 26 a position without a working stop""",
    "one whose stop protects it": """new ->; holds -2 ->
order Stop_loss StopMarket 1 3 1 there ->; run 60 ->""",
    "one whose stop was filled in part": """new ->; holds -2 ->
order Stop_loss StopMarket 1 2 1 there ->; run 60 -> 26 a position without a working stop""",
    "one that the account does not hold": """new ->; own -2 ->
order Stop_loss StopMarket 1 3 1 there ->
run 60 -> 30 orders are left after someone else has turned the account""",
    "one whose stop is not there yet": """new ->; own 2 ->; order Stop_loss StopMarket -1 2 0 ->
run 60 -> 26 a position without a working stop""",
    "one whose stop is of its own side": """new ->; own 2 ->
order Stop_loss StopMarket 1 2 0 there ->; run 60 -> 26 a position without a working stop""",
    "one that is being left": """new ->; holds 2 ->; order RLTrader_flat Market -1 2 0 ->
run 60 ->""",
    "time without a stop is of one position": """new ->; own 1 ->; run 25 ->; own 0 ->; run 1 ->
own 1 ->; run 60 -> 26 a position without a working stop""",
    "time without a connection counts not": """new ->; own 1 ->; run 10 ->; line 0 ->; run 100 ->
line 1 ->; run 60 -> 21 a position without a working stop""",
    "time in which the market is closed counts not": """new ->; own 1 ->; run 20 ->; open 0 ->
run 100 ->; open 1 ->; run 60 -> 26 a position without a working stop""",
    "more contracts than are traded": """new ->; own -3 ->
run 1 -> 1 more contracts than the policy trades""",
    "as many as are traded": """new ->; own -2 ->; run 20 ->""",
    "a position is left after the end": """new ->; holds 2 ->; ended ->; clocks 0 ->
run 60 -> 33 a position is left behind after the end""",
    "a position is left after the end by the setting": """new FlattenOnStop= ->; holds 2 ->
ended ->; clocks 0 ->; run 60 ->""",
    "a clock after the end": """new ->; ended ->; clocks 2 ->
run 9 -> 2 a clock goes on after the end""",
    "a position before the start that nobody told of": """new ->; own 1 ->
launched -> a trade was left on the account, and nobody was told""",
    "one that was told of, and is not to be closed": """new ->; own 1 ->; alert 0 ->; launched ->
run 60 ->""",
    "one that was told of, and is to be closed": """new FlattenOnStart ->; own 1 ->; alert 0 ->
launched ->; alert 0 ->; run 60 -> 33 a position from before the start is left""",
    "a position when all is to be flat": """new FirstMinute=1017 ->; holds 1 ->
order Stop_loss StopMarket -1 1 0 there ->
run 200 -> 90 a position after the time when everything is to be flat""",
    "what the account held at the start": """new FlattenOnStart HoldsAtStart ->; foreign 1 ->
run 60 -> 41 what the account held at the start is left""",
    "an order that an earlier run left": """new ->
order Stop_loss StopMarket -1 1 0 there earlier ->
launched -> an earlier run's order was left on the account, and nobody was told""",
    "an order that an earlier run left and is to be cancelled": """new FlattenOnStart ->
order Stop_loss StopMarket -1 1 0 there earlier ->; alert 0 ->; launched ->
run 60 -> 33 an earlier run's order is left at the start""",
    "an alert without sound": """new ->; alert 1 ->; mail ->
run 1 -> 1 an alert without sound or mail""",
    "an alert without mail": """new ->; alert 1 ->; sound ->
run 1 -> 1 an alert without sound or mail""",
    "a quiet alert": """new ->; alert 0 ->; run 1 ->""",
    "a position while the kill switch is on": """new ->; holds 1 ->
order Stop_loss StopMarket -1 1 0 there ->; happens Kill ->
run 60 -> 35 a position while the kill switch is on, or after the loss limit""",
    "a kill switch that is gone again": """new ->; holds 1 ->
order Stop_loss StopMarket -1 1 0 there ->; happens Kill ->; run 30 ->; unkilled ->; run 60 ->""",
    "a position after the button": """new ->; holds 1 ->
order Stop_loss StopMarket -1 1 0 there ->; pressed ->
run 60 -> 35 a position while the kill switch is on, or after the loss limit""",
    "a position after something threw": """new ->; holds 1 ->
order Stop_loss StopMarket -1 1 0 there ->; throws ->; fault ->
run 60 -> 35 a position while the kill switch is on, or after the loss limit""",
    "a strategy that throws by itself": """new ->
fault -> the strategy throws: FormatException: odd""",
    "a platform that throws once": """new ->; throws ->; fault ->
fault -> the strategy throws: FormatException: odd""",
    "the strategy believes in nothing": """new ->; run 1 ->; own 1 ->
compare -> the strategy believes in 0 contracts and has 1""",
    "a closed trade beyond which a stop works": """new ->; run 10 ->
order Stop_loss StopMarket -1 1 0 there ->; run 14 ->; compare ->; run 3 ->
compare -> a stop without a position""",
    "two stops": """new ->; run 1 ->; order Stop_loss StopMarket -1 1 0 there ->
order Stop_loss StopMarket -1 1 0 there ->; compare -> more than one stop""",
    "a button that is missing": """new OnChart ->; run 3 ->""",
    "an entry in shadow mode": """new Shadow ->; enters 1 -> an order in shadow mode""",
    "an entry while a trade is open": """new ->; own 1 ->
enters 1 -> an entry while a trade is open""",
    "an entry while the kill switch is on": """new ->; happens Kill ->; run 3 ->; run 1 ->
enters 1 -> an entry while the kill switch is on""",
    "an entry soon after the kill switch": """new ->; happens Kill ->; run 3 ->; enters 1 ->""",
    "an entry after something threw": """new ->; throws ->; fault ->
enters -1 -> an entry after the strategy threw""",
    "an entry while the platform believes in a position": """new ->; platform -1 ->
enters 1 -> an entry while the platform believes in a position""",
    "an entry when all is to be flat": """new FirstMinute=1017 ->; run 60 ->
enters 1 -> an entry when everything is to be flat""",
    "an entry while the account holds something": """new ->; account 1 ->
enters 1 -> an entry while the account holds something""",
    "an entry beside an earlier order": """new ->
order Stop_loss StopMarket -1 1 0 there earlier ->
enters 1 -> an entry beside an earlier run's order""",
    "an entry without a connection": """new ->; line 0 ->; run 1 ->; enters 1 ->""",
    "an entry after longer without a connection": """new ->; line 0 ->; run 3 ->
enters 1 -> an entry without a connection""",
    "an entry after a close by hand": """new ->; run 30 ->; holds 1 ->; hand ->; holds 0 ->
run 21 ->; enters 1 -> an entry after the trade was closed by hand""",
    "an entry soon after a close by hand": """new ->; run 30 ->; holds 1 ->; hand ->; holds 0 ->
run 20 ->; enters 1 ->""",
    "an exit twice at once": """new ->; run 1 ->; holds 2 ->; hand ->; exits 0 1 2 ->; run 1 ->
exits 0 1 2 ->; exits 0 1 2 -> an exit is asked for again at once""",
    "an exit too soon after another": """new ->; run 1 ->; holds 2 ->; hand ->; exits 0 1 2 ->
wait 900 ->; exits 0 1 2 ->; wait 899 ->; exits 0 1 2 -> an exit is asked for again at once""",
    "an exit of more than is held": """new ->; run 6 ->; own 1 ->; platform 1 ->
exits 0 1 2 -> an exit of 2 contracts of 1""",
    "an exit beside another": """new ->; run 1 ->; holds 1 ->; hand ->
exits 1 1 1 -> an exit while another is on its way""",
    "orders are left after a close by hand": """new ->; own 1 ->
order Stop_loss StopMarket -1 1 0 there ->; hand ->; own 0 ->; run 31 ->
end -> orders are left after a close by hand""",
    "a flattening that came to nothing is given its time": """new ->; holds 2 ->; flatten-lost ->
run 60 -> 36 a position without a working stop""",
    "what came to nothing after the end is given its time": """new ->; holds 2 ->; ended ->
clocks 0 ->; run 20 ->; flatten-lost ->; run 60 -> 19 a position is left behind after the end""",
    "a crash is nobody's fault": """new ->; holds 2 ->; crashed ->; run 60 ->""",
    "time without a connection at the end": """new FirstMinute=1017 ->; holds 1 ->
order Stop_loss StopMarket -1 1 0 there ->; run 80 ->; line 0 ->; run 30 ->; line 1 ->
run 60 -> 15 a position after the time when everything is to be flat""",
    "a foreign position turns the account": """new ->; holds 1 ->
order Stop_loss StopMarket -1 1 0 there ->; foreign -1 ->; run 1 ->; account 0 ->
run 60 -> 30 orders are left after someone else has turned the account""",
    "an entry just before all is to be flat": """new FirstMinute=1017 ->; run 59 ->; enters 1 ->""",
    "an execution that is lost is waited for": """new ->; run 1 ->; own 1 ->; lost ->; run 9 ->
compare ->; run 1 ->; compare -> the strategy believes in 0 contracts and has 1""",
    "a target without a position": """new ->; run 1 ->; order Profit_target Limit -1 1 0 there ->
run 24 ->; compare ->; run 2 ->; compare -> a target without a position""",
    "an end by hand that was seen": """new ->; holds 1 ->; hand ->; holds 0 ->; run 31 ->; end ->""",
}
"""What is there and what happened, each with what is wrong, after the seconds of a run."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return what is said to each story's lines."""
    folder = tmp_path_factory.mktemp("watchdog")
    sources = [path for path in host_sources() if path.name != "Program.cs"]
    program = folder / "Show.exe"
    own = Path(__file__).with_name("watchdog.cs")
    subprocess.run(["mcs", "-langversion:5", f"-out:{program}", *map(str, [*sources, own])], check=True)
    lines = [line for story in STORIES.values() for line, _ in steps_of(story)]
    command = ["mono", str(program), str(folder / "scratch")]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
    answers = iter(done.stdout.split("\n"))
    return {name: [next(answers) for _ in steps_of(story)] for name, story in STORIES.items()}


@pytest.mark.parametrize("name", STORIES)
def test_each_rule_is_held_as_long_as_it_says(name: str, told: dict[str, list[str]]) -> None:
    lines = [line for line, _ in steps_of(STORIES[name])]
    assert list(zip(lines, told[name], strict=True)) == steps_of(STORIES[name])
