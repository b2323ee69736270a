"""Further faults of the order handling: slips that a stranger to the code might make in it."""

from __future__ import annotations

# ruff: noqa: E501
from tests.ninjatrader.planted.former import CUSTODY, ORDERS, PATIENCE, STRATEGY, Edit

TRADE, GUARD, BUTTON, TRADER = "Trade.cs", "Guard.cs", "RLTraderButton.cs", "LiveTrader.cs"

SLIPS: dict[str, tuple[Edit, ...]] = {
    "stop and target change names": (
        (
            "IOrders.cs",
            "roles.Add(Stop, Role.Stop);\n            roles.Add(Target, Role.Target);",
            "roles.Add(Stop, Role.Target);\n            roles.Add(Target, Role.Stop);",
        ),
    ),
    "stop and target change distances": (
        (
            TRADER,
            "Custody.Enter(side, Agent.StopTicks, Agent.TargetTicks)",
            "Custody.Enter(side, Agent.TargetTicks, Agent.StopTicks)",
        ),
    ),
    "an exit is for one contract": (
        (
            CUSTODY,
            "orders.Exit(Trade.Side, quantity, reason)",
            "orders.Exit(Trade.Side, 1, reason)",
        ),
    ),
    "an execution is for the whole order": (
        (
            STRATEGY,
            "side, quantity, price, () => ToUtc(time)",
            "side, order == null ? quantity : order.Quantity, price, () => ToUtc(time)",
        ),
    ),
    "all is flat a minute too late": ((CUSTODY, "wall >= flatAt;", "now >= flatAt.AddMinutes(1);"),),
    "minutes before the end are minutes after it": (
        (GUARD, "AddMinutes(-settings.MinutesBeforeEnd)", "AddMinutes(settings.MinutesBeforeEnd)"),
    ),
    "times are taken for UTC": (
        (
            ORDERS,
            "return TimeZoneInfo.ConvertTimeToUtc(bare, "
            "NinjaTrader.Core.Globals.GeneralOptions.TimeZoneInfo);",
            "return DateTime.SpecifyKind(bare, DateTimeKind.Utc);",
        ),
    ),
    "an accepted stop counts as none": ((ORDERS, "                case OrderState.Accepted:\n", ""),),
    "a submitted stop counts as working": (
        (
            ORDERS,
            "                case OrderState.Accepted:\n",
            "                case OrderState.Accepted:\n                case OrderState.Submitted:\n",
        ),
    ),
    "a cancelled order is taken for a rejected one": (
        (ORDERS, "state == OrderState.Rejected;", "state == OrderState.Cancelled;"),
    ),
    "an order that is not yet working is over": (
        (
            ORDERS,
            "own.Live = !Order.IsTerminalState(state);",
            "own.Live = state == OrderState.Working;",
        ),
    ),
    "a buy to cover is a sale": ((ORDERS, " || order.OrderAction == OrderAction.BuyToCover", ""),),
    "exits count into the average entry": (
        (TRADE, "            if (role != Role.Entry && entryContracts != 0) return;\n", ""),
    ),
    "money paid is money made": ((TRADE, "Points -= side * quantity", "Points += side * quantity"),),
    "the open trade does not count into the day's loss": (
        (CUSTODY, "Quote(Trade.Net) * tick;", "Trade.Average;"),
    ),
    "a restart forgets the day's loss": ((GUARD, "made - TakeUpDay(utc)", "made"),),
    "the floor is not looked at": (
        (GUARD, "else breached |= now - belowSince.Value >= Patience.Settling;", ""),
    ),
    "the button's handler stays": ((BUTTON, "button.Click -= Pressed;", ""),),
    "the button stays": ((STRATEGY, "            HideButton();\n", ""),),
    "the button does nothing": ((GUARD, "{ stopped = true; }", "{ }"),),
    "the clock goes on after the end": (
        (STRATEGY, "if (running != null) running.Dispose();", "if (running == null) return;"),
    ),
    "every connection is the account's": (
        (STRATEGY, " || connectionStatusUpdate.Connection != Account.Connection", ""),
    ),
    "connecting counts as connected": (
        (
            STRATEGY,
            "connectionStatusUpdate.Status == ConnectionStatus.Connected;",
            "connectionStatusUpdate.Status != ConnectionStatus.ConnectionLost;",
        ),
    ),
    "a cancel is sent again and again": (
        (
            CUSTODY,
            "            if (order.CancelAsked != null && now - order.CancelAsked.Value < Patience.Exit) return;\n",
            "",
        ),
    ),
    "a stop is asked for where it stands": (
        (CUSTODY, "if (wanted == agent.Position.Stop || ", "if ("),
    ),
    "a trailing stop gives way": (
        (
            "PositionTracker.cs",
            "return Side > 0 ? Math.Max(wanted, candidate) : Math.Min(wanted, candidate);",
            "return candidate;",
        ),
    ),
    "stop and target are set after the entry": (
        (
            ORDERS,
            """            SetStopLoss(OrderNames.Entry, CalculationMode.Ticks, stopTicks, false);
            SetProfitTarget(OrderNames.Entry, CalculationMode.Ticks, targetTicks);
            return Note(side > 0 ? EnterLong(quantity, OrderNames.Entry) : EnterShort(quantity, OrderNames.Entry));
""",
            """            bool sent = Note(side > 0 ? EnterLong(quantity, OrderNames.Entry) : EnterShort(quantity, OrderNames.Entry));
            SetStopLoss(OrderNames.Entry, CalculationMode.Ticks, stopTicks, false);
            SetProfitTarget(OrderNames.Entry, CalculationMode.Ticks, targetTicks);
            return sent;
""",
        ),
    ),
    "the stop is kept by the platform alone": (
        (ORDERS, "CalculationMode.Ticks, stopTicks, false", "CalculationMode.Ticks, stopTicks, true"),
    ),
    "nobody cares for an hour after a refused change": (
        (PATIENCE, "Platform = TimeSpan.FromSeconds(10)", "Platform = TimeSpan.FromHours(1)"),
    ),
    "a refused change is not noticed": (
        (CUSTODY, "            if (trouble == Trouble.ChangeRefused) platformCloses = now;\n", ""),
    ),
    "an entry is cancelled at once": (
        (
            CUSTODY,
            "now - entrySent.Value >= Patience.Entry;",
            "now - entrySent.Value <= Patience.Entry;",
        ),
    ),
    "the first exit flattens the account": ((CUSTODY, "MostExits = 2;", "MostExits = 0;"),),
    "an alert that fails ends the care": (
        (
            ORDERS,
            'string failed = "an alert could not be given',
            'throw; string failed = "an alert could not be given',
        ),
    ),
    "an entry is for one contract more": (
        (
            CUSTODY,
            "orders.Enter(side, manifest.Contracts,",
            "orders.Enter(side, manifest.Contracts + 1,",
        ),
    ),
    "a wish is never carried out": (
        (
            CUSTODY,
            "return Reachable ? Withheld.None : Withheld.Disconnected;",
            "return Withheld.Disconnected;",
        ),
    ),
    "a tracker is told of a fill at the wrong side": (
        (
            CUSTODY,
            "agent.Entered(Trade.Side, Trade.Average);",
            "agent.Entered(-Trade.Side, Trade.Average);",
        ),
    ),
}
