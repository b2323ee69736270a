"""Faults of a tired hand: states not cleared, steps in another order, news twice, names, zones, ticks, ends."""

from __future__ import annotations

# ruff: noqa: E501
from tests.ninjatrader.planted.former import CUSTODY, ORDERS, PATIENCE, SETTINGS, STRATEGY, Edit
from tests.ninjatrader.planted.hidden import ACCOUNT, PAPER
from tests.ninjatrader.planted.order import GUARD, TRADE, TRADER

REVIEW: dict[str, tuple[Edit, ...]] = {
    "an instance on another instrument ends the care for this one": (
        (
            STRATEGY,
            "TryGetValue(Instrument.FullName, out found)",
            "TryGetValue(Account.Name, out found)",
        ),
        (STRATEGY, "ofAccount[Instrument.FullName] =", "ofAccount[Account.Name] ="),
    ),
    "an instance in shadow mode ends the care for an account": (
        (
            STRATEGY,
            "            if (mode == Mode.Live)\n",
            "            if (mode != Mode.Historical)\n",
        ),
    ),
    "a connection that is lost at the start counts as there": (
        (STRATEGY, "bool up = Reachable;", "bool up = Account != null;"),
    ),
    "the platform's orders are known by English names alone": (
        (
            ORDERS,
            "            if (role != Role.Other) return role;\n",
            "            if (role != Role.Other || order.Name != null) return role;\n",
        ),
    ),
    "an earlier run's orders are known by English names alone": (
        (
            STRATEGY,
            "Role role = own ? RoleOf(order) : OrderNames.RoleOf(order.Name);",
            "Role role = OrderNames.RoleOf(order.Name);",
        ),
    ),
    "a sound that fails takes the mail with it": (
        (
            ORDERS,
            '            if (AlertSound.Length > 0) Give(() => PlaySound(AlertSound));\n            if (AlertMail.Length > 0) Give(() => SendMail(AlertMail, "RLTrader: " + Instrument.FullName, text));\n',
            '            Give(() => { if (AlertSound.Length > 0) PlaySound(AlertSound); if (AlertMail.Length > 0) SendMail(AlertMail, "", text); });\n',
        ),
    ),
    "a flattening that throws ends the care after the end": (
        (STRATEGY, "bool again = true;", "bool again = false;"),
    ),
    "an exception leaves the care after the end": (
        (
            STRATEGY,
            "try { again = LookAtAccount(care); }\n                catch (Exception error)",
            "try { again = LookAtAccount(care); }\n                catch (BundleException error)",
        ),
    ),
    "a first flattening that throws is the last": (
        (
            STRATEGY,
            "            LookAgain(new Aftercare()); // whatever becomes of this first flattening\n            if (!closing && Reachable && !OrdersLeft(true)) Flatten(); // else an exit may be on its way\n",
            "            if (!closing && Reachable && !OrdersLeft(true)) Flatten();\n            LookAgain(new Aftercare());\n",
        ),
    ),
    "an exception is alerted without sound and mail": (
        (
            STRATEGY,
            '            Alert(error.GetType().Name + ": " + error.Message',
            '            Log(error.GetType().Name + ": " + error.Message',
        ),
        (
            STRATEGY,
            '+ "the strategy is enabled again");',
            '+ "the strategy is enabled again", LogLevel.Alert);',
        ),
    ),
    "an alert at the end has no sound and no mail": (
        (
            ORDERS,
            "if (!loud || (State != State.Realtime && State != State.Terminated)) return;",
            "if (!loud || State != State.Realtime) return;",
        ),
    ),
    "an exit that takes long is told once in a run": (
        (CUSTODY, "            toldSlow = false;\n", ""),
    ),
    "an exit that takes long is told at every look": ((CUSTODY, " && !toldSlow)", ")"),),
    "a limit is told at every look": (
        (
            CUSTODY,
            "            toldBlock = guard.Block;\n",
            "            if (guard.Block == Block.None) toldBlock = Block.None;\n",
        ),
    ),
    "decisions go on while an exit is on its way": (
        (CUSTODY, "            if (Leaving) return Skip.Leaving;\n", ""),
    ),
    "the rest of an entry outlives its trade": (
        (
            CUSTODY,
            "bool spent = entry != null && Trade.Net == 0 && entry.Told > 0;",
            "bool spent = false;",
        ),
    ),
    "a trade is opened on the bar at which one was closed": (
        (CUSTODY, "                if (held.Side != 0) closedSinceBar |= !lateTold;\n", ""),
    ),
    "tries of an exit add up over trades": ((CUSTODY, "                exitTries = 0;\n", ""),),
    "an account is flattened after one exit": (
        (CUSTODY, "if (++exitTries > MostExits)", "if (++exitTries >= MostExits)"),
    ),
    "tries of an exit follow at once": (
        (
            CUSTODY,
            "if (again || guard.SessionCloses",
            "if (guard.SessionCloses",
        ),
    ),
    "the entry is that of its first part": (
        (
            CUSTODY,
            "if (held.Side != Trade.Side || held.Entry != agent.Stream.ToTicks(Trade.Average))",
            "if (held.Side != Trade.Side)",
        ),
    ),
    "a ledger is kept when the account is flattened": (
        (CUSTODY, "                if (orders.AccountNet == 0) Abandon();\n", ""),
    ),
    "a cancel that is lost is not sent again": (
        (
            CUSTODY,
            "if (order.CancelAsked != null && now - order.CancelAsked.Value < Patience.Exit) return;",
            "if (order.CancelAsked != null) return;",
        ),
    ),
    "contracts that were booked before are not counted": (
        (
            TRADE,
            "                order.Counted += quantity;\n                order.Inferred -= booked;\n                quantity -= booked;\n",
            "                order.Inferred -= booked;\n                quantity -= booked;\n                order.Counted += quantity;\n",
        ),
    ),
    "an order is forgotten before its executions came": (
        (
            TRADE,
            "orders.RemoveAll(order => !order.Live && order.Filled <= order.Told);",
            "orders.RemoveAll(order => !order.Live);",
        ),
    ),
    "the average entry goes on from trade to trade": (
        (TRADE, "                entryPoints = 0;\n                entryContracts = 0;\n", ""),
    ),
    "moments in which the account is flat add up": (
        (ACCOUNT, "            if (!gone) goneSince = null;\n            else if", "            if"),
    ),
    "a bar is looked at after it is decided on": (
        (
            TRADER,
            "            Custody.BarClosed(openUtc);\n            if (kept) Decide(openUtc, ohlcv);\n",
            "            if (kept) Decide(openUtc, ohlcv);\n            Custody.BarClosed(openUtc);\n",
        ),
    ),
    "the log leaves out how an order ended": (
        (
            TRADER,
            "if (trouble != Trouble.None || (sent && !order.Live && order.Left > 0))",
            "if (trouble != Trouble.None)",
        ),
    ),
    "a bar that comes twice is decided on twice": (
        (TRADER, "bool sound = openUtc > lastBar;", "bool sound = openUtc >= lastBar;"),
    ),
    "an ended run goes on": (
        (
            STRATEGY,
            "            run = null;\n            if (known == null) return;\n            known.Inbox",
            "            if (known == null) return;\n            known.Inbox",
        ),
    ),
    "the log stays open at the end": ((TRADER, "            log.Dispose();\n", ""),),
    "an account is given up after three flattenings": (
        (STRATEGY, "Flattenings = 6", "Flattenings = 3"),
    ),
    "a session's end that is not known hides the platform's own exit": (
        (CUSTODY, " || (end == DateTime.MaxValue && Late);", ";"),
    ),
    "a flat account is flattened after the end": (
        (
            STRATEGY,
            "            if (!SomethingLeft()) return --care.Calm > 0;\n",
            "            SomethingLeft();\n",
        ),
    ),
    "a stop's price is cut off to ticks": (
        (ORDERS, "(long)Math.Round(price / TickSize)", "(long)(price / TickSize)"),
    ),
    "a stop that waits for its trigger is none": (
        (ORDERS, "                case OrderState.TriggerPending:\n", ""),
    ),
    "a stop that is suspended is none": ((ORDERS, "                case OrderState.Suspended:\n", ""),),
    "a stop that is being changed is none": (
        (
            ORDERS,
            "                case OrderState.ChangePending:\n                case OrderState.ChangeSubmitted:\n",
            "",
        ),
    ),
    "a stop that is filled in part is none": (
        (ORDERS, "                case OrderState.PartFilled:\n", ""),
    ),
    "the floor leaves out the open trade": (
        (CUSTODY, "orders.AccountCash + open :", "orders.AccountCash :"),
    ),
    "the account's cash is its realized profit": (
        (ORDERS, "AccountItem.CashValue", "AccountItem.RealizedProfitLoss"),
    ),
    "the open trade counts twice into the floor": (
        (ORDERS, "AccountItem.CashValue", "AccountItem.NetLiquidation"),
    ),
    "stops end with the day": ((SETTINGS, "TimeInForce.Gtc", "TimeInForce.Day"),),
    "a fill's time is the platform's own zone's": (
        (
            STRATEGY,
            "role, side, quantity, price, () => ToUtc(time)",
            "role, side, quantity, price, () => time",
        ),
    ),
    "an alert is not mailed": (
        (
            ORDERS,
            '            if (AlertMail.Length > 0) Give(() => SendMail(AlertMail, "RLTrader: " + Instrument.FullName, text));\n',
            "",
        ),
    ),
    "a session's last bar is taken for an early one": (
        (
            CUSTODY,
            "barIsLate = openUtc.AddMinutes(1) >= barFlatAt;",
            "barIsLate = openUtc >= barFlatAt;",
        ),
    ),
    "commissions are those of entries alone": (
        (
            TRADE,
            "            Contracts += quantity;\n",
            "            if (role == Role.Entry) Contracts += quantity;\n",
        ),
    ),
    "the open trade counts with the other sign": (
        (CUSTODY, "(Trade.Points + Trade.Net * mark)", "(Trade.Points - Trade.Net * mark)"),
    ),
    "the time without a stop goes on into the next trade": (
        (CUSTODY, "                if (Trade.Foreseen == 0) bareSince = null;", "                "),
    ),
    "the kill switch is read once": (
        (GUARD, "if (now - looked >= FilePause)", "if (looked == DateTime.MinValue)"),
    ),
    "the session's end is asked for in UTC": (
        (
            ORDERS,
            "return TimeZoneInfo.ConvertTimeFromUtc(utc, NinjaTrader.Core.Globals.GeneralOptions.TimeZoneInfo);",
            "return utc;",
        ),
    ),
    "a target is the last trade's": (
        (
            ORDERS,
            "            SetProfitTarget(OrderNames.Entry, CalculationMode.Ticks, targetTicks);\n",
            "",
        ),
    ),
    "paper: a stop moves and nobody is told": (
        (
            PAPER,
            "            stop = ticks;\n            stopOrder.Price = ticks;\n",
            "            stop = ticks;\n",
        ),
    ),
    "paper: stops share an id": ((PAPER, '"paper stop " + ++number', '"paper stop"'),),
    "a trade that is closed beside an exit on its way is left at the end": (
        (CUSTODY, "waiting || closing || orders", "waiting || orders"),
    ),
    "an account that is flat for a moment stays so": (
        (PATIENCE, "News = TimeSpan.FromSeconds(10)", "News = TimeSpan.Zero"),
    ),
    "an account is flattened again beside an order that closes it": (
        (
            STRATEGY,
            "if (care.Patience-- > 0 && OrdersLeft(true)) return true;",
            "if (care.Patience-- > 3 && OrdersLeft(true)) return true;",
        ),
        (ORDERS, "OrdersLeft(true) ? FlattenWait : FlattenPause", "FlattenPause"),
    ),
    "an exit is for what orders show as closed already": (
        (
            CUSTODY,
            "Math.Min(Math.Abs(Trade.Net), Trade.Side * Trade.Foreseen)",
            "Math.Abs(Trade.Net)",
        ),
    ),
    "two months of one contract are looked after as one": (
        (
            STRATEGY,
            "                    if (!ofAccount.TryGetValue(Instrument.FullName, out found))\n"
            "                        ofAccount[Instrument.FullName] = found = new Shared();\n",
            "                    if (!ofAccount.TryGetValue(Instrument.MasterInstrument.Name, out found))\n"
            "                        ofAccount[Instrument.MasterInstrument.Name] = found = new Shared();\n",
        ),
    ),
    "an account's name is taken for a folder": (
        (SETTINGS, "Path.GetInvalidFileNameChars()", "Path.GetInvalidPathChars()"),
    ),
    "a restart forgets that the day's limit was reached": (
        (GUARD, "lost |= known && before.Blocked;", ""),
        (GUARD, "            lost = earlier.Blocked;\n", ""),
    ),
    "a restart forgets that the floor was breached": ((GUARD, "breached |= before.Blocked;", ""),),
    "a stop is loosened whose change is not answered yet": (
        (CUSTODY, "            askedStop = wanted;\n", ""),
    ),
    "waits go by a clock that is set back": (("SteadyClock.cs", "return steady;", "return utc;"),),
    "waits stand until a clock that was set back has caught up": (
        (
            "SteadyClock.cs",
            "if (last == null) steady = utc;\n            else if (utc > last.Value) steady += utc - last.Value;\n"
            "            last = utc;\n",
            "if (last == null || utc > last.Value) last = steady = utc;\n",
        ),
    ),
    "a day's loss is missed by the rounding of a tick": (
        (GUARD, "Rounding = 0.005;", "Rounding = 0;"),
    ),
    "looks without a connection count after the end": (
        (
            STRATEGY,
            "                return true;\n            }\n            if (care.Looks-- == 0) return GiveUp();",
            "                return care.Looks-- > 0;\n            }",
        ),
    ),
    "the account is flattened at the start without a connection": (
        (CUSTODY, "&& flattenFirst && Reachable)", "&& flattenFirst)"),
    ),
    "what could not be closed at the start is nobody's after the end": (
        (ACCOUNT, "(wasYoung || unknown) && Occupied", "wasYoung && Occupied"),
    ),
    "a cash of which nothing was told yet is a cash of nothing": (
        (ORDERS, "return cash == 0 ? double.NaN : cash;", "return cash;"),
    ),
    "the log's ends keep the platform's language": (
        (STRATEGY, "OrderNames.Of(RoleOf(order), order.Name), trouble", "order.Name, trouble"),
    ),
}
