"""Faults that an allowance of the simulated platform's rules might hide: for each allowance one that it does not."""

from __future__ import annotations

# ruff: noqa: E501
from tests.ninjatrader.planted.former import CUSTODY, ORDERS, PATIENCE, STRATEGY, Edit
from tests.ninjatrader.planted.order import TRADE

FLATTENING = "Flattening.cs"

ALLOWANCE: dict[str, tuple[Edit, ...]] = {
    # what is lost, or late: nine seconds
    "the platform's own exit is not looked for": (
        (
            CUSTODY,
            "orders.PlatformExit(closes && !Flattens)",
            "orders.PlatformExit(false)",
        ),
    ),
    "an execution without an order is never of the platform's own exit": (
        (CUSTODY, "order = Trade.PlatformsExit(side);", "order = null;"),
    ),
    "the platform's own exit counts once more": (
        (
            TRADE,
            "platforms.Counted < platforms.Quantity ? platforms",
            "platforms.Counted > 9 ? platforms",
        ),
    ),
    "any order at the market is the platform's own exit": (
        (CUSTODY, "orders.PlatformExit(closes && !Flattens)", "orders.PlatformExit(true)"),
    ),
    "an exit that was there at the start is this run's": (
        (
            CUSTODY,
            "            if (onAccount) orders.PlatformExit(false); // what is there already is not this run's\n",
            "",
        ),
    ),
    "the platform's exit is found, and its contracts are not": (
        (ORDERS, "            if (exit != null) ((IOrders)this).Refresh(exit);\n", ""),
    ),
    "what an order counts is booked after ten seconds": (
        (PATIENCE, "Fill = TimeSpan.FromSeconds(5)", "Fill = TimeSpan.FromSeconds(10)"),
    ),
    # a close by hand that meets an exit on its way
    "stops and targets without a trade stay for half a minute": (
        (CUSTODY, "now - straySince.Value < Patience.Stop", "now - straySince.Value < Patience.Entry"),
    ),
    "stops and targets stay until executions are told": (
        (
            CUSTODY,
            "if (Trade.Foreseen != 0 || entrySent != null || strays.Count == 0)",
            "if (Trade.Net != 0 || entrySent != null || strays.Count == 0)",
        ),
    ),
    # a flattening that is lost, slow, or turns the account
    "a flattening that came to nothing is asked for again after a minute": (
        (
            FLATTENING,
            "(flat ? Patience.Stop : Patience.Exit)",
            "(flat ? Patience.Stop : TimeSpan.FromMinutes(1))",
        ),
    ),
    "a flattening is never over": (
        (FLATTENING, "if (account.Calm(now)) sent = null;\n            else if", "if"),
    ),
    "a flattening that throws is not under way": (
        (
            FLATTENING,
            "            sent = now;\n            orders.FlattenAccount();\n        }\n\n        /// <summary>Look",
            "            orders.FlattenAccount();\n            sent = now;\n        }\n\n        /// <summary>Look",
        ),
    ),
    # an exit that takes long, beside which a stop is filled
    "the other side is held for a minute": (
        (
            CUSTODY,
            "if (Trade.Side != tradeSide)",
            "if (Trade.Side != tradeSide && exitTried != null && now - exitTried.Value > TimeSpan.FromMinutes(1))",
        ),
        (
            CUSTODY,
            "            if (close) return true;\n",
            "            if (close && Trade.Side == tradeSide) return true;\n",
        ),
        (
            CUSTODY,
            "if (bareSince == null) bareSince = now;",
            "if (bareSince == null && Trade.Side == tradeSide) bareSince = now;",
        ),
    ),
    # a connection that is back: four to six seconds
    "a connection that is back is trusted after half a minute": (
        (PATIENCE, "Settling = TimeSpan.FromSeconds(3)", "Settling = TimeSpan.FromSeconds(30)"),
    ),
    "what the account holds without a connection is what it holds": (
        (
            "AccountCheck.cs",
            "            if (!up) unknown |= Young(now);\n            else if (unknown)",
            "            if (unknown && begun == now)",
        ),
    ),
    # an end that leaves the trade, by the setting
    "an end flattens against the setting": ((STRATEGY, " || !FlattenOnStop) return;", ") return;"),),
    # no entry is expected on the bar after a trade, nor at once on the next day
    "after a trade nothing is opened any more": (
        (CUSTODY, "            closedSinceBar = false;\n", ""),
    ),
    "a day that has ended ends the next": (
        (
            CUSTODY,
            "barIsLate = openUtc.AddMinutes(1) >= barFlatAt;",
            "barIsLate |= openUtc.AddMinutes(1) >= barFlatAt;",
        ),
    ),
    # a market that is closed
    "nothing is closed at the end": (
        (
            CUSTODY,
            "            if (close) return true;\n",
            "            if (close && !Late) return true;\n",
        ),
    ),
    # an entry that waits: 45 seconds
    "an entry may wait for a minute": (
        (PATIENCE, "Entry = TimeSpan.FromSeconds(30)", "Entry = TimeSpan.FromSeconds(60)"),
    ),
    # an account that someone else has turned: 30 seconds
    "an account that someone else has turned is seen after half a minute": (
        (PATIENCE, "Account = TimeSpan.FromSeconds(12)", "Account = TimeSpan.FromSeconds(35)"),
    ),
    "a filled order without its execution is booked at no price": (
        (
            TRADE,
            "price = (average * order.Filled - order.Paid) / missing;",
            "price = 0;",
        ),
    ),
    "what was not told of an order is booked at the price of all": (
        (
            TRADE,
            "price = (average * order.Filled - order.Paid) / missing;",
            "price = average;",
        ),
    ),
}
