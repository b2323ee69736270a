// Asks the advice service on this machine in the background: a strategy hands over a question and goes on.
using System;
using System.IO;
using System.Net;
using System.Text;
using System.Threading;

namespace RLTrader
{
    /// <summary>An answer of the service.</summary>
    public sealed class LiveAdvice
    {
        /// <summary>Open of the bar that was asked about, in whole minutes since 1970.</summary>
        public long Minute;
        public float[] Chances;
        public float Confidence;
    }

    /// <summary>One question at a time, in a thread of the pool; no method waits.</summary>
    public sealed class AdviceClient : IDisposable
    {
        private const int MostBytes = 64 * 1024;
        private readonly string address;
        private readonly int deadline;
        private volatile LiveAdvice newest;
        private volatile HttpWebRequest underWay;
        private volatile bool disposed;
        private int busy;

        /// <param name="address">Of the service, on this machine only.</param>
        /// <param name="deadline">Milliseconds after which an answer is no longer waited for.</param>
        public AdviceClient(string address, int deadline)
        {
            Uri uri;
            if (!Uri.TryCreate(address, UriKind.Absolute, out uri) || uri.Scheme != "http" || !uri.IsLoopback)
                throw new BundleException("the advice service " + address
                    + " is not on this machine; give an address such as " + AdvisedPolicy.DefaultAddress);
            this.address = address;
            this.deadline = deadline;
        }

        /// <summary>The last answer that came, or null.</summary>
        public LiveAdvice Newest { get { return newest; } }

        /// <summary>Whether a question is under way.</summary>
        public bool Busy { get { return Thread.VolatileRead(ref busy) != 0; } }

        /// <summary>Questions that were asked, and those that got no usable answer in time.</summary>
        public int Asked, Failed;

        /// <summary>Give up the question under way, and ask no more.</summary>
        public void Dispose()
        {
            disposed = true;
            HttpWebRequest request = underWay;
            if (request != null) request.Abort();
        }

        /// <summary>Ask in the background; false where a question is under way, and after Dispose.</summary>
        public bool Ask(long minute, string question)
        {
            if (disposed || Interlocked.CompareExchange(ref busy, 1, 0) != 0) return false;
            Interlocked.Increment(ref Asked);
            ThreadPool.QueueUserWorkItem(unused =>
            {
                try { newest = Send(minute, question); }
                catch (Exception) { Interlocked.Increment(ref Failed); }  // no advice; the bare policy decides
                finally { Thread.VolatileWrite(ref busy, 0); }
            });
            return true;
        }

        private LiveAdvice Send(long minute, string question)
        {
            DateTime until = DateTime.UtcNow.AddMilliseconds(deadline);
            HttpWebRequest request = (HttpWebRequest)WebRequest.Create(address);
            request.Method = "POST";
            request.ContentType = "application/json";
            request.Timeout = deadline;
            request.ReadWriteTimeout = deadline;
            request.AllowAutoRedirect = false;
            request.Proxy = null;
            request.ServicePoint.Expect100Continue = false;
            byte[] body = Encoding.UTF8.GetBytes(question);
            request.ContentLength = body.Length;
            underWay = request;
            if (disposed) throw new ObjectDisposedException("AdviceClient");
            // Reading in pieces could go on beyond the deadline; the timer ends it.
            using (new Timer(unused => request.Abort(), null, deadline, Timeout.Infinite))
            {
                using (Stream stream = request.GetRequestStream()) stream.Write(body, 0, body.Length);
                using (HttpWebResponse response = (HttpWebResponse)request.GetResponse())
                using (Stream stream = response.GetResponseStream())
                {
                    if (response.StatusCode != HttpStatusCode.OK) throw new IOException("status");
                    byte[] read = new byte[MostBytes];
                    int count = 0, more;
                    while ((more = stream.Read(read, count, MostBytes - count)) > 0) count += more;
                    if (count == MostBytes) throw new IOException("too large");
                    if (DateTime.UtcNow > until) throw new IOException("late");
                    return Read(minute, Encoding.UTF8.GetString(read, 0, count));
                }
            }
        }

        private static LiveAdvice Read(long minute, string text)
        {
            object values = Json.Parse(text);
            LiveAdvice made = new LiveAdvice { Minute = minute, Confidence = Chance(values, "confidence") };
            made.Chances = new[] { Chance(values, "hold"), Chance(values, "buy"), Chance(values, "sell") };
            if (Math.Abs(made.Chances[0] + made.Chances[1] + made.Chances[2] - 1) > 1e-3)
                throw new BundleException("chances do not sum to one");
            return made;
        }

        private static float Chance(object values, string name)
        {
            double number = Json.Number(values, name);
            if (!(number >= 0 && number <= 1)) throw new BundleException(name + " is no chance");
            return (float)number;
        }
    }
}
