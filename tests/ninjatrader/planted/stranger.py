"""Faults as a stranger plants them: seldom states of sessions, starts, ends and paper, and slips in every kind of order."""

from __future__ import annotations

# ruff: noqa: E501
from tests.ninjatrader.planted.former import CUSTODY, ORDERS, SETTINGS, STRATEGY, Edit
from tests.ninjatrader.planted.hidden import ACCOUNT, PAPER
from tests.ninjatrader.planted.order import GUARD, TRADE, TRADER

STRANGER: dict[str, tuple[Edit, ...]] = {
    "an end during a flattening is taken for a calm one": (
        (
            CUSTODY,
            "|| waiting || closing ||",
            "|| waiting || PlatformCloses ||",
        ),
    ),
    "two instances flatten at once": (
        (ORDERS, "if (Now >= ours.Flattened && Now - ours.Flattened < pause) return;", ""),
    ),
    "orders that come to life after a flattening stay": (
        (
            ACCOUNT,
            "if (orders.AccountNet != 0 || orders.OrdersLeft) calmSince = null;",
            "if (orders.AccountNet != 0) calmSince = null;",
        ),
    ),
    "a bar belongs to the session in which it is told": (
        (CUSTODY, "orders.SessionEnd(openUtc)", "orders.SessionEnd(now)"),
    ),
    "latency is measured by the last look": (
        (CUSTODY, "(clock.At(orders.Now) - sent.Value)", "(now - sent.Value)"),
    ),
    "a stop for a part protects the whole": (
        (CUSTODY, "if (Trade.Protected >= Math.Abs(Trade.Net))", "if (Trade.Protected > 0)"),
    ),
    "a target protects as a stop does": (
        (
            TRADE,
            "if (order.Role == Role.Stop && order.Working && order.Side == -Side)",
            "if (order.Role >= Role.Stop && order.Working && order.Side == -Side)",
        ),
    ),
    "an account that is short at the start counts as flat": (
        (ACCOUNT, "Disagrees = held != 0;", "Disagrees = held > 0;"),
    ),
    "an account on the other side holds the trade": (
        (ACCOUNT, "orders.AccountNet * net > 0;", "orders.AccountNet != 0;"),
    ),
    "an account on the other side is no reason to let go": (
        (ACCOUNT, "held * net <= 0 && !unsure", "held == 0 && !unsure"),
    ),
    "paper: the target before the stop": (
        (PAPER, "if (stopped) Close(stop,", "if (stopped && !reached) Close(stop,"),
    ),
    "the session's end is kept from the day before": (
        (ORDERS, "if (utc >= sessionFrom && utc <= sessionEnd)", "if (utc >= sessionFrom)"),
    ),
    "a broken connection outlasts the care after the end": (
        (STRATEGY, "Looks = 100, Calm", "Looks = 4, Calm"),
    ),
    "a request for advice goes on after the end": (
        (TRADER, "if (policy != null) policy.Dispose();", ""),
    ),
    # ten and more of a second stranger
    "duplicates are known by their contracts": (
        (TRADE, 'executions.Add(name + "|" + id)', 'executions.Add(name + "|" + quantity)'),
    ),
    "of what is inferred one contract is booked": (
        (
            TRADE,
            "Book(order.Role, order.Side, missing, price)",
            "Book(order.Role, order.Side, 1, price)",
        ),
    ),
    "a rejected target is taken for nothing": (
        (
            CUSTODY,
            "if (!order.Rejected || order.RejectionSeen) return;",
            "if (!order.Rejected || order.RejectionSeen || order.Role == Role.Target) return;",
        ),
    ),
    "errors of orders are the user's to ignore": (
        (SETTINGS, "            RealtimeErrorHandling = RealtimeErrorHandling.StopCancelClose;\n", ""),
    ),
    "a lost connection is not noted": ((CUSTODY, "connected = up;", "connected |= up;"),),
    "the rules' end of the day is a minute later": (
        (GUARD, "manifest.FlatBy + 1))", "manifest.FlatBy + 2))"),
    ),
    "the day's loss is a contract's": (
        (
            GUARD,
            "Rounding - settings.DailyLoss)",
            "Rounding - settings.DailyLoss * manifest.Contracts)",
        ),
    ),
    # of a third: ends with an exit on its way, parts whose executions come late, orders that nobody cancelled
    "an exit on its way after the end is not waited for": (
        (STRATEGY, "if (care.Patience-- > 0 && OrdersLeft(true)) return true;", ""),
    ),
    "the end flattens beside the platform's own exit": (
        (STRATEGY, "Reachable && !OrdersLeft(true)) Flatten();", "Reachable) Flatten();"),
    ),
    "what was booked before it came stays booked": (
        (TRADE, "                order.Inferred -= booked;\n", ""),
    ),
    "orders that an earlier run left are not looked for": (
        (ACCOUNT, "bool left = onAccount && orders.OrdersLeft;", "bool left = false;"),
    ),
    "orders that an earlier run left are told of and stay": (
        (ACCOUNT, "return Disagrees || left;", "return Disagrees;"),
    ),
    "an entry goes beside an earlier run's order": (
        (
            ACCOUNT,
            "watched && (orders.AccountNet != 0 || orders.OrdersLeft)",
            "watched && orders.AccountNet != 0",
        ),
    ),
    "a stop and an exit that are both filled are not noticed": (
        (CUSTODY, "if (Trade.Side != tradeSide)", "if (Trade.Side == 0)"),
    ),
    "the kill switch is read every two minutes": (
        (GUARD, "FilePause = TimeSpan.FromSeconds(1)", "FilePause = TimeSpan.FromMinutes(2)"),
    ),
    "an exit leaves the rest of the entry": (
        (
            CUSTODY,
            "            if (entry != null) Cancel(entry); // what is left of it would open the trade again\n",
            "",
        ),
    ),
    "a trade without a target counts as one without a stop": (
        (
            CUSTODY,
            "if (Trade.Protected >= Math.Abs(Trade.Net)) bareSince = null;",
            "if (Trade.Protected >= Math.Abs(Trade.Net) && Trade.Alive(Role.Target) != null) bareSince = null;",
        ),
    ),
    "the way out is barred by a target": (
        (
            CUSTODY,
            "Flattens || Trade.Alive(Role.Exit) != null;",
            "Flattens || Trade.Alive(Role.Target) != null;",
        ),
    ),
    "a trade of fewer contracts is looked after by nobody": (
        (
            CUSTODY,
            "if (CancelStrays() || Trade.Net == 0) return;",
            "if (CancelStrays() || Math.Abs(Trade.Net) < manifest.Contracts) return;",
        ),
    ),
    "after a rejection the care goes on at once": (
        (
            CUSTODY,
            "now - platformCloses.Value < Patience.Platform;",
            "now - platformCloses.Value > Patience.Platform;",
        ),
    ),
}
