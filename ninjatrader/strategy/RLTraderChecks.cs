// What a chart, an account and a contract must be, and what is worth a warning. Whatever is refused is said once, with
// what to do, and nothing is traded.
using System;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.NinjaScript;
using RLTrader;

namespace NinjaTrader.NinjaScript.Strategies
{
    public partial class RLTraderStrategy
    {
        // Throws BundleException with what is wrong and what to do.
        private void Refuse()
        {
            if (BarsPeriod.BarsPeriodType != BarsPeriodType.Minute || BarsPeriod.Value != 1)
                throw new BundleException("the policy was trained on one-minute bars; use a one-minute series");
            if (BarsPeriod.MarketDataType != MarketDataType.Last)
                throw new BundleException("the policy was trained on traded prices; use a series based on Last");
            if (Calculate != Calculate.OnBarClose || StopTargetHandling != StopTargetHandling.ByStrategyPosition)
                throw new BundleException("a setting was changed after Configure; reload the strategy");
            if (MinutesBeforeEnd < 1 || DailyLossLimit < 0 || FloorStart < 0)
                throw new BundleException("a limit is below its least value; correct the settings");
            if (!IsInStrategyAnalyzer && !Shadow) RefuseAccount();
        }

        private void RefuseAccount()
        {
            string[] names = AllowedAccounts.Split(',');
            bool listed = false;
            foreach (string name in names) listed |= Account != null && name.Trim() == Account.Name;
            if (AllowedAccounts.Trim().Length > 0 && !listed)
                throw new BundleException(
                    "this account is not among \"Allowed accounts\"; choose one that is, or add it");
            if (Simulated) return;
            if (!AllowLiveAccounts)
                throw new BundleException("this account is not a simulation, and live accounts are not allowed; "
                    + "nothing is traded until \"Allow live accounts\" says so");
            if (!listed)
                throw new BundleException("a live account has to be named in \"Allowed accounts\"; add its exact name");
        }

        private void RefuseContract(Manifest manifest)
        {
            string symbol = Instrument.MasterInstrument.Name;
            if (symbol != manifest.Symbol || Math.Abs(TickSize - manifest.TickSize) > 1e-12)
                throw new BundleException("the policy trades " + manifest.Symbol + " and this chart is " + symbol
                    + "; use the policy's own contract");
            if (Math.Abs(Instrument.MasterInstrument.PointValue * TickSize - manifest.TickValue) > 1e-9)
                throw new BundleException("a tick of this contract is worth something else than the policy's; "
                    + "check the instrument's point value");
        }

        // The policy's own bars, from its session's first to its last, must lie within one session of the chart: a
        // template that ends at 16:00 has other features, and no bar at which the rules' day ends.
        private void RefuseHours(Manifest manifest)
        {
            TradingHours hours = Bars.TradingHours;
            DateTime today = NewYork.Local(DateTime.SpecifyKind(ToUtc(Now), DateTimeKind.Utc)).Date;
            int opens = manifest.Session == SessionKind.All ? -360 : 570; // minutes of New York's day
            for (int n = 0; n < 7; n++)
            {
                DateTime day = today.AddDays(n);
                if (day.DayOfWeek == DayOfWeek.Saturday || day.DayOfWeek == DayOfWeek.Sunday) continue;
                if (Holds(hours, NewYork.Utc(day.AddMinutes(opens)), NewYork.Utc(day.AddMinutes(1020)))) continue;
                throw new BundleException("the chart's trading hours \"" + hours.Name + "\" do not hold "
                    + (opens < 0 ? "18:00 of the day before" : "09:30") + " to 17:00 New York of a " + day.DayOfWeek
                    + " in one session; choose hours that do, such as \"CME US Index Futures ETH\"");
            }
        }

        // Whether one session of a template holds a span of time; its sessions say days of the week and hhmm.
        private static bool Holds(TradingHours hours, DateTime fromUtc, DateTime toUtc)
        {
            const int Week = 7 * 1440;
            DateTime local = TimeZoneInfo.ConvertTimeFromUtc(fromUtc, hours.TimeZoneInfo);
            int from = MinuteOfWeek(local.DayOfWeek, local.Hour * 100 + local.Minute);
            int minutes = (int)(toUtc - fromUtc).TotalMinutes;
            foreach (Session session in hours.Sessions)
            {
                int begin = MinuteOfWeek(session.BeginDay, session.BeginTime);
                int length = (MinuteOfWeek(session.EndDay, session.EndTime) - begin + Week) % Week;
                if ((from - begin + Week) % Week + minutes <= (length == 0 ? Week : length)) return true;
            }
            return false;
        }

        private static int MinuteOfWeek(DayOfWeek day, int time)
        {
            return (int)day * 1440 + time / 100 * 60 + time % 100;
        }

        private void WarnOfChart(Manifest manifest)
        {
            if (!manifest.Proved)
                Warn("this policy was trained without proof of parity (" + manifest.Certificate + ")");
            if (Bars.TradingHours.PartialHolidays.Count == 0)
                Warn("the chart's trading hours \"" + Bars.TradingHours.Name + "\" know no half days, so the early end "
                    + "of one is not seen; choose hours that know the exchange's holidays");
            MergePolicy merged = Instrument.MasterInstrument.MergePolicy;
            if (merged == MergePolicy.MergeBackAdjusted)
                Warn("the chart's history is back-adjusted, so prices before the last rollover are not those that were "
                    + "traded; set the instrument's merge policy to MergeNonBackAdjusted");
            else if (merged == MergePolicy.UseGlobalSettings || merged == MergePolicy.UseDefault)
                Log(Notices.Line("the merge policy is the platform's own; see that Tools, Options, Market data does "
                    + "not say back-adjusted, since such prices are not those that were traded"), LogLevel.Information);
        }

        private void Warn(string text) { Log(Notices.Line(text), LogLevel.Warning); }
    }
}
