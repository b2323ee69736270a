// The policy: normalise, clip, network, mask, argmax. Sums are 64-bit; weights are the file's 32-bit floats.
using System;
using System.Collections.Generic;
using System.IO;

namespace RLTrader
{
    /// <summary>A trained policy of a bundle. One instance is for one thread.</summary>
    public sealed class PolicyRunner : IPolicy
    {
        private sealed class Layer
        {
            public string Name;
            public int In, Out;
            public double[] Weights;  // (Out, In): a row is what one unit reads
            public double[] Bias;
        }

        // Mono and .NET Framework read one decimal in some thousands a unit in the last place off.
        private const double Reading = 1e-15;

        public Manifest Manifest { get; private set; }

        /// <summary>(obs - mean) / sqrt(var + epsilon) of the last decision, or the raw observation where the
        /// policy normalises nothing.</summary>
        public readonly double[] Standardised;

        /// <summary>The same, within plus and minus clip: what the networks see.</summary>
        public readonly double[] Clipped;

        private readonly double[] mean, spread;
        private readonly Layer[] policy, value;
        private readonly Dictionary<string, double[]> outputs = new Dictionary<string, double[]>();
        private readonly double[] scratch;
        private readonly double[] masked;

        /// <summary>Read a bundle's folder; throws BundleException where anything in it is not understood.</summary>
        public PolicyRunner(string folder)
        {
            Manifest = Manifest.Load(folder);
            string path = Path.Combine(folder, "policy.safetensors");
            Dictionary<string, Tensor> tensors = Safetensors.Read(path);
            if (Manifest.Normalised)
            {
                mean = Statistic(tensors, "statistics.mean", Manifest.Mean, path);
                double[] var = Statistic(tensors, "statistics.var", Manifest.Var, path);
                spread = new double[var.Length];
                for (int i = 0; i < var.Length; i++) spread[i] = Math.Sqrt(var[i] + Manifest.Epsilon);
            }
            else if (tensors.ContainsKey("statistics.mean"))
                throw new BundleException(path + ": holds statistics, and the manifest says that observations"
                    + " are not normalised; export the policy anew");
            policy = ReadMlp(tensors, Manifest.Policy, path);
            value = ReadMlp(tensors, Manifest.Value, path);
            int widest = Manifest.Size;
            foreach (Layer[] mlp in new[] { policy, value })
                foreach (Layer layer in mlp)
                {
                    outputs[layer.Name] = new double[layer.Out];
                    widest = Math.Max(widest, layer.Out);
                }
            Standardised = new double[Manifest.Size];
            Clipped = new double[Manifest.Size];
            scratch = new double[widest];
            masked = new double[Manifest.Actions];
        }

        /// <summary>Logits of the last decision, one an action.</summary>
        public double[] Logits { get { return Output(Manifest.Policy[Manifest.Policy.Length - 1].Name); } }

        /// <summary>A layer's output in the last decision, before its activation.</summary>
        public double[] Output(string layer) { return outputs[layer]; }

        /// <summary>Return the likeliest allowed action of a raw observation, the first of equals.</summary>
        public int Decide(float[] observation, bool[] mask)
        {
            if (observation.Length != Manifest.Size || mask.Length != Manifest.Actions)
                throw new ArgumentException("an observation has " + Manifest.Size + " numbers and a mask "
                    + Manifest.Actions);
            Normalise(observation);
            Run(policy);
            return Choose(Logits, mask);
        }

        /// <summary>Return the value of the observation of the last decision.</summary>
        public double Value()
        {
            Run(value);
            return Output(Manifest.Value[Manifest.Value.Length - 1].Name)[0];
        }

        private void Normalise(float[] observation)
        {
            for (int i = 0; i < observation.Length; i++)
            {
                double x = observation[i];
                if (double.IsNaN(x) || double.IsInfinity(x))
                    throw new ArgumentException("number " + i + " of the observation is not finite");
                Standardised[i] = Manifest.Normalised ? (x - mean[i]) / spread[i] : x;
                Clipped[i] = Manifest.Normalised
                    ? Math.Max(-Manifest.Clip, Math.Min(Manifest.Clip, Standardised[i])) : x;
            }
        }

        private void Run(Layer[] mlp)
        {
            double[] seen = Clipped;
            for (int number = 0; number < mlp.Length; number++)
            {
                Layer layer = mlp[number];
                double[] made = outputs[layer.Name];
                double[] weights = layer.Weights;
                for (int unit = 0; unit < layer.Out; unit++)
                {
                    double sum = 0;
                    int row = unit * layer.In;
                    for (int i = 0; i < layer.In; i++) sum += weights[row + i] * seen[i];
                    made[unit] = sum + layer.Bias[unit];
                }
                if (number == mlp.Length - 1) return;
                for (int unit = 0; unit < layer.Out; unit++)
                    scratch[unit] = Manifest.Activation == Activation.Relu ? Math.Max(0.0, made[unit])
                        : Math.Tanh(made[unit]);
                seen = scratch;
            }
        }

        private int Choose(double[] logits, bool[] mask)
        {
            // MaskablePPO's order: normalise, put the forbidden far down, normalise again, compare chances.
            double total = LogSumExp(logits);
            bool any = false;
            for (int a = 0; a < logits.Length; a++)
            {
                any |= mask[a];
                masked[a] = mask[a] ? logits[a] - total : Manifest.ForbiddenLogit;
            }
            if (!any) throw new ArgumentException("the mask forbids every action");
            double again = LogSumExp(masked);
            int best = 0;
            for (int a = 1; a < masked.Length; a++)
                if (Math.Exp(masked[a] - again) > Math.Exp(masked[best] - again)) best = a;
            return best;
        }

        /// <summary>The logarithm of the sum of exponentials, without overflow.</summary>
        public static double LogSumExp(double[] x)
        {
            double most = x[0], sum = 0;
            foreach (double number in x) most = Math.Max(most, number);
            foreach (double number in x) sum += Math.Exp(number - most);
            return most + Math.Log(sum);
        }

        private static double[] Statistic(Dictionary<string, Tensor> tensors, string name, double[] said, string path)
        {
            double[] found = Take(tensors, name, path).Values;
            bool same = found.Length == said.Length;
            for (int i = 0; same && i < found.Length; i++)
                same = Math.Abs(found[i] - said[i]) <= Reading * Math.Abs(found[i]);
            if (!same)
                throw new BundleException(path + ": " + name
                    + " is not what the manifest says; export the policy anew");
            return found;
        }

        private static Layer[] ReadMlp(Dictionary<string, Tensor> tensors, LayerShape[] shapes, string path)
        {
            Layer[] layers = new Layer[shapes.Length];
            for (int n = 0; n < shapes.Length; n++)
            {
                LayerShape shape = shapes[n];
                Tensor kernel = Take(tensors, shape.Name + ".kernel", path),
                    bias = Take(tensors, shape.Name + ".bias", path);
                if (kernel.Shape.Length != 2 || kernel.Shape[0] != shape.In || kernel.Shape[1] != shape.Out
                    || bias.Values.Length != shape.Out)
                    throw new BundleException(path + ": layer " + shape.Name
                        + " has another shape than the manifest says; export the policy anew");
                Layer layer = new Layer { Name = shape.Name, In = shape.In, Out = shape.Out, Bias = bias.Values };
                layer.Weights = new double[shape.In * shape.Out];
                for (int i = 0; i < shape.In; i++)
                    for (int unit = 0; unit < shape.Out; unit++)
                        layer.Weights[unit * shape.In + i] = kernel.Values[i * shape.Out + unit];
                layers[n] = layer;
            }
            return layers;
        }

        private static Tensor Take(Dictionary<string, Tensor> tensors, string name, string path)
        {
            Tensor found;
            if (!tensors.TryGetValue(name, out found))
                throw new BundleException(path + ": no " + name + "; export the policy anew");
            return found;
        }
    }
}
