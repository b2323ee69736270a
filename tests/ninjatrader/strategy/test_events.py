"""The strategy's events one by one: what it asks NinjaTrader for, what it tells and what it logs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled
from tests.ninjatrader.live.test_custody import steps_of

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

STORIES = {
    "orders are sent by their names": """new -> Information a log
enter 1 3 12 36 -> False, stop RLTrader Ticks 12 False, target RLTrader Ticks 36, enter 1 3
 RLTrader; order e RLTrader Buy Market Submitted 3 0 0 0 0 ->; answers e ->
enter -1 2 8 20 -> True, stop RLTrader Ticks 8 False, target RLTrader Ticks 20, enter -1 2
 RLTrader; trade -> Historical 0 0 1 None Disconnected
exit 1 2 Late -> True, exit 1 2 RLTrader flat ''
exit -1 1 Overshot -> True, exit -1 1 RLTrader overshot ''; answers none ->
exit 1 2 Blocked -> False, exit 1 2 RLTrader blocked ''
move 20001 -> stop RLTrader Price 5000.25 False; cancel e -> cancel e; stop -> terminate""",
    "each state of an order": """new -> Information a log
order s Bremse Sell StopMarket Submitted 3 1 0 4990 4990.25 ->; news s Submitted NoError ->
order t Ziel Sell Limit Submitted 5 2 5010.25 4000 5010.5 ->; news t Submitted NoError ->
order l Grenze BuyToCover StopLimit Submitted 4 0 5011 5010 0 ->; news l Submitted NoError ->
order m Markt SellShort Market Submitted 6 0 0 0 0 ->; news m Submitted NoError ->
trade -> Historical 0 0 0 None Disconnected; become Realtime -> a clock
news s Submitted NoError ->; news t Submitted NoError ->; news l Submitted NoError ->
news m Submitted NoError ->; trade -> Live 0 0 4 Leaving Account
show s -> s Stop -1 3 1 0 live not fine at 4990.25
show t -> t Target -1 5 2 0 live not fine at 5010.5; show l -> l Stop 1 4 0 0 live not fine at 0
show m -> m Exit -1 6 0 0 live not fine at 0
states s -> Initialized live 0, Submitted live 0, Accepted live works 19963, AcceptedByRisk live
 works 19964, TriggerPending live works 19965, Working live works 19966, ChangePending live works
 19966, ChangeSubmitted live works 19966, CancelPending live 19966, CancelSubmitted live 19966,
 Cancelled 19966, Rejected rejected 19966, PartFilled live works 19973, Filled 19973, Suspended
 live works 19975, Unknown 19975,
states t -> Initialized live 0, Submitted live 0, Accepted live works 20047, AcceptedByRisk live
 works 20049, TriggerPending live works 20051, Working live works 20053, ChangePending live works
 20053, ChangeSubmitted live works 20053, CancelPending live 20053, CancelSubmitted live 20053,
 Cancelled 20053, Rejected rejected 20053, PartFilled live works 20067, Filled 20067, Suspended
 live works 20071, Unknown 20071,""",
    "what is asked of the platform": """new -> Information a log
? -> 0 5000 5000.25 0 0 50000 False False 1; now 5 ->; holds 2 -3 7 ->; quote 4999.75 5000.5 ->
cash 51234.5 ->; ? -> 5 4999.75 5000.5 2 -3 51234.5 False False 1; cash 0 ->
? -> 5 4999.75 5000.5 2 -3 NaN False False 1; holds -4 6 7 ->
? -> 5 4999.75 5000.5 -4 6 NaN False False 1""",
    "whose orders are left on the account": """new -> Information a log
order a Close Sell Market Working 2 0 0 0 0 ->; ? -> 0 5000 5000.25 0 0 50000 True True 1
becomes a Filled ->; order b Stop_loss Sell StopMarket Accepted 2 0 0 4990 0 ->
? -> 0 5000 5000.25 0 0 50000 True False 1; elsewhere b ->
? -> 0 5000 5000.25 0 0 50000 False False 1; order c Kauf Buy Market Working 2 0 0 0 0 ->
? -> 0 5000 5000.25 0 0 50000 False True 1; becomes c Cancelled ->
order d RLTrader Buy Market Submitted 2 0 0 0 0 RLTrader ->
? -> 0 5000 5000.25 0 0 50000 True False 1; becomes d Rejected ->
order e Fremd Buy Limit Working 2 0 4990 0 0 ->; ? -> 0 5000 5000.25 0 0 50000 False False 1
order f Ziel Sell Limit Submitted 2 0 5010 0 0 RLTrader ->
? -> 0 5000 5000.25 0 0 50000 True False 1; becomes f Unknown ->
order g RLTrader_no_stop Sell Market Working 2 0 0 0 0 ->
order h Kauf Buy Market Filled 2 2 0 0 0 ->; ? -> 0 5000 5000.25 0 0 50000 True True 1""",
    "the platform's own exit is found among orders at the market": """new -> Information a log
order a Close Sell Market Working 2 0 0 0 0 ->
order b Stop_loss Sell StopMarket Working 2 0 0 4990 0 ->; found 0 -> none; found 1 -> none
order c Aus Sell Market Working 4 1 0 0 4999 ->; order d Close Sell Market Working 5 0 0 0 0 ->
elsewhere d ->; order e RLTrader Buy Market Working 6 0 0 0 0 ->
found 1 -> c Exit -1 4 1 0 live working fine; found 1 -> none
order f Exit_on_session_close Buy Market Filled 7 7 0 0 5001 ->
order g Schluss Sell Market Submitted 8 0 0 0 0 ->; found 1 -> g Exit -1 8 0 0 live not fine
found 1 -> none""",
    "a session's end is asked for once": """new -> Information a log; session -500 700 ->
ends 0 -> 700, asked of -1E-07; session 0 900 ->; ends -500 -> 700; ends 700 -> 700
ends -500.5 -> 900, asked of -500.5000001; ends 700.5 -> 900; ends 899 -> 900; session 950 1200 ->
ends 901 -> 1200, asked of 900.9999999; ends 901 -> 1200; session none ->; ends 1200 -> 1200
ends 1200.5 -> Infinity, asked of 1200.4999999""",
    "an account is not flattened twice at once": """new -> Information a log
flatten -> flatten ES 12-26; now 3.9 ->; flatten ->; now 4 ->; flatten -> flatten ES 12-26
now 3 ->; flatten -> flatten ES 12-26; order a Close Sell Market Working 2 0 0 0 0 ->; now 17.9 ->
flatten ->; now 18 ->; flatten -> flatten ES 12-26; becomes a Filled ->; now 22 ->
flatten -> flatten ES 12-26""",
    "the user is told by log, sound and mail": """new AlertSound=ding.wav AlertMail=me@home ->
 Information a log
tell loud before the run -> Alert RLTrader: before the run; become Realtime -> a clock
tell quiet something -> Warning RLTrader: something
tell loud something loud -> Alert RLTrader: something loud, sound ding.wav, mail me@home
 'RLTrader: ES 12-26' something loud; fails 1 ->
tell loud something else -> Alert RLTrader: something else, sound ding.wav, Warning RLTrader: an
 alert could not be given by sound or mail (none of ding.wav), mail me@home 'RLTrader: ES 12-26'
 something else, Warning RLTrader: an alert could not be given by sound or mail (no post)
fails 0 ->; become Terminated -> no more clock, no more advice
tell loud after the end -> Alert RLTrader: after the end, sound ding.wav, mail me@home 'RLTrader:
 ES 12-26' after the end; tell quiet no more -> Warning RLTrader: no more""",
    "a sound alone": """new AlertSound=ding.wav -> Information a log; become Realtime -> a clock
tell loud something -> Alert RLTrader: something, sound ding.wav""",
    "a mail alone": """new AlertMail=me@home -> Information a log; become Realtime -> a clock
tell loud something -> Alert RLTrader: something, mail me@home 'RLTrader: ES 12-26' something""",
    "a bar that ends now began a minute ago": """new -> Information a log; quiet -60 20 ->
become Realtime -> a clock; now 60 ->; tick 60 ->; wish 2 ->
bar 60 5000.25 5001 4999 5000.5 44 -> stop RLTrader Ticks 12 False, target RLTrader Ticks 36,
 enter -1 3 RLTrader, Warning RLTrader: the platform ignored an entry
log bar time ohlcv number action withheld side -> 21 2025-03-10T15:00:00Z
 5000.25,5001,4999,5000.5,44 20 2 - 0; order e RLTrader SellShort Market Submitted 3 0 0 0 0 ->
answers e ->; now 120 ->; bar 120 5000.5 5001.25 4999.25 5000.75 45 ->
log bar time ohlcv number action -> 22 2025-03-10T15:01:00Z 5000.5,5001.25,4999.25,5000.75,45 21 2""",
    "executions are counted with their order, time and name": """new -> Information a log
quiet -60 20 ->; order o RLTrader Buy Market Filled 9 9 0 0 5000 ->; news o Filled NoError ->
fill o old RLTrader 1 9 5000 -5 ->; become Realtime -> a clock; trade -> Live 0 0 0 None Account
wish 1 ->; now 20 ->; order e RLTrader Buy Market Filled 3 3 0 0 5000.5 ->; answers e ->
bar 60 5000.25 5001 4999 5000.5 44 -> stop RLTrader Ticks 12 False, target RLTrader Ticks 36,
 enter 1 3 RLTrader; now 20.25 ->; fill e x1 RLTrader 1 2 5000.5 21 ->
log fill time price quantity side order latency_ms mode -> 1 2025-03-10T15:00:21Z 5000.5 2 1
 RLTrader 250 live; trade -> Live 2 -10001 1 Opening None; fill e x2 RLTrader 1 1 5000.5 21.5 ->
trade -> Live 3 -15001.5 0 None None; holds 3 3 0 ->
order s Bremse Sell StopMarket Accepted 3 0 0 4997 0 ->; news s Accepted NoError ->
fill s x2 Bremse -1 2 4997.5 22 ->
log fill time price quantity side order latency_ms -> 3 2025-03-10T15:00:22Z 4997.5 2 -1 Stop
 loss null; fill - x2 - -1 1 4998.25 23 ->
log fill time price quantity side order latency_ms -> 4 2025-03-10T15:00:23Z 4998.25 1 -1  null
trade -> Live 0 -8.25 1 Closed Platform; show e -> e Entry 1 3 3 0 over not fine at 5000.5
show s -> s Stop -1 3 0 19988 live working fine at 0""",
    "an execution that is lost, in part and for a while": """new -> Information a log; quiet -60 20 ->
become Realtime -> a clock; wish 1 ->; now 20 ->
order e RLTrader Buy Market Filled 3 3 0 0 5000.5 ->; answers e ->
bar 60 5000.25 5001 4999 5000.5 44 -> stop RLTrader Ticks 12 False, target RLTrader Ticks 36,
 enter 1 3 RLTrader; fill e x1 RLTrader 1 1 5000 21 ->; log fill quantity inferred -> 1 1 -
tick 22 ->
tick 27.1 -> Warning RLTrader: an order was filled without an execution being told, it is counted now
log fill time price quantity side order latency_ms inferred mode -> 2 2025-03-10T15:00:27.100Z
 5000.75 2 1 RLTrader null True live; fill e x2 RLTrader 1 2 5000.75 28 ->
log fill quantity -> 2 2; order s Bremse Sell StopMarket Filled 3 3 0 4997 4997 ->
news s Filled NoError ->; tick 28 ->; tick 34 -> Warning RLTrader: an order was filled without an
 execution being told, it is counted now; log fill quantity side price order -> 3 3 -1 4997 Stop
 loss; trade -> Live 0 -10.5 0 Closed None""",
    "a trade that is gone from the account": """new -> Information a log; quiet -60 20 ->
become Realtime -> a clock; wish 1 ->; now 20 ->
order e RLTrader Buy Market Filled 3 3 0 0 5000.5 ->; answers e ->
bar 60 5000.25 5001 4999 5000.5 44 -> stop RLTrader Ticks 12 False, target RLTrader Ticks 36,
 enter 1 3 RLTrader; fill e x1 RLTrader 1 3 5000.5 21 ->; holds 3 3 0 ->
order s Bremse Sell StopMarket Accepted 3 0 0 4997.5 0 ->; news s Accepted NoError ->; tick 22 ->
holds 0 3 0 ->; tick 23 ->; quote 5002 5002.25 ->
tick 35 -> Alert RLTrader: the account holds 0 and the strategy 3, nothing is opened until they
 agree, cancel s
log fill time price quantity side order latency_ms inferred mode -> 2 2025-03-10T15:00:35Z 5002 3 -1
 gone from the account null True live; fill - x2 Close -1 3 5001.5 36 -> Warning RLTrader: account and
 strategy agree again; log fill side -> 2 -1""",
    "an open trade is managed": """new -> Information a log; quiet -60 20 ->
become Realtime -> a clock; wish 1 ->; now 20 ->
order e RLTrader Buy Market Filled 3 3 0 0 5000.5 ->; answers e ->
bar 60 5000.25 5001 4999 5000.5 44 -> stop RLTrader Ticks 12 False, target RLTrader Ticks 36,
 enter 1 3 RLTrader; fill e x1 RLTrader 1 3 5000.5 21 ->
order s Bremse Sell StopMarket Accepted 3 0 0 4997.5 0 ->; news s Accepted NoError ->
order t Ziel Sell Limit Working 3 0 5009.75 0 0 ->; news t Working NoError ->; holds 3 3 0 ->
quote 5002 5002.25 ->; bar 120 5001 5002.25 5000.25 5002 30 ->
log bar action side entry stop target entry_bar trailing withheld distances -> 22 1 1 20002 19990
 20039 20 False - 12,36,8; wish 3 ->
bar 180 5001 5002 5000 5001.5 30 -> stop RLTrader Price 5000.75 False
order s Bremse Sell StopMarket Working 3 0 0 5000.75 0 ->; news s Working NoError ->; wish 4 ->
quote 5006 5006.25 ->; bar 240 5002 5006.5 5001.5 5006 30 -> stop RLTrader Price 5003.75 False
log bar action side entry stop target entry_bar trailing withheld distances -> 24 4 1 20002 20003
 20039 20 False - 13,39,9; order s Bremse Sell StopMarket Working 3 0 0 5003.75 0 ->
news s Working NoError ->; wish 5 ->; bar 300 5002 5006.5 5004.5 5006.5 30 ->
log bar stop trailing -> 25 20015 True; wish 2 ->; bar 360 5002 5006.5 5004.5 5006.5 30 ->
fill t y1 Ziel -1 3 5009.75 365 ->; trade -> Live 0 27.75 2 Closed Platform
bar 420 5002 5006.5 5004.5 5006.5 30 ->; log bar skipped side number -> 27 closed on this bar 0 26""",
    "a trade is closed at the end of the rules' day": """new -> Information a log
quiet 21420 20 ->; now 21400 ->; become Realtime -> a clock; tick 21440 ->; wish 1 ->
order e RLTrader SellShort Market Filled 3 3 0 0 5000.5 ->; wish 2 ->; answers e ->
bar 21480 5000.25 5001 4999 5000.5 44 -> stop RLTrader Ticks 12 False, target RLTrader Ticks 36,
 enter -1 3 RLTrader; fill e x1 RLTrader -1 3 5000.5 21481 ->
order s Bremse BuyToCover StopMarket Accepted 3 0 0 5003.5 0 ->; news s Accepted NoError ->
holds -3 -3 0 ->; wish 0 ->; now 21530 ->; bar 21540 5000.25 5001 4999 5000.5 44 ->
log bar flat_by skipped action -> 22 1019 - 0
order x RLTrader_flat BuyToCover Market Unknown 3 0 0 0 0 ->; answers x ->; now 21590 ->
bar 21600 5000.25 5001 4999 5000.5 44 -> exit -1 3 RLTrader flat ''
log bar flat_by skipped side -> 23 1019 flat by -1; now 21590.5 ->; news s Cancelled NoError ->
order s Bremse BuyToCover StopMarket Cancelled 3 0 0 5003.5 0 ->
fill x x2 RLTrader_flat 1 2 5000.75 21601 ->
log fill order side quantity latency_ms -> 2 RLTrader flat 1 2 500
fill x x3 RLTrader_flat 1 1 5000.75 21601 ->; becomes x Filled ->; news x Filled NoError ->
trade -> Live 0 -0.75 0 None Late""",
    "a wish where nothing may be opened": """new -> Information a log; quiet 21420 20 ->
become Realtime -> a clock; tick 21440 ->; wish 1 ->; bar 21600 5000.25 5001 4999 5000.5 44 ->
log bar action withheld skipped minute -> 21 1 - - 1019""",
    "a wish before there are bars enough": """new -> Information a log; quiet -60 5 ->
become Realtime -> a clock; now 20 ->; wish 1 ->; bar 20 5000.25 5001 4999 5000.5 44 ->
log bar skipped action number -> 6 warming up - 5""",
    "a wish that is held back": """new -> Information a log; quiet -60 20 ->
become Realtime -> a clock; wish 1 ->; bar 0 5000.25 5001 4999 5000.5 44 ->
log bar action withheld -> 21 1 account""",
    "an entry that ends": """new -> Information a log; quiet -60 20 ->
become Realtime -> a clock; now 20 ->; wish 1 ->; order e RLTrader Buy Market Unknown 3 0 0 0 0 ->
answers e ->
bar 60 5000.25 5001 4999 5000.5 44 -> stop RLTrader Ticks 12 False, target RLTrader Ticks 36,
 enter 1 3 RLTrader; trade -> Live 0 0 1 Opening Account; becomes e Cancelled ->
news e Cancelled NoError ->; log ended order unfilled trouble -> 1 RLTrader True none
trade -> Live 0 0 0 None None""",
    "what goes wrong with an order is told": """new -> Information a log
become Realtime -> a clock; order s Stop_loss Sell StopMarket Working 3 0 0 4997 0 ->
news s Rejected NoError -> Alert RLTrader: an order was refused (Stop, Rejected)
log ended order unfilled trouble -> 1 Stop loss False rejected
order t Profit_target Sell Limit Working 3 0 5010 0 0 ->
news t Working UnableToChangeOrder -> Alert RLTrader: an order was refused (Target, ChangeRefused)
log ended order unfilled trouble -> 2 Profit target False change refused
news t Working UnableToCancelOrder ->; news t Cancelled NoError ->
log ended order -> 2 Profit target""",
    "something unforeseen": """new -> Information a log; quiet -60 20 ->
become Realtime -> a clock; wish 9 ->
bar 0 5000.25 5001 4999 5000.5 44 -> fault: a policy that fails, Alert RLTrader:
 InvalidOperationException: a policy that fails, what is held is closed, and nothing is opened
 until the strategy is enabled again; trade -> Live 0 0 0 Halted Account""",
    "a quote that throws again and again": """new -> Information a log; quiet -60 20 ->
become Realtime -> a clock; wish 1 ->; now 20 ->
order e RLTrader Buy Market Filled 3 3 0 0 5000.5 ->; answers e ->
bar 60 5000.25 5001 4999 5000.5 44 -> stop RLTrader Ticks 12 False, target RLTrader Ticks 36,
 enter 1 3 RLTrader; fill e x1 RLTrader 1 3 5000.5 21 ->; holds 3 3 0 ->
order s Bremse Sell StopMarket Accepted 3 0 0 4997.5 0 ->; news s Accepted NoError ->; mute 1 ->
order x RLTrader_halted Sell Market Working 3 0 0 0 0 ->; elsewhere x ->; answers x ->
tick 22 -> exit 1 3 RLTrader halted '', fault: no quote, Alert RLTrader: IOException: no quote, what
 is held is closed, and nothing is opened until the strategy is enabled again
tick 23 -> fault: no quote, Alert RLTrader: IOException: no quote, what is held is closed, and
 nothing is opened until the strategy is enabled again; tick 24 -> fault: no quote
tick 25 -> fault: no quote, Alert RLTrader: IOException: no quote, what is held is closed, and
 nothing is opened until the strategy is enabled again
tick 26 -> fault: no quote; tick 42 -> Alert RLTrader: an exit is still not filled, look at the
 account, fault: no quote; mute 0 ->; tick 43 ->""",
    "the strategy analyzer": """new analyzer ->; quiet -60 20 ->
? -> 0 5000 5000.25 0 0 NaN False False 1; become Historical ->; trade -> Backtest 0 0 0 None None
? -> -60 5000 5000.25 0 0 NaN False False 1; wish 1 ->
bar 0 5000.25 5001.5 4999.5 5000.75 45 -> stop RLTrader Ticks 12 False, target RLTrader Ticks 36,
 enter 1 3 RLTrader, Warning RLTrader: the platform ignored an entry
? -> 0 5000 5000.25 0 0 NaN False False 1; become Realtime ->; trade -> Backtest 0 0 0 None None
become Terminated -> no more advice""",
    "shadow mode": """new Shadow=true -> Information a log; quiet -60 20 ->; become Historical ->
trade -> Historical 0 0 0 None Disconnected; become Realtime -> a clock
trade -> Virtual 0 0 0 None None; wish 1 ->; bar 0 5000.25 5001 4999 5000.5 44 ->
log fill mode side quantity price order -> 1 virtual 1 3 5000.75 RLTrader; tick 40 ->; tick 50 ->
log fill -> 1; order s Stop_loss Sell StopMarket Rejected 3 0 0 4990 0 ->
news s Rejected NoError ->; fill s x1 Stop_loss -1 2 5000.5 121 ->
trade -> Virtual 3 -15002.25 1 None Platform; bar 60 5000.5 5000.75 4997 4998 30 ->
log fill time side quantity price order -> 2 2025-03-10T15:01:00Z -1 3 4997.75 Stop loss
become Terminated -> no more clock, no more advice""",
    "where a backtest is logged": """new analyzer LogBacktests=true -> Information a log
new analyzer Shadow=true ->; quiet -60 20 ->; become Historical ->
trade -> Backtest 0 0 0 None None; wish 1 ->
bar 0 5000.25 5001.5 4999.5 5000.75 45 -> stop RLTrader Ticks 12 False, target RLTrader Ticks 36,
 enter 1 3 RLTrader, Warning RLTrader: the platform ignored an entry
new analyzer LogBacktests=true HeartbeatMinutes=1 -> Information a log; become Historical ->
price 5 ->; log alive -> 0""",
    "a bundle that cannot be read": """new BundleFolder=bad -> Alert RLTrader: no bundle at all
runs -> False; become Realtime ->; bundle good ->; become DataLoaded -> Information a log
runs -> True; bundle bad ->; become DataLoaded -> Alert RLTrader: no bundle at all; runs -> False""",
    "a price is news of the time once a second": """new HeartbeatMinutes=1 -> Information a log
price 0 ->; become Realtime -> a clock; price 2 ->; log alive -> 1; price 61.2 ->; price 62.1 ->
log alive -> 1; price 62.2 ->; log alive time -> 2 2025-03-10T15:01:02.200Z; price 20 ->
price 80.5 ->; log alive time -> 3 2025-03-10T15:01:20.500Z
become Terminated -> no more clock, no more advice; price 200 ->; log alive -> 3""",
    "a sign of life every so many minutes": """new HeartbeatMinutes=2 -> Information a log
become Realtime -> a clock; tick 0 ->; tick 119 ->; tick 120 ->; tick 121 ->
log alive time mode net account halted -> 2 2025-03-10T15:02:00Z live 0 0 False""",
    "the account's connection": """new -> Information a log; become Realtime -> a clock
line ConnectionLost other ->; now 20 ->; tick 20 ->; trade -> Live 0 0 0 None None
line Connecting ->; trade -> Live 0 0 0 None Disconnected; line Connected ->
trade -> Live 0 0 0 None Disconnected; now 23 ->; tick 23 ->; trade -> Live 0 0 0 None None
line Disconnected ->; trade -> Live 0 0 0 None Disconnected""",
    "an account without a connection is always there": """new -> Information a log
unconnected ->; become Realtime -> a clock; now 20 ->; tick 20 ->; trade -> Live 0 0 0 None None""",
    "a connection that is lost at the start": """new -> Information a log; line Disconnected ->
become Realtime -> a clock; now 30 ->; tick 30 ->; trade -> Live 0 0 0 None Disconnected""",
    "a button": """new chart -> Information a log; button ->; become Historical ->; button ->
become Realtime -> a clock; button -> RLTrader: close and stop Left Top
press -> Alert RLTrader: nothing is opened any more: KillSwitch
button -> RLTrader: stopped Left Top; trade -> Live 0 0 0 None Blocked; now 1 ->; tick 1 ->
become Terminated -> no more clock, no more advice; button ->""",
    "an ended button": """new chart -> Information a log; become Realtime -> a clock
become Terminated -> no more clock, no more advice; button ->; runs -> False""",
    "after the end an account that stays is given up": """new -> Information a log
become Realtime -> a clock; holds 3 3 0 ->
become Terminated -> no more clock, Alert RLTrader: the strategy ended with a trade open or on
 its way, later 5, flatten ES 12-26, no more advice; later 5 -> flatten ES 12-26, later 5
later 10 -> flatten ES 12-26, later 5; later 15 -> flatten ES 12-26, later 5
later 20 -> flatten ES 12-26, later 5; later 25 -> flatten ES 12-26, later 5
later 30 -> flatten ES 12-26, later 5
later 35 -> Alert RLTrader: the account is still not flat, close it by hand""",
    "after the end three calm looks are enough": """new -> Information a log
become Realtime -> a clock; holds 0 3 0 ->
become Terminated -> no more clock, Alert RLTrader: the strategy ended with a trade open or on
 its way, later 5, flatten ES 12-26, no more advice; later 5 -> later 5; holds 0 3 2 ->
later 10 -> later 5; holds 2 3 0 ->; later 15 -> flatten ES 12-26, later 5; holds 0 3 0 ->
later 20 -> later 5; later 25 -> later 5; later 30 ->""",
    "after the end an order that is left": """new -> Information a log
become Realtime -> a clock; holds 0 3 0 ->
order s Stop_loss Sell StopMarket Accepted 3 0 0 4990 0 RLTrader ->
become Terminated -> no more clock, Alert RLTrader: the strategy ended with a trade open or on
 its way, later 5, flatten ES 12-26, no more advice; later 5 -> flatten ES 12-26, later 5
later 10 -> flatten ES 12-26, later 5; becomes s Cancelled ->; later 11 -> later 5
later 12 -> later 5; later 13 ->""",
    "after the end an exit on its way": """new -> Information a log; become Realtime -> a clock
holds 2 3 0 ->; order a Close Sell Market Working 2 0 0 0 0 ->
become Terminated -> no more clock, Alert RLTrader: the strategy ended with a trade open or on
 its way, later 5, no more advice; later 5 -> later 5; later 10 -> later 5; later 15 -> later 5
later 20 -> flatten ES 12-26, later 5; later 25 -> later 5; later 30 -> later 5
later 35 -> later 5; later 40 -> flatten ES 12-26, later 5""",
    "after the end without a connection": """new -> Information a log; become Realtime -> a clock
holds -2 -3 0 ->; line ConnectionLost ->
become Terminated -> no more clock, Alert RLTrader: the strategy ended with a trade open or on
 its way, later 5, no more advice; later 5 -> later 5; later 10 -> later 5; line Connected ->
later 15 -> flatten ES 12-26, later 5; broken 1 ->
later 20 -> flatten ES 12-26, fault: no way, Alert RLTrader: no way, the account is looked at
 again, later 5; broken 0 ->; later 25 -> flatten ES 12-26, later 5; holds 0 0 0 ->
later 30 -> later 5; line ConnectionLost ->; later 35 -> later 5; line Connected ->
later 40 -> later 5; later 45 -> later 5; later 50 ->""",
    "after the end another instance looks after the account": """new -> Information a log
become Realtime -> a clock; holds 2 3 0 ->
become Terminated -> no more clock, Alert RLTrader: the strategy ended with a trade open or on
 its way, later 5, flatten ES 12-26, no more advice; again Shadow=true -> Information a log
become Realtime -> a clock; now 5 ->; former -> flatten ES 12-26, later 5
again month -> Information a log
become Realtime -> Alert RLTrader: the account holds 2 of the instrument at the start, which are
 not the strategy's, nothing is opened until they are gone, a clock; now 10 ->
former -> flatten ES 12-26, later 5; again -> Information a log
become Realtime -> Alert RLTrader: the account holds 2 of the instrument at the start, which are
 not the strategy's, nothing is opened until they are gone, a clock; now 15 ->; former ->""",
    "an end that leaves the trade": """new FlattenOnStop=false -> Information a log
become Realtime -> a clock; holds 2 3 0 ->
become Terminated -> no more clock, Alert RLTrader: the strategy ended with a trade open or on
 its way, no more advice""",
    "an end of nothing": """new -> Information a log; become Realtime -> a clock
become Terminated -> no more clock, no more advice""",
    "what the account holds at the start": """new FlattenOnStart=true -> Information a log
holds 2 0 0 ->
become Realtime -> Alert RLTrader: the account holds 2 of the instrument at the start, which are
 not the strategy's, nothing is opened until they are gone, Alert RLTrader: what the account held
 at the start is being closed, flatten ES 12-26, a clock""",
    "what the account holds at the start and keeps": """new -> Information a log; holds 2 0 0 ->
become Realtime -> Alert RLTrader: the account holds 2 of the instrument at the start, which are
 not the strategy's, nothing is opened until they are gone, a clock""",
    "timers": """new -> Information a log; clocks -> True 1 True True""",
}
"""Each news with what is asked for and told on it; the platform's clock is three hours ahead of UTC."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return what is answered to each story's news; a sentence's semicolons are commas here."""
    folder = tmp_path_factory.mktemp("events")
    source = Path(__file__).with_name("events.cs").read_text("utf-8")
    command = ["mono", str(compiled(folder, source, strategy=True)), str(folder / "logs")]
    lines = [news for story in STORIES.values() for news, _ in steps_of(story)]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
    answers = iter(done.stdout.replace(";", ",").split("\n"))
    return {name: [next(answers) for _ in steps_of(story)] for name, story in STORIES.items()}


@pytest.mark.parametrize("name", STORIES)
def test_each_event_has_its_answer(name: str, told: dict[str, list[str]]) -> None:
    news = [news for news, _ in steps_of(STORIES[name])]
    assert list(zip(news, (answer.strip() for answer in told[name]), strict=True)) == steps_of(
        STORIES[name]
    )
