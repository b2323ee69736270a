"""What comes from outside: questions fail, bars come late, a part of a trade is closed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled
from tests.ninjatrader.live.test_custody import BEGIN, FLAT, LONG, answers, steps_of

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

DIFFER = "and the strategy 3, nothing is opened until they agree"
OLD = "quiet: no entry is sent on a bar that ended at"
LOOK = "look whether prices come at once, and at the clock and the time zone of machine and platform"
TAKEN = "loud: someone else has closed a part of the trade, the rest is being closed, flatten"

STORIES = {
    "the session's end is not told": f"""{LONG}; fails end -> ; at 12 -> exit 1 x3 Halted, threw no end
at 12.5 -> , threw no end; fails -> ; at 12.7 ->; bar 0 ->; fails end ->; bar 60 ->
at 12.9 -> , threw no end""",
    "the account's cash is not told": f"""{LONG}; fails cash ->
at 12 -> exit 1 x3 Halted, threw no cash""",
    "whether the platform closes is not told": f"""{LONG}; fails exit ->
at 12 -> exit 1 x3 Halted, threw no exit""",
    "a bar is told late, once": f"""{BEGIN}; bar -230 ->; {FLAT} None; bar -231 ->
{FLAT} OffTheClock
at 11 -> {OLD} 2025-03-10T14:57:09Z and was told at 2025-03-10T15:00:10Z, {LOOK}
bar -3600 ->; {FLAT} OffTheClock; bar 0 ->; {FLAT} None; at 12 ->""",
    "a bar ends in the time to come": f"""{BEGIN}; bar 9 ->; {FLAT} None; bar 11 ->
{FLAT} OffTheClock
at 11 -> {OLD} 2025-03-10T15:01:11Z and was told at 2025-03-10T15:00:10Z, {LOOK}""",
    "someone else closes a part": f"""{LONG}; account 2 1 ->; at 12 ->; at 23.9 ->
at 24 -> loud: the account holds 2 {DIFFER}, {TAKEN}
? -> 3 3 5000 | 1 20000 19988 20036 | Halted Platform halted flattens; at 25 ->
account 0 0 ->; at 26 ->; ? -> 0 0 5000 | 0 0 0 0 | Halted Platform halted flattens
at 35.9 ->; at 36 ->; at 37 -> quiet: account and strategy agree again""",
    "a part that is closed while an exit is on its way": f"""{LONG}; halt ->; at 12 -> exit 1 x3 Halted
order exit -1 3 0 ->; account 1 1 ->; at 13 ->; at 25 -> loud: the account holds 1 {DIFFER}
over exit ->; at 26 -> {TAKEN}""",
    "a part that is closed while nobody's exit is on its way": f"""{LONG}; leaves 1 ->; account 1 1 ->
at 12 ->; at 24 -> loud: the account holds 1 {DIFFER}; at 43.9 ->; at 44 -> {TAKEN}""",
    "news of an entry in parts comes late": """up 1 ->; begin 1 0 ->; at 10 ->
enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->; order stop -1 3 19988 ->
told entry 1 2 5000 a -> True; account 1 1 ->; at 11 ->; at 20 ->; told entry 1 1 5000 b -> True
account 2 1 ->; at 21 ->; over entry ->; platform 3 ->
at 28 -> loud: the account holds 2 and the strategy 3, nothing is opened until they agree
account 3 1 ->; at 29 -> quiet: account and strategy agree again; at 60 ->""",
    "what the account holds changes again": f"""{LONG}; account 5 1 ->; at 12 ->
at 24 -> loud: the account holds 5 {DIFFER}; at 60 ->; account 4 1 ->; at 61 ->; at 71.9 ->
account 5 1 ->; at 72 ->; account 4 1 ->; at 73 ->; at 83.9 ->
at 84 -> loud: the account holds 4 {DIFFER}; at 120 ->""",
}
"""Each news with what is sent and told on it; see test_custody.py."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    source = Path(__file__).with_name("custody.cs").read_text("utf-8")
    return answers(compiled(tmp_path_factory.mktemp("unforeseen"), source), STORIES)


@pytest.mark.parametrize("name", STORIES)
def test_each_news_has_its_answer(name: str, told: dict[str, list[str]]) -> None:
    news = [news for news, _ in steps_of(STORIES[name])]
    assert list(zip(news, told[name], strict=True)) == steps_of(STORIES[name])
