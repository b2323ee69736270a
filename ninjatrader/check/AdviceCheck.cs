// Decides on every bar of a file with a bundle that carries fusion settings and a service that may answer or not.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Threading;

namespace RLTrader
{
    public static class AdviceCheck
    {
        // Milliseconds for a question that was given up to end.
        private const int MostWait = 5000;

        // Milliseconds for the threads of the pool to come to rest. Mono waits for ever, once in fifty times, where a
        // program ends just as a question is given up: a thread of its pool is then no background thread for a moment.
        private const int Rest = 300;

        /// <summary>Bundle, bars, milliseconds between decisions and output: of each decision the logits, the mask,
        /// the advice, confidence, freshness, bare action, action and the milliseconds that it took.</summary>
        public static int Run(string folder, string input, int pause, string output)
        {
            Agent agent = new Agent(folder);
            AdvisedPolicy policy = agent.Policy as AdvisedPolicy;
            if (policy == null) throw new BundleException(folder + ": its manifest holds no fusion settings");
            Stopwatch watch = new Stopwatch();
            using (BinaryWriter writer = new BinaryWriter(File.Create(output)))
                foreach (Bar bar in BarFile.Read(input))
                {
                    if (!agent.OnBar(bar.Open, bar.High, bar.Low, bar.Close, bar.Volume) || !agent.Ready) continue;
                    watch.Restart();
                    int action = agent.Decide();
                    watch.Stop();
                    foreach (double x in policy.Logits) writer.Write(x);
                    foreach (bool x in agent.Mask) writer.Write(x ? 1.0 : 0.0);
                    foreach (float x in policy.Given.Advice) writer.Write((double)x);
                    writer.Write((double)policy.Given.Confidence);
                    writer.Write((double)policy.Given.Fresh);
                    writer.Write((double)policy.Bare);
                    writer.Write((double)action);
                    writer.Write(watch.Elapsed.TotalMilliseconds);
                    Thread.Sleep(pause);
                }
            Console.WriteLine(policy.Client.Asked + " " + policy.Client.Failed);
            // A runtime that ends while one of its threads waits for an answer may abort.
            policy.Dispose();
            for (int waited = 0; policy.Client.Busy && waited < MostWait; waited += 10) Thread.Sleep(10);
            Thread.Sleep(Rest);
            if (!policy.Client.Busy) return 0;
            Console.Error.WriteLine("the question under way could not be given up");
            return 1;
        }
    }
}
