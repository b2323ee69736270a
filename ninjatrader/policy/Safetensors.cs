// Reads .safetensors: eight bytes of length, a JSON header, then plain little-endian numbers.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace RLTrader
{
    /// <summary>One array of a file, as doubles, row by row.</summary>
    public sealed class Tensor
    {
        public readonly int[] Shape;
        public readonly double[] Values;

        public Tensor(int[] shape, double[] values) { Shape = shape; Values = values; }
    }

    /// <summary>All arrays of a file by name. 32-bit and 64-bit floats are read; anything else is refused.</summary>
    public static class Safetensors
    {
        public static Dictionary<string, Tensor> Read(string path)
        {
            byte[] bytes = File.ReadAllBytes(path);
            bool sound = BitConverter.IsLittleEndian && bytes.Length >= 8
                && BitConverter.ToUInt64(bytes, 0) <= (ulong)(bytes.Length - 8);
            int length = sound ? (int)BitConverter.ToUInt64(bytes, 0) : 0, start = 8 + length;
            Dictionary<string, object> header =
                sound ? Json.Parse(Encoding.UTF8.GetString(bytes, 8, length)) as Dictionary<string, object> : null;
            if (header == null) throw new BundleException(path + ": not a .safetensors file; copy it again");
            Dictionary<string, Tensor> found = new Dictionary<string, Tensor>();
            foreach (KeyValuePair<string, object> entry in header)
            {
                if (entry.Key == "__metadata__") continue;
                string kind = Json.Text(entry.Value, "dtype");
                if (kind != "F32" && kind != "F64")
                    throw new BundleException(path + ": " + entry.Key + " is " + kind
                        + "; only F32 and F64 are known, so export the policy anew");
                double[] place = Json.Numbers(entry.Value, "data_offsets");
                double[] sides = Json.Numbers(entry.Value, "shape");
                int size = kind == "F32" ? 4 : 8;
                double numbers = 1; // as a double, which does not wrap round
                foreach (double side in sides) numbers *= side;
                bool fits = place.Length == 2 && place[0] >= 0 && place[0] == Math.Floor(place[0])
                    && place[1] - place[0] == numbers * size && start + place[1] <= bytes.Length
                    && System.Array.TrueForAll(sides, x => x >= 0 && x <= int.MaxValue && x == Math.Floor(x));
                if (!fits)
                    throw new BundleException(path + ": " + entry.Key + " does not fit its place; copy the file again");
                int[] shape = System.Array.ConvertAll(sides, x => (int)x);
                double[] values = new double[(int)numbers];
                int from = start + (int)place[0];
                for (int i = 0; i < values.Length; i++)
                    values[i] = size == 4 ? BitConverter.ToSingle(bytes, from + 4 * i)
                        : BitConverter.ToDouble(bytes, from + 8 * i);
                found[entry.Key] = new Tensor(shape, values);
            }
            return found;
        }
    }
}
