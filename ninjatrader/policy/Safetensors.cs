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
            ulong length = bytes.Length < 8 ? ulong.MaxValue : BitConverter.ToUInt64(bytes, 0);
            if (!BitConverter.IsLittleEndian || length > (ulong)(bytes.Length - 8))
                throw new BundleException(path + ": not a .safetensors file; copy it again");
            int start = 8 + (int)length;
            object header = Json.Parse(Encoding.UTF8.GetString(bytes, 8, (int)length));
            Dictionary<string, Tensor> found = new Dictionary<string, Tensor>();
            foreach (KeyValuePair<string, object> entry in (Dictionary<string, object>)header)
            {
                if (entry.Key == "__metadata__") continue;
                string kind = Json.Text(entry.Value, "dtype");
                if (kind != "F32" && kind != "F64")
                    throw new BundleException(path + ": " + entry.Key + " is " + kind
                        + "; only F32 and F64 are known, so export the policy anew");
                double[] place = Json.Numbers(entry.Value, "data_offsets");
                int[] shape = System.Array.ConvertAll(Json.Numbers(entry.Value, "shape"), x => (int)x);
                int size = kind == "F32" ? 4 : 8, count = 1;
                foreach (int side in shape) count *= side;
                if (place[1] - place[0] != (double)count * size || place[0] < 0 || start + place[1] > bytes.Length)
                    throw new BundleException(path + ": " + entry.Key + " does not fit its place; copy the file again");
                double[] values = new double[count];
                int from = start + (int)place[0];
                for (int i = 0; i < count; i++)
                    values[i] = size == 4 ? BitConverter.ToSingle(bytes, from + 4 * i)
                        : BitConverter.ToDouble(bytes, from + 8 * i);
                found[entry.Key] = new Tensor(shape, values);
            }
            return found;
        }
    }
}
