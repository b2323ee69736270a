// A computer's clock may be set back, by hand or by the time service; a wait measured on it would then last for as long
// again. All that waits for something goes by this clock; ends of sessions and of days go by the computer's.
using System;

namespace RLTrader
{
    /// <summary>A clock that never goes back: where the computer's was set back it goes on from what it
    /// showed.</summary>
    public sealed class SteadyClock
    {
        private DateTime? last;
        private DateTime steady;

        /// <summary>Return the time for waits, which is the computer's until that is set back for the first
        /// time.</summary>
        /// <param name="utc">What the computer's clock shows; readings come in the order in which they were
        /// made.</param>
        public DateTime At(DateTime utc)
        {
            if (last == null) steady = utc;
            else if (utc > last.Value) steady += utc - last.Value;
            last = utc;
            return steady;
        }
    }
}
