// One thing at a time. A platform calls back from several threads, and some of its callbacks come in the middle of an
// order call; each is put in line and worked on when the one before is done, by whichever thread is at it. No lock is
// held meanwhile, so an order call can't wait for a thread that waits for it.
using System;
using System.Collections.Generic;

namespace RLTrader
{
    /// <summary>Works on what it is given in the order of arrival, never on two things at once.</summary>
    public sealed class Inbox
    {
        private readonly Queue<Action> waiting = new Queue<Action>();
        private readonly Action<Exception> failed;
        private bool busy;

        /// <param name="failed">Hears of an exception; nothing leaves <see cref="Do"/>.</param>
        public Inbox(Action<Exception> failed) { this.failed = failed; }

        public void Do(Action work)
        {
            lock (waiting)
            {
                waiting.Enqueue(work);
                if (busy) return;
                busy = true;
            }
            Action next;
            while ((next = Next()) != null)
            {
                try { next(); }
                catch (Exception error)
                {
                    // Whatever went wrong, a position must not be left alone for it.
                    Hear(error);
                }
            }
        }

        private void Hear(Exception error)
        {
            try { failed(error); }
            catch (Exception) { } // else nothing that waits, or comes later, would ever be worked on
        }

        private Action Next()
        {
            lock (waiting)
            {
                if (waiting.Count > 0) return waiting.Dequeue();
                busy = false;
                return null;
            }
        }
    }
}
