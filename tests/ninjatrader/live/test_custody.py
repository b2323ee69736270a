"""The care for a trade, news by news: what is sent, when, for how much, and what the user is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

FLAT = "? -> 0 0 0 | 0 0 0 0 | None"
"""Nothing is held, and nothing stands against a decision."""
BEGIN = "up 1 ->; begin 1 0 ->; at 10 ->"
LONG = f"""{BEGIN}; enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->
told entry 1 3 5000 a -> True; over entry ->; order stop -1 3 19988 ->; order target -1 3 20036 ->
account 3 1 ->; platform 3 ->; at 11 ->"""
"""A trade of three contracts, held by both, that has its stop and its target."""
NO_STOP = "loud: the trade is closed at the market: it has had no working stop"
LEFT = "loud: the strategy ended with a trade open or on its way"
AGAIN = "it is flattened again, flatten"

STORIES = {
    "the account's news comes late": f"""up 1 ->; begin 1 0 ->; at 9.9 ->; {FLAT} Account
at 10 ->; {FLAT} None""",
    "an entry in parts, and an exit beside a stop that is filled in part": f"""{BEGIN}
enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->; ? -> 0 0 0 | 0 0 0 0 | Opening None
told entry 1 1 5000.25 a -> True; told entry 1 2 5001 b -> True; told entry 1 2 5001 b -> False
over entry ->; order stop -1 3 19990 ->; order target -1 3 20050 ->; account 3 1 ->; at 11 ->
? -> 3 3 5000.75 | 1 20003 19990 20050 | None Account; platform 3 ->
counts stop 1 4997.5 ->; at 12 ->; ? -> 3 2 5000.75 | 1 20003 19990 20050 | None Platform
guide 20000 -> exit 1 x2 StopAtMarket; order exit -1 2 0 ->
told stop -1 1 4997.5 s -> True; told exit -1 2 5000 x -> True
over stop ->; over target ->; over exit ->; account 0 0 ->; platform 0 ->; at 13 ->
? -> 0 0 5000.75 | 0 0 0 0 | Closed None; done 0 ->; ? -> 0 0 5000.75 | 0 0 0 0 | None None""",
    "a short trade's stop is never asked to be looser": f"""{BEGIN}
enter -1 12 36 -> enter -1 x3 12 36
order entry -1 3 0 ->; told entry -1 3 5000 a -> True; over entry ->
order stop 1 3 20012 ->; order target 1 3 19964 ->; account -3 1 ->; platform -3 ->; at 11 ->
? -> -3 -3 5000 | -1 20000 20012 19964 | None Platform; guide 20012 ->; guide 20005 -> move 20005
guide 20007 -> move 20005; order stop 1 3 20005 ->; at 12 ->; guide 20009 ->
guide 20003 -> move 20003
guide 20002 -> exit -1 x3 StopAtMarket""",
    "no exit is taken at the time to be flat": f"""{LONG}; at 17939.9 ->; at 17940 -> exit 1 x3 Late
? -> 3 3 5000 | 1 20000 19988 20036 | Late Late
at 17940.9 ->; at 17941 -> exit 1 x3 Late
at 17942 -> loud: the platform takes no exit, the account's
 position is being flattened, flatten
? -> 3 3 5000 | 1 20000 19988 20036 | Halted Late halted flattens
at 17961.9 ->; at 17962 -> loud: the account is still not flat, {AGAIN}; account 0 1 ->; at 17963 ->
? -> 0 0 5000 | 0 0 0 0 | Halted Late halted flattens; at 17966.9 ->
at 17967 -> loud: an order is left on the account, {AGAIN}; account 0 0 ->; at 17968 ->
at 17977.9 ->
? -> 0 0 5000 | 0 0 0 0 | Halted Late halted flattens; at 17978 ->
? -> 0 0 5000 | 0 0 0 0 | Halted Late halted""",
    "the button": f"""{LONG}; button ->
at 12 -> loud: nothing is opened any more: KillSwitch, exit 1 x3 Blocked
order exit -1 3 0 ->; at 31.9 ->; ? -> 3 3 5000 | 1 20000 19988 20036 | Leaving Blocked
at 32 -> loud: an exit is still not filled, look at the account; at 60 ->""",
    "something unforeseen": f"""{LONG}; halt ->; at 12 -> exit 1 x3 Halted""",
    "an exit for several reasons": f"""{LONG}; halt ->; button ->
at 17940 -> loud: nothing is opened any more: KillSwitch, exit 1 x3 Late""",
    "no stop works": f"""{LONG}; over stop ->; at 12 ->; at 16.9 ->
at 17 -> {NO_STOP}, exit 1 x3 Unprotected""",
    "a stop works for a part": f"""{LONG}; order stop -1 2 19988 ->; at 12 ->; at 14 ->
order stop -1 3 19988 ->; at 15 ->; order stop -1 2 19988 ->; at 16 ->; at 20.9 ->
at 21 -> {NO_STOP}, exit 1 x3 Unprotected""",
    "a stop and an exit are both filled": f"""{LONG}; order exit -1 3 0 ->; over stop ->
over exit ->; over target ->
told stop -1 3 4997 s -> True; told exit -1 3 4998 x -> True; account -3 0 ->
at 12 -> loud: the trade is closed at the market: a stop and an exit were both filled, exit -1 x3
 Overshot
? -> -3 -3 4998 | -1 19992 20004 19956 | Closed Platform""",
    "the day's loss, with what three contracts cost": f"""{LONG}; quote 4996.75 4997 ->; at 12 ->
quote 4996.5 4996.75 ->; at 13 -> loud: nothing is opened any more: DailyLoss, exit 1 x3 Blocked
button ->; at 14 -> loud: nothing is opened any more: KillSwitch, exit 1 x3 Blocked""",
    "the day's loss, with what six contracts have cost": f"""{LONG}; order exit -1 3 0 ->
told exit -1 1 4996.75 x -> True; at 12 ->; told exit -1 2 4996.73 y -> True; over exit ->
over stop ->
over target ->; account 0 0 ->; at 13 -> loud: nothing is opened any more: DailyLoss""",
    "a drawdown with three contracts open": f"""{LONG}; quote 4986.75 4987 ->; at 12 ->; at 30 ->
quote 4986.5 4986.75 ->; at 31 ->; at 33.9 ->
at 34 -> loud: nothing is opened any more: DrawdownFloor, exit 1 x3 Blocked""",
    "a drawdown without a connection": f"""{BEGIN}; cash 40000 ->; up 0 ->; at 11 ->; at 20 ->
up 1 ->
at 21 ->; at 23.9 ->; at 24 -> loud: nothing is opened any more: DrawdownFloor""",
    "an entry waits too long, and what is left of it too": f"""{BEGIN}
enter 1 12 36 -> enter 1 x3 12 36
order entry 1 3 0 ->; at 39.9 ->; at 40 -> cancel entry; at 59.9 ->; at 60 -> cancel entry
told entry 1 1 5000 a -> True; order stop -1 1 19988 ->; account 1 1 ->; at 61 ->
told stop -1 1 4997 s -> True; over stop ->; account 0 1 ->; at 79.9 ->; at 80 -> cancel entry""",
    "the rest of an entry whose trade is gone": f"""{BEGIN}; enter 1 12 36 -> enter 1 x3 12 36
order entry 1 3 0 ->; told entry 1 1 5000 a -> True; order stop -1 1 19988 ->; account 1 1 ->
at 11 ->
told stop -1 1 4997 s -> True; over stop ->; account 0 1 ->; at 12 -> cancel entry""",
    "a connection is lost in a trade without a stop": f"""{LONG}; up 0 ->; guide 19995 ->
over stop ->
at 20 ->; later 21 ->; up 1 ->; at 23.9 ->; at 24 ->; at 28.9 ->
at 29 -> {NO_STOP}, exit 1 x3 Unprotected""",
    "a connection is lost without a trade": f"""{BEGIN}; up 0 ->; {FLAT} Disconnected; later 11 ->
up 1 ->
at 13.9 ->; {FLAT} Disconnected; at 14 ->; {FLAT} None""",
    "a connection is lost before the account can have told of all": f"""up 1 ->; begin 1 0 ->
at 5 ->; up 0 ->
at 19 ->; later 20 ->; up 1 ->; at 29.9 ->; {FLAT} Account; at 30 ->; {FLAT} None""",
    "there is no connection at the start": """up 0 ->; begin 1 1 ->; account 2 0 ->; at 30 ->
end -> True False,
 loud: the strategy ended with a trade open or on its way; later 40 ->; up 1 ->; at 42.9 ->
at 43 -> loud: what the account held at the start is being closed, flatten""",
    "a stop is rejected": f"""{LONG}
refused stop Rejected -> loud: an order was refused (Stop, Rejected)
over stop ->; at 12 ->; at 20.9 ->; at 21 ->; at 25.9 ->
at 26 -> {NO_STOP}, exit 1 x3 Unprotected""",
    "a change is refused": f"""{LONG}
refused stop ChangeRefused -> loud: an order was refused (Stop, ChangeRefused)
halt ->; at 20.9 ->; at 21 -> exit 1 x3 Halted""",
    "the platform believes in a trade": f"""{BEGIN}; platform -2 ->; at 11 ->; at 22.9 ->
at 23 -> loud: the platform believes in a position that is not there, the strategy stops itself,
 stop
at 34.9 ->; ? -> 0 0 0 | 0 0 0 0 | Halted Platform halted
at 35 -> loud: the platform believes in a position that is not there, the strategy stops itself,
 stop""",
    "someone else closes the trade": f"""{LONG}; account 0 1 ->; at 12 ->; at 23.9 ->
at 24 -> loud: the account holds 0 and the strategy 3, nothing is opened until they agree,
 cancel stop, cancel target; ? -> 0 0 5000 | 0 0 0 0 | Halted Platform halted
told other -1 3 4990 z -> True; ? -> 0 0 5000 | 0 0 0 0 | Halted Platform halted
over stop ->; over target ->; told other -1 1 4990 y -> True
? -> -1 -1 4990 | -1 19960 19972 19924 | Halted Platform halted""",
    "someone else closes what was not closed yet": f"""{LONG}; account 0 1 ->; at 12 ->; later 20 ->
counts stop 1 4990 ->
at 24 -> loud: the account holds 0 and the strategy 3, nothing is opened until they agree,
 cancel stop, cancel target; told stop -1 1 4990 s -> True
? -> 0 0 5000 | 0 0 0 0 | Halted Platform halted""",
    "someone else turns the trade": f"""{LONG}; account -1 1 ->; at 12 ->; button ->
at 13 -> loud: nothing is opened any more: KillSwitch; at 23.9 ->
at 24 -> loud: the account holds -1 and the strategy 3, nothing is opened until they agree,
 cancel stop, cancel target""",
    "executions are not told": f"""{BEGIN}; enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->
told entry 1 1 5000 a -> True; counts entry 3 5001 ->; order stop -1 3 19988 ->; account 3 1 ->
over entry ->; at 11 ->
? -> 1 3 5000 | 1 20000 19988 20036 | Opening Account; at 15.9 ->
at 16 -> quiet: an order was filled without an execution being told, it is counted now
over entry ->; at 17 ->; ? -> 3 3 5001 | 1 20004 19988 20040 | None Account
told entry 1 2 5001.5 b -> True
? -> 3 3 5001 | 1 20004 19988 20040 | None Account""",
    "an execution is told when more is filled": f"""{BEGIN}; enter 1 12 36 -> enter 1 x3 12 36
order entry 1 3 0 ->; counts entry 1 5000 ->; account 3 1 ->; order stop -1 3 19988 ->; at 11 ->
at 16 -> quiet: an order was filled without an execution being told, it is counted now
counts entry 3 5000.5 ->; told entry 1 2 5000.5 b -> True
? -> 3 3 5000.33333333333 | 1 20001 19988 20037 | Opening Account""",
    "a trade without a stop goes on": f"""{BEGIN}; enter 1 12 36 -> enter 1 x3 12 36
order entry 1 3 0 ->; told entry 1 1 5000 a -> True; account 1 1 ->; at 11 ->; order exit -1 1 0 ->
counts entry 3 5000 ->; at 11.5 ->; told exit -1 1 5001 x -> True; over exit ->; account 0 1 ->
at 12 -> cancel entry; over entry ->; told entry 1 2 5000 b -> True; account 2 0 ->; at 15.9 ->
at 16 -> {NO_STOP}, exit 1 x2 Unprotected""",
    "the account holds something at the start": """account -2 0 ->; up 1 ->
begin 1 0 -> loud: the account holds -2 of the instrument at the start, which are not the
 strategy's,
 nothing is opened until they are gone; at 11 ->; ? -> 0 0 0 | 0 0 0 0 | Disagrees Account
up 0 ->; at 12 ->; up 1 ->; at 15 ->; ? -> 0 0 0 | 0 0 0 0 | Disagrees Account
account 0 0 ->; at 16 -> quiet: account and strategy agree again
? -> 0 0 0 | 0 0 0 0 | None None""",
    "what the account holds at the start is closed": """account 2 0 ->; up 1 ->
begin 1 1 -> loud: the account holds 2 of the instrument at the start, which are not the strategy's,
 nothing is opened until they are gone, loud: what the account held at the start is being closed,
 flatten
? -> 0 0 0 | 0 0 0 0 | Leaving Account flattens""",
    "what the account held at the start shows late": """up 1 ->; begin 1 1 ->; at 9 ->
account 2 0 ->
at 18 -> loud: what the account held at the start is being closed, flatten""",
    "what the account holds came later": """up 1 ->; begin 1 1 ->; at 10 ->; account 2 0 ->
at 11 ->
? -> 0 0 0 | 0 0 0 0 | None Account""",
    "an order of an earlier run's": f"""account 0 1 ->; up 1 ->
begin 1 1 -> loud: an order of an earlier run is on the account at the start, nothing is opened
 until it is
 gone, loud: what the account held at the start is being closed, flatten
account 1 1 ->; at 1 ->; at 19.9 ->; at 20 -> loud: the account is still not flat, {AGAIN}""",
    "without an account nothing is compared": """account 2 1 ->; begin 0 1 ->; at 30 ->
? -> 0 0 0 | 0 0 0 0 | None None; end -> False False""",
    "an end without a trade": f"""{BEGIN}; end -> False False""",
    "an end with an entry on its way": f"""{BEGIN}; enter 1 12 36 -> enter 1 x3 12 36
end -> True False, {LEFT}""",
    "an end with a trade": f"""{LONG}; end -> True False, {LEFT}""",
    "an end with an exit on its way": f"""{LONG}; halt ->; at 12 -> exit 1 x3 Halted
end -> True True, {LEFT}""",
    "an end while the platform closes": f"""{LONG}
refused stop Rejected -> loud: an order was refused (Stop, Rejected); end -> True True, {LEFT}""",
    "an end with a target that is left": f"""{LONG}; over stop ->; told exit -1 3 5001 x -> True
account 0 1 ->
platform 0 ->; end -> True False, {LEFT}""",
    "an end with a trade that only the platform knows": f"""{BEGIN}; platform 1 ->
end -> True False, {LEFT}""",
    "orders' milliseconds": f"""{BEGIN}; enter 1 12 36 -> enter 1 x3 12 36; later 11.5 ->
waits -> 1500 NaN NaN
order entry 1 3 0 ->; told entry 1 3 5000 a -> True; over entry ->; order stop -1 3 19988 ->
account 3 1 ->
halt ->; at 12 -> exit 1 x3 Halted; later 12.25 ->; waits -> NaN 250 NaN""",
    "an entry is ignored": f"""{BEGIN}; ignores 1 ->
enter -1 12 36 -> enter -1 x3 12 36, quiet: the platform ignored an entry; waits -> NaN NaN NaN""",
    "stop and target without a trade": f"""{LONG}; told exit -1 3 5001 x -> True; account 0 1 ->
platform 0 ->
at 12 ->; at 16.9 ->; at 17 -> cancel stop, cancel target; at 36.9 ->
at 37 -> cancel stop, cancel target""",
    "an exit without a trade": f"""{LONG}; halt ->; at 12 -> exit 1 x3 Halted
order exit -1 3 0 ->; over stop ->
told stop -1 3 4997 s -> True; over target ->; account 0 1 ->; platform 0 ->; at 13 ->; at 17.9 ->
at 18 -> cancel exit""",
    "nothing is quoted": f"""{LONG}; quote 0 0 ->; guide 19998 -> move 19998
guide 19999 -> exit 1 x3 StopAtMarket""",
    "a stop that the broker does not have yet": f"""{LONG}; pending stop ->; guide 19995 ->""",
    "the session ends after the rules' day": f"""{LONG}; ends 40000 ->; at 17939.9 ->
at 17940 -> exit 1 x3 Late""",
    "the platform's own exit names no order": f"""{LONG}; ends 41 ->; order exit -1 3 0 ->
noted exit ->
counts exit 3 4999 ->; at 11.5 ->; told other -1 3 4999 x -> True; over exit ->; over stop ->
over target ->
account 0 0 ->; platform 0 ->; at 12 ->; at 19 ->; ? -> 0 0 5000 | 0 0 0 0 | Closed Late""",
    "the session's end": f"""{LONG}; ends 200 ->; at 79.9 ->; at 80 -> exit 1 x3 Late""",
    "the platform closes before the session's end": f"""{LONG}; ends 41 ->; at 11 ->; at 20.9 ->
at 21 -> exit 1 x3 Late""",
    "an exit of nobody's is on its way": f"""{LONG}; leaves 1 ->; halt ->; at 12 ->; at 31.9 ->
at 32 -> exit 1 x3 Halted""",
    "the last bar of the day is told early": f"""{LONG}; bar 17820 ->; at 12 ->; bar 17880 ->
? -> 3 3 5000 | 1 20000 19988 20036 | Late Late; at 13 -> exit 1 x3 Late
told exit -1 3 5000 x -> True
over stop ->; over target ->; account 0 0 ->; platform 0 ->; at 14 ->
? -> 0 0 5000 | 0 0 0 0 | Closed Late; done 1 ->; ? -> 0 0 5000 | 0 0 0 0 | None Late""",
    "the first bar at which all is flat": f"""{BEGIN}; ends 3600 ->; bar 0 ->; flat -> 717
ends 3597 ->; bar 0 ->; flat -> 716; ends 90000 ->; bar 0 ->; flat -> 958""",
    "a bar of the day before that is told late": f"""{BEGIN}; bar -68520 ->
? -> 0 0 0 | 0 0 0 0 | None Late; bar 0 ->; ? -> 0 0 0 | 0 0 0 0 | None None""",
    "an exit that the strategy did not send": f"""{LONG}; order exit -1 3 0 ->; halt ->; at 12 ->
? -> 3 3 5000 | 1 20000 19988 20036 | Halted Platform halted""",
    "the account at the start is that of before the first entry": """up 1 ->; begin 1 1 ->
at 9 ->; later 11 ->; enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->; account 3 1 ->
at 18 ->; told entry 1 3 5000 a -> True; over entry ->; order stop -1 3 19988 ->; at 19 ->""",
    "a trade that was there within the first look": """up 1 ->; begin 1 1 ->; at 9 ->
later 11 ->; enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->
told entry 1 3 5000 a -> True; over entry ->; order stop -1 3 19988 ->; account 3 1 ->; at 18 ->""",
    "what shows late is not closed unasked": """up 1 ->; begin 1 0 ->; at 9 ->; account 2 0 ->
at 18 ->""",
    "what shows without a connection is not closed yet": """up 0 ->; account 2 0 ->
begin 1 1 -> loud: the account holds 2 of the instrument at the start, which are not the
 strategy's, nothing is opened until they are gone; at 2 ->""",
    "the platform's exits are looked at": """up 1 ->; closing ->; begin 1 0 ->; closing -> n
at 10 ->; closing -> n; ends 41 ->; at 10.5 ->; closing -> n; at 11 ->; closing -> y; at 20.9 ->
closing -> y; at 21 ->; closing -> n; ends 40000 ->; at 17940 ->; closing -> n""",
    "where the session's end is not known": f"""{BEGIN}; closing -> nn; at 17939.9 ->
closing -> n; at 17940 ->; closing -> y""",
    "while all is flattened": """account 2 0 ->; up 1 ->
begin 1 1 -> loud: the account holds 2 of the instrument at the start, which are not the
 strategy's, nothing is opened until they are gone, loud: what the account held at the start is
 being closed, flatten; closing -> n; ends 41 ->; at 12 ->; closing -> n""",
    "without an account": """begin 0 0 ->; closing ->; at 12 ->; closing ->
told entry 1 3 5000 a -> True; end -> False False""",
    "a bar told as late": f"""{LONG}; done 1 ->; told stop -1 3 4997 s -> True; over stop ->
over target ->; account 0 0 ->; platform 0 ->; at 12 ->; ? -> 0 0 5000 | 0 0 0 0 | None None""",
    "an execution after a new trade is none of the last exit's": f"""{LONG}; ends 41 ->
order exit -1 3 0 ->; noted exit ->; at 11.5 ->; told stop -1 3 4997 s -> True; over stop ->
over target ->; account 0 0 ->; platform 0 ->; at 12 ->; ends 40000 ->
enter -1 12 36 -> enter -1 x3 12 36; told other -1 3 5000 z -> True; counts exit 3 4990 ->
at 13 ->; ? -> -3 -6 5000 | -1 20000 20012 19964 | Closed None""",
    "the platform's own exit is told of at once": f"""{LONG}; ends 41 ->; order exit -1 3 0 ->
noted exit ->; counts exit 3 4999 ->; later 11.5 ->; told other -1 3 4999 x -> True; over exit ->
over stop ->; over target ->; account 0 0 ->; platform 0 ->; at 12 ->; at 19 ->
? -> 0 0 5000 | 0 0 0 0 | Closed Late""",
    "a rejection counts once": f"""{LONG}
refused stop Rejected -> loud: an order was refused (Stop, Rejected); over stop ->; later 15 ->
refused stop Rejected -> loud: an order was refused (Stop, Rejected); halt ->; at 20.9 ->
at 21 -> exit 1 x3 Halted""",
    "an order that says of itself that it was rejected": f"""{LONG}; rejects stop ->
over stop ->; halt ->; at 12 ->; at 21.9 ->; at 22 -> exit 1 x3 Halted""",
    "an end with an exit that may be filled": f"""{LONG}; halt ->; at 12 -> exit 1 x3 Halted
told stop -1 3 4997 s -> True; over stop ->; over target ->; platform 0 ->; account 0 0 ->
end -> True True, loud: the strategy ended with a trade open or on its way""",
    "an end with a trade without orders": f"""{LONG}; over stop ->; over target ->; platform 0 ->
end -> True False, loud: the strategy ended with a trade open or on its way""",
    "an entry that waits is cancelled by the button": f"""{BEGIN}
enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->; button ->
at 11 -> loud: nothing is opened any more: KillSwitch, cancel entry""",
    "a trade turned by one execution": f"""{LONG}; guide 19995 -> move 19995
order exit -1 6 0 ->; over stop ->; over exit ->; over target ->; told exit -1 6 5000 x -> True
account -3 0 ->; ? -> -3 -3 5000 | -1 20000 20012 19964 | None Platform; order stop 1 3 20004 ->
guide 20003 -> move 20003""",
    "tries of one trade are none of the next": f"""{LONG}; guide 19999 -> exit 1 x3 StopAtMarket
at 12 ->; guide 19999 -> exit 1 x3 StopAtMarket; at 13 ->; told stop -1 3 4997 s -> True
over stop ->; over target ->; account 0 0 ->; platform 0 ->; at 14 ->; done 0 ->
enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->; told entry 1 3 5001 b -> True
over entry ->; order stop -1 3 19992 ->; account 3 1 ->; platform 3 ->; at 15 ->
guide 19998 -> move 19998; guide 19999 -> exit 1 x3 StopAtMarket; at 16 ->
guide 19999 -> exit 1 x3 StopAtMarket""",
    "a stop that was asked for in one trade is none of the next": f"""{LONG}
guide 19996 -> move 19996; told stop -1 3 4997 s -> True; over stop ->; over target ->
account 0 0 ->; platform 0 ->; at 12 ->; enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->
told entry 1 3 5000 b -> True; over entry ->; order stop -1 3 19988 ->; account 3 1 ->; at 13 ->
guide 19990 -> move 19990""",
    "a time without a stop is of one trade": f"""{LONG}; over stop ->; at 12 ->
told target -1 3 5009 t -> True; over target ->; account 0 0 ->; platform 0 ->; at 13 ->
enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->; told entry 1 3 5000 b -> True
over entry ->; account 3 1 ->; at 14 ->; at 18.9 ->
at 19 -> loud: the trade is closed at the market: it has had no working stop, exit 1 x3
 Unprotected""",
    "prices that the broker does not have yet": f"""{BEGIN}; enter 1 12 36 -> enter 1 x3 12 36
order entry 1 3 0 ->; told entry 1 3 5000 a -> True; over entry ->; order stop -1 3 0 ->
order target -1 3 0 ->; account 3 1 ->; at 11 ->
? -> 3 3 5000 | 1 20000 19988 20036 | None Account""",
    "an exit of nothing is not sent": f"""{LONG}; halt ->; counts stop 3 4997 ->; at 12 ->""",
    "an exit takes the rest of its entry with it": f"""{BEGIN}; enter 1 12 36 -> enter 1 x3 12 36
order entry 1 3 0 ->; told entry 1 1 5000 a -> True; order stop -1 1 19988 ->; account 1 1 ->
at 11 ->; guide 19999 -> cancel entry, exit 1 x1 StopAtMarket""",
    "each exit that takes long is told": f"""{LONG}; guide 19999 -> exit 1 x3 StopAtMarket
order exit -1 3 0 ->; at 30.9 ->; at 31 -> loud: an exit is still not filled, look at the account
at 32 ->; told exit -1 3 5000 x -> True; over exit ->; over stop ->; over target ->
account 0 0 ->; platform 0 ->; at 33 ->; done 0 ->; enter 1 12 36 -> enter 1 x3 12 36
order entry 1 3 0 ->; told entry 1 3 5000 b -> True; over entry ->; order stop -1 3 19988 ->
account 3 1 ->; at 34 ->; guide 19999 -> exit 1 x3 StopAtMarket; order exit -1 3 0 ->; at 53.9 ->
at 54 -> loud: an exit is still not filled, look at the account""",
    "what someone else has closed was closed at the market": f"""{LONG}; account 0 1 ->; at 12 ->
quote 4990 4990.25 ->
at 24 -> loud: the account holds 0 and the strategy 3, nothing is opened until they agree, cancel
 stop, cancel target; made -> -30""",
    "what the platform holds of an entry on its way": f"""{BEGIN}
enter 1 12 36 -> enter 1 x3 12 36; order entry 1 3 0 ->; platform 3 ->; at 11 ->; at 30 ->""",
    "a stop beside an entry on its way": f"""{BEGIN}; enter 1 12 36 -> enter 1 x3 12 36
order entry 1 3 0 ->; order stop -1 3 19988 ->; at 11 ->; at 30 ->""",
    "an account's news may be late after the begin": f"""up 1 ->; later 30 ->; begin 1 0 ->; at 39.9 ->
{FLAT} Account; at 40 ->; {FLAT} None""",
    "an order that is left keeps entries off": f"""{BEGIN}; account 0 1 ->
? -> 0 0 0 | 0 0 0 0 | None Account; account 0 0 ->; {FLAT} None""",
    "an exit of nobody's without an account": """begin 0 0 ->; enter 1 12 36 -> enter 1 x3 12 36
order entry 1 3 0 ->; told entry 1 3 5000 a -> True; over entry ->; order stop -1 3 19988 ->
at 11 ->; leaves 1 ->; halt ->; at 12 -> exit 1 x3 Halted""",
}
"""Each news with what is sent and told on it."""


def steps_of(story: str) -> list[tuple[str, str]]:
    """Return news and answers; a line that begins with a space goes on with the one before."""
    parts = story.replace("\n ", " ").replace("\n", "; ").split("; ")
    pairs = [part.split("->", 1) for part in parts]
    return [(news.strip(), answer.strip()) for news, answer in pairs]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(
        tmp_path_factory.mktemp("custody"), Path(__file__).with_name("custody.cs").read_text()
    )


def answers(program: Path, stories: dict[str, str]) -> dict[str, list[str]]:
    """Return what is answered to each story's news; a sentence's semicolons are commas here."""
    lines = []
    for name, story in stories.items():
        loss, floor = 500 * ("day's loss" in name), 50_000 * ("drawdown" in name)
        lines += [f"new {loss} {floor}", *(news for news, _ in steps_of(story))]
    done = subprocess.run(
        ["mono", str(program)], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    told = iter(done.stdout.replace(";", ",").split("\n"))
    return {name: [next(told) for _ in steps_of(story)] for name, story in stories.items()}


@pytest.fixture(scope="module")
def told(program: Path) -> dict[str, list[str]]:
    return answers(program, STORIES)


@pytest.mark.parametrize("name", STORIES)
def test_each_news_has_its_answer(name: str, told: dict[str, list[str]]) -> None:
    news = [news for news, _ in steps_of(STORIES[name])]
    assert list(zip(news, told[name], strict=True)) == steps_of(STORIES[name])
