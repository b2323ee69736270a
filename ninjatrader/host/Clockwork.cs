// Simulated time: what is to happen, by the millisecond, and chance that comes out the same for the same seed.
using System;
using System.Collections.Generic;

namespace RLTrader.Host
{
    /// <summary>Numbers by chance. Streams of other labels don't disturb each other, so a scenario may be
    /// shortened.</summary>
    public sealed class Chance
    {
        private ulong state;

        public Chance(ulong seed, int label)
        {
            state = seed * 0x9E3779B97F4A7C15UL + (ulong)(label + 1) * 0xD1B54A32D192ED03UL;
        }

        /// <summary>A whole number from 0 to below a limit.</summary>
        public int Below(int limit)
        {
            state += 0x9E3779B97F4A7C15UL;
            ulong z = state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
            return (int)((z ^ (z >> 31)) % (ulong)limit);
        }

        public bool OneIn(int times) { return Below(times) == 0; }

        public int Between(int least, int most) { return least + Below(most - least + 1); }
    }

    /// <summary>Things to do, in the order of their time, then of their being planned.</summary>
    public sealed class Clockwork
    {
        private struct Plan
        {
            public long At, Number;
            public Action Work;
        }

        private readonly List<Plan> heap = new List<Plan>();
        private long planned;

        /// <summary>Milliseconds since the scenario's first moment.</summary>
        public long Now { get; private set; }

        public int Count { get { return heap.Count; } }

        /// <summary>Plan something for so many milliseconds from now.</summary>
        public void After(long milliseconds, Action work) { At(Now + Math.Max(0, milliseconds), work); }

        public void At(long time, Action work)
        {
            Plan plan = new Plan { At = Math.Max(time, Now), Number = planned++, Work = work };
            heap.Add(plan);
            int child = heap.Count - 1;
            while (child > 0 && Earlier(plan, heap[(child - 1) / 2]))
            {
                heap[child] = heap[(child - 1) / 2];
                child = (child - 1) / 2;
            }
            heap[child] = plan;
        }

        /// <summary>Do the next thing; false where there is none before a time.</summary>
        public bool Step(long before)
        {
            if (heap.Count == 0 || heap[0].At >= before) return false;
            Plan next = heap[0], last = heap[heap.Count - 1];
            heap.RemoveAt(heap.Count - 1);
            if (heap.Count > 0) Sink(last);
            Now = next.At;
            next.Work();
            return true;
        }

        private void Sink(Plan plan)
        {
            int at = 0;
            for (;;)
            {
                int child = 2 * at + 1;
                if (child >= heap.Count) break;
                if (child + 1 < heap.Count && Earlier(heap[child + 1], heap[child])) child++;
                if (!Earlier(heap[child], plan)) break;
                heap[at] = heap[child];
                at = child;
            }
            heap[at] = plan;
        }

        private static bool Earlier(Plan a, Plan b) { return a.At < b.At || (a.At == b.At && a.Number < b.Number); }
    }
}
