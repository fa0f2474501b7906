// Drives the reader by lines of standard input, as drive.mjs does.
using System;
using System.Globalization;
using System.Linq;
using Mlopskit;

static class Drive
{
    static AliasReader reader;
    static string seen;
    static Found last;

    static void Main()
    {
        for (string line; (line = Console.ReadLine()) != null; Console.Out.Flush())
        {
            string[] parts = line.Split(' ').Select(Uri.UnescapeDataString).ToArray();
            try
            {
                Console.WriteLine(Do(parts));
            }
            catch (ReadException error)
            {
                Console.WriteLine(error.Kind);
            }
            catch (Exception error)
            {
                Console.WriteLine("broken: " + error.ToString().Replace("\n", " "));
            }
        }
    }

    static string Do(string[] parts)
    {
        if (parts[0] == "open")
        {
            var patience = TimeSpan.FromSeconds(double.Parse(parts[3], CultureInfo.InvariantCulture));
            reader = new AliasReader(parts[1], parts[2], seen) { Patience = patience };
            return "opened";
        }
        if (parts[0] == "forget")
        {
            seen = null;
            return "forgotten";
        }
        Found before = last;
        try
        {
            last = reader.Read();
        }
        finally
        {
            seen = reader.Seen;
        }
        return last.Seq + " " + (last.Digest ?? "null") + " " + last.Files.Count + (last == before ? " same" : " new");
    }
}
