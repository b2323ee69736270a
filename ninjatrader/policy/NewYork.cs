// New York's wall clock from UTC, 1990 to 2059, by the law's own rules: no time zone database is asked,
// so every machine agrees.
using System;

namespace RLTrader
{
    /// <summary>New York wall time.</summary>
    public static class NewYork
    {
        /// <summary>Return a UTC time as minutes since midnight in New York, 0 to 1439.</summary>
        public static int Minute(DateTime utc)
        {
            DateTime local = Local(utc);
            return local.Hour * 60 + local.Minute;
        }

        /// <summary>Return a UTC time as New York wall time.</summary>
        public static DateTime Local(DateTime utc)
        {
            int year = utc.AddHours(-5).Year;
            DateTime begins, ends;  // clocks change at two in the morning, wall time
            if (year >= 2007)
            {
                begins = Sunday(year, 3, 2);
                ends = Sunday(year, 11, 1);
            }
            else
            {
                begins = Sunday(year, 4, 1);
                ends = LastSunday(year, 10);
            }
            bool summer = utc >= begins.AddHours(2 + 5) && utc < ends.AddHours(2 + 4);
            return utc.AddHours(summer ? -4 : -5);
        }

        /// <summary>Return New York wall time as UTC; the hour that comes twice is summer's.</summary>
        public static DateTime Utc(DateTime local)
        {
            DateTime summer = local.AddHours(4);
            return Local(summer) == local ? summer : local.AddHours(5);
        }

        private static DateTime Sunday(int year, int month, int number)
        {
            DateTime first = new DateTime(year, month, 1);
            return first.AddDays((7 - (int)first.DayOfWeek) % 7 + 7 * (number - 1));
        }

        private static DateTime LastSunday(int year, int month)
        {
            DateTime last = new DateTime(year, month, DateTime.DaysInMonth(year, month));
            return last.AddDays(-(int)last.DayOfWeek);
        }
    }
}
