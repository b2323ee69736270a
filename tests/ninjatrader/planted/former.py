"""Faults of the live side, planted one at a time: each is found by the random interleavings."""

from __future__ import annotations

Edit = tuple[str, str, str]
"""Name of a C# file, what is right in it, once, and what is wrong."""

STRATEGY, ORDERS = "RLTraderStrategy.cs", "RLTraderOrders.cs"
SETTINGS, CUSTODY, ACCOUNT = "RLTraderSettings.cs", "Custody.cs", "AccountCheck.cs"
PATIENCE, CHECKS = "Patience.cs", "RLTraderChecks.cs"

FORMER: dict[str, tuple[Edit, ...]] = {
    "1 the account's own position is not looked at": (
        (ORDERS, "return Signed(PositionAccount);", "return Signed(Position);"),
    ),
    "2 a restart leaves an open trade": (
        (SETTINGS, "ConnectionLossHandling.KeepRunning;", "ConnectionLossHandling.Recalculate;"),
        (ACCOUNT, "held = onAccount ? orders.AccountNet : 0;", "held = 0;"),
        (STRATEGY, "bool closing;", "bool closing = false;"),
        (STRATEGY, "if (!custody.End(out closing) || !FlattenOnStop) return;", "if (!closing) return;"),
    ),
    "3 orders on bars of the past": (
        (
            STRATEGY,
            "if (IsInStrategyAnalyzer) Begin(Mode.Backtest);",
            "Begin(IsInStrategyAnalyzer ? Mode.Backtest : Mode.Live);",
        ),
    ),
    "4 an entry on its way blocks everything, and may stay so for ever": (
        (
            CUSTODY,
            "if (Trade.Over(Role.Entry)) entrySent = null;",
            "if (Trade.Over(Role.Entry) && Math.Abs(Trade.Net) == manifest.Contracts) "
            "entrySent = null;",
        ),
        (
            CUSTODY,
            "if (CancelStrays() || Trade.Net == 0) return;",
            "if (CancelStrays() || Trade.Net == 0 || entrySent != null) return;",
        ),
    ),
    "5 the position follows the platform's news of positions": (
        (
            STRATEGY,
            "OfThisRun(known, () => known.Trader.Filled(executionId",
            "if (known == null) OfThisRun(known, () => known.Trader.Filled(executionId",
        ),
        (
            STRATEGY,
            "        protected override void OnOrderUpdate(",
            """
        protected override void OnPositionUpdate(Position position, double averagePrice, int quantity,
            MarketPosition marketPosition)
        {
            Run known = run;
            if (known == null) return;
            int held = marketPosition == MarketPosition.Long ? quantity
                : marketPosition == MarketPosition.Short ? -quantity : 0;
            int change = held - known.Trader.Custody.Trade.Net;
            if (change != 0) known.Inbox.Do(() => known.Trader.Filled(null, "", null,
                known.Trader.Custody.Trade.Net == 0 ? Role.Entry : Role.Exit, System.Math.Sign(change),
                System.Math.Abs(change), averagePrice, () => DateTime.UtcNow));
        }

        protected override void OnOrderUpdate(""",
        ),
        (CUSTODY, "if (Trade.Infer(", "if (order == null && Trade.Infer("),
    ),
    "6 a stop is sent to the market, and believed": (
        (CUSTODY, "if (AtMarket(wanted)) Exit(ExitReason.StopAtMarket);", ""),
        (
            CUSTODY,
            "else orders.MoveStop(wanted);",
            "{ orders.MoveStop(wanted); AtMarket(0); "
            "agent.Position.Stands(wanted, agent.Position.Target); }",
        ),
        (
            CUSTODY,
            "held.Stands(stop != null && stop.Price > 0 ? stop.Price : held.Stop,",
            "held.Stands(held.Stop,",
        ),
    ),
    "7 the end of the session is only noticed by a bar": (
        (CUSTODY, "return barIsLate || wall >= flatAt;", "return barIsLate;"),
        ("Guard.cs", "return byEnd < byRule ? byEnd : byRule;", "return byRule;"),
    ),
    "8 a rejection is taken for nothing": (
        (CUSTODY, "            order.RejectionSeen = true;\n            platformCloses = now;", ""),
    ),
}

FURTHER: dict[str, tuple[Edit, ...]] = {
    "an execution that comes twice counts twice": (
        (
            "Trade.cs",
            '!executions.Add(name + "|" + id)) return false;',
            '!executions.Add(name + "|" + id)) executions.Clear();',
        ),
    ),
    "a position without a stop is left alone": (
        (
            CUSTODY,
            "return bareSince != null && now - bareSince.Value >= Patience.Stop;",
            "return false;",
        ),
    ),
    "patience with a missing stop is minutes": (
        (PATIENCE, "Stop = TimeSpan.FromSeconds(5)", "Stop = TimeSpan.FromMinutes(2)"),
    ),
    "a stuck entry is not cancelled": (
        (CUSTODY, "if (entry != null && (close || overdue || spent)) Cancel(entry);", ""),
    ),
    "nobody looks again after the end": ((STRATEGY, "LookAgain(new Aftercare());", ""),),
    "an open trade is left at the end": (
        (STRATEGY, "if (!closing && Reachable && !OrdersLeft(true)) Flatten();", ""),
        (STRATEGY, "LookAgain(new Aftercare());", ""),
    ),
    "stops and targets without a trade stay": (
        (CUSTODY, "if (CancelStrays() || Trade.Net == 0) return;", "if (Trade.Net == 0) return;"),
    ),
    "what the platform wrongly believes in is not looked at": (
        (
            CUSTODY,
            "if (orders.PlatformNet != 0) return Withheld.Platform;",
            "if (halted) return Withheld.Platform;",
        ),
        (CUSTODY, "            if (Phantom()) return;\n", ""),
    ),
    "orders are sent without a connection": (
        (CUSTODY, "return connected && now - connectedSince >= Patience.Settling;", "return true;"),
    ),
    "orders are sent as soon as the connection is back": (
        (PATIENCE, "Settling = TimeSpan.FromSeconds(3)", "Settling = TimeSpan.Zero"),
    ),
    "a trade that is gone from the account is closed once more": (
        (CUSTODY, " || !account.Holds(Trade.Net) || ", " || "),
    ),
    "orders stay when someone else has closed the trade": (
        (CUSTODY, "if (account.Gone) LetGo();", ""),
    ),
    "an execution that never comes is never counted": (
        (CUSTODY, "if (Trade.Infer(", "if (halted && Trade.Infer("),
    ),
    "an order is forgotten if the strategy ends in its call": (
        (
            ORDERS,
            "if (order != null) Own(loaded, order);",
            "if (order != null && run != null) Own(run, order);",
        ),
    ),
    "an exit on its way is forgotten at once": (
        (
            CUSTODY,
            "exitSent != null || Flattens || Trade.Alive(Role.Exit) != null;",
            "false;",
        ),
    ),
    "the kill switch closes nothing": (
        (
            CUSTODY,
            "bool close = Late || guard.Block != Block.None || halted;",
            "bool close = Late || halted;",
        ),
    ),
    "the kill switch is not read": (
        ("Guard.cs", "killed = settings.KillFile.Length > 0 && File.Exists(settings.KillFile);", ""),
    ),
    "what the account held at the start is never closed": (
        (
            "Flattening.cs",
            "            orders.FlattenAccount();\n        }\n\n        /// <summary>Look",
            "        }\n\n        /// <summary>Look",
        ),
        (
            "Flattening.cs",
            '"; it is flattened again", loud);\n                orders.FlattenAccount();',
            '"; it is flattened again", loud);',
        ),
    ),
    "entries are sent when it is late": ((CUSTODY, "if (Late) return Withheld.Late;", ""),),
    "a stop's price is believed before the broker has it": (
        (
            ORDERS,
            "if (!own.Working || state == OrderState.ChangePending "
            "|| state == OrderState.ChangeSubmitted) return;",
            "if (!own.Working) own.Price = 0;",
        ),
    ),
    "a stop for each execution": (
        (
            SETTINGS,
            "StopTargetHandling.ByStrategyPosition; //",
            "StopTargetHandling.PerEntryExecution; //",
        ),
        (CHECKS, "|| StopTargetHandling != StopTargetHandling.ByStrategyPosition)", ")"),
    ),
    "entries go on while account and strategy differ": (
        (CUSTODY, "return account.Disagrees ? Skip.Disagrees : Skip.None;", "return Skip.None;"),
        (CUSTODY, "if (account.Occupied || account.Young(now)) return Withheld.Account;", ""),
    ),
    "settings changed after the defaults are kept": (
        (STRATEGY, "                    SetPlatform();\n", ""),
        (CHECKS, "if (Calculate != Calculate.OnBarClose ||", "if (MinutesBeforeEnd < -1 &&"),
    ),
    "a stopping platform is helped": (
        (
            CUSTODY,
            "if (!Reachable || PlatformCloses) return;",
            "if (!Reachable) return;",
        ),
    ),
    "an exception ends the care for a trade": (
        (
            "Inbox.cs",
            "try { next(); }",
            "try { next(); if (waiting.Count > 3) throw new InvalidOperationException(); }",
        ),
        (STRATEGY, "known.Trader.Custody.Halt();", "run = null;"),
    ),
    "paper orders are real": (
        (STRATEGY, "if (Shadow && !IsInStrategyAnalyzer)", "if (Shadow && IsInStrategyAnalyzer)"),
    ),
    "every exit is tried once": (
        (
            CUSTODY,
            "if (!orders.Exit(Trade.Side, quantity, reason)) exitSent = null;",
            "orders.Exit(Trade.Side, quantity, reason);",
        ),
        (CUSTODY, "if (Trade.Over(Role.Exit)) exitSent = null;", ""),
    ),
    "an exit goes the wrong way": (
        (
            ORDERS,
            'return Note(side > 0 ? ExitLong(quantity, signal, "") : ExitShort(quantity, signal, ""));',
            'return Note(side < 0 ? ExitLong(quantity, signal, "") : ExitShort(quantity, signal, ""));',
        ),
    ),
}
