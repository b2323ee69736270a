// The simulated platform as a program, without NinjaTrader:
//   mono host.exe interleavings COUNT [FIRST_SEED]   random interleavings of events, exit code 1 if one breaks a rule
using System;
using System.Globalization;

namespace RLTrader.Host
{
    public static class Program
    {
        public static int Main(string[] args)
        {
            int count;
            ulong seed = 1;
            bool known = args.Length >= 2 && args[0] == "interleavings"
                && int.TryParse(args[1], NumberStyles.None, CultureInfo.InvariantCulture, out count) && count > 0;
            if (known && args.Length > 2) known = ulong.TryParse(args[2], NumberStyles.None, CultureInfo.InvariantCulture, out seed);
            if (known) return Interleavings.Run(int.Parse(args[1], CultureInfo.InvariantCulture), seed, Console.Out);
            Console.Error.WriteLine("usage: host interleavings COUNT [FIRST_SEED]");
            return 2;
        }
    }
}
