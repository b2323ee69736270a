// Fuses decisions from a file: settings as JSON, decisions in binary, probabilities and actions back in binary.
using System;
using System.IO;
using System.Text;

namespace RLTrader
{
    public static class FusionCheck
    {
        /// <summary>Settings file, decisions and output; see parity/fusion/sides.py for the layout.</summary>
        public static int Run(string settingsFile, string input, string output)
        {
            FusionSettings settings = FusionSettings.Of(Json.Parse(File.ReadAllText(settingsFile, Encoding.UTF8)));
            using (BinaryReader reader = new BinaryReader(new BufferedStream(File.OpenRead(input), 1 << 16)))
            using (BinaryWriter writer = new BinaryWriter(new BufferedStream(File.Create(output), 1 << 16)))
            {
                int rows = reader.ReadInt32(), actions = reader.ReadInt32();
                double[] logits = new double[actions], chances = new double[actions];
                bool[] mask = new bool[actions];
                Situation given = new Situation { Advice = new float[3] };
                for (int row = 0; row < rows; row++)
                {
                    for (int a = 0; a < actions; a++) logits[a] = reader.ReadSingle();
                    for (int a = 0; a < actions; a++) mask[a] = reader.ReadByte() != 0;
                    for (int a = 0; a < 3; a++) given.Advice[a] = reader.ReadSingle();
                    given.Confidence = reader.ReadSingle();
                    given.Fresh = reader.ReadSingle();
                    given.Losses = reader.ReadInt32();
                    given.Left = reader.ReadSingle();
                    int action = Fusion.Fuse(logits, mask, given, settings, chances);
                    for (int a = 0; a < actions; a++) writer.Write(chances[a]);
                    writer.Write((double)action);
                }
            }
            return 0;
        }
    }
}
