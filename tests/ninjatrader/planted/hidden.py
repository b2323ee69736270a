"""Faults that many interleavings did not show: of the log, of paper, of limits, and of guards seldom reached."""

from __future__ import annotations

# ruff: noqa: E501
from tests.ninjatrader.planted.former import CUSTODY, ORDERS, STRATEGY, Edit
from tests.ninjatrader.planted.order import BUTTON, GUARD, TRADE, TRADER

ACCOUNT, PAPER, INBOX = "AccountCheck.cs", "PaperOrders.cs", "Inbox.cs"

HIDDEN: dict[str, tuple[Edit, ...]] = {
    "an exit closes the policy's contracts and not what is held": (
        (
            CUSTODY,
            "orders.Exit(Trade.Side, quantity, reason)",
            "orders.Exit(Trade.Side, manifest.Contracts, reason)",
        ),
    ),
    "latency of an exit is counted from the entry": (
        (CUSTODY, "role == Role.Exit ? exitSent : null;", "role == Role.Exit ? entrySent : null;"),
    ),
    "an execution is known by its id alone": (
        (TRADE, 'executions.Add(name + "|" + id)', "executions.Add(id)"),
    ),
    "differences of moments add up": (
        (
            ACCOUNT,
            "                since = null;\n                if (Disagrees && !unsure)",
            "                if (Disagrees && !unsure)",
        ),
    ),
    "a kill switch sticks when its file is gone": (
        (GUARD, "killed = settings.KillFile.Length > 0", "killed |= settings.KillFile.Length > 0"),
    ),
    "commissions are left out of the day's money": (
        (CUSTODY, " - Trade.Contracts * manifest.Commission;", ";"),
    ),
    "after an exception what waits is dropped": (
        (
            INBOX,
            "failed(error);",
            "failed(error);\n                    lock (waiting) waiting.Clear();",
        ),
    ),
    "paper: slippage of an exit helps": (
        (PAPER, "Close(close - side * manifest.Slippage", "Close(close + side * manifest.Slippage"),
    ),
    "paper: a bar that comes twice is filled twice": (
        (
            STRATEGY,
            "if (known.Paper != null && known.Trader.Follows(opened, ohlcv))",
            "if (known.Paper != null)",
        ),
    ),
    "a bar's line is written after its orders": (
        (
            TRADER,
            "            Write(openUtc, ohlcv, skip, withheld, action);\n            Custody.BarDone",
            "            Custody.BarDone",
        ),
        (
            TRADER,
            "Custody.Guide(Agent.Manage(action));\n",
            "Custody.Guide(Agent.Manage(action));\n            Write(openUtc, ohlcv, skip, withheld, action);\n",
        ),
    ),
    "an exception does not halt": ((STRATEGY, "            known.Trader.Custody.Halt();\n", ""),),
    "all fills are logged as live": (
        (TRADER, "log.Fill(utc, Mode, side", "log.Fill(utc, Mode.Live, side"),
    ),
    "an earlier run's orders come into the ledger": (
        (STRATEGY, "if (known.Trader.Mode != Mode.Historical) work();", "work();"),
    ),
    "the clock runs before the run begins": (
        (
            TRADER,
            "            if (Mode == Mode.Historical) return;\n            Custody.Look();",
            "            Custody.Look();",
        ),
    ),
    "an ended instance shows its button": (
        (BUTTON, "if (run == null || button != null) return;", "if (button != null) return;"),
    ),
    "an ended instance's button is pressed": (
        (BUTTON, "            if (known == null) return;\n", ""),
    ),
    "an ended instance looks after a newer one's account": (
        (STRATEGY, "if (Ours.Newest != this) return;", ""),
    ),
    "a session whose end is unknown has ended": (
        (ORDERS, "return DateTime.MaxValue;", "return utc.AddDays(-1);"),
    ),
    "a flattening at the start is not followed up": (
        (
            "Flattening.cs",
            "bool flat = orders.AccountNet == 0;",
            "bool flat = orders.PlatformNet == 0 || orders.AccountNet == 0;",
        ),
    ),
    "any status of the connection counts as its return": (
        (CUSTODY, "if (up && !connected) connectedSince = now;", "if (up) connectedSince = now;"),
    ),
    "after the end it is looked at once": (
        (STRATEGY, "Looks = 100, Calm = Waits,", "Looks = 100, Calm = 1,"),
        (
            STRATEGY,
            "            Flatten();\n            return true;",
            "            Flatten();\n            return false;",
        ),
    ),
}
