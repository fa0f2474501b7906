// Follows an alias of a model's folder on a share or at a web address, and reads the package that it names, with every
// byte checked.
//
//     var reader = new AliasReader(@"\\server\models\sentiment", "production");
//     Found model = reader.Read();              // model.Seq, model.Digest, model.Files["model.json"]
//     // later, as often as you like:
//     try { model = reader.Read(); } catch (ReadException error) { Console.Error.WriteLine(error); }
//
// What is refused is thrown, and what was read before stays as it is. One file, the base library alone (System.Net.Http
// for addresses; C# 6, .NET Framework 4.6, .NET or Mono): copy it. docs/reference/reading.md of mlopskit says exactly
// what a reader does. MIT licence.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;

namespace Mlopskit
{
    /// <summary>Kind is one of the words of the page above: malformed, limit, version, no-record, broken-chain,
    /// went-back, integrity, unsafe-path, unsafe-name, away. After away try again later; all else somebody must
    /// mend.</summary>
    public sealed class ReadException : Exception
    {
        public string Kind { get; }

        public ReadException(string kind, string message, Exception cause = null) : base(message, cause)
        {
            Kind = kind;
        }
    }

    /// <summary>What is live: Digest is null, and there are no files, if nothing is. Manifest is JSON.</summary>
    public sealed class Found
    {
        public long Seq { get; internal set; }
        public string Digest { get; internal set; }
        public string Manifest { get; internal set; }
        public IReadOnlyDictionary<string, byte[]> Files { get; internal set; }
    }

    /// <summary>A reader of one alias; it may be used by several threads.</summary>
    public sealed class AliasReader
    {
        const int MaxRecord = 65536, MaxManifest = 4 << 20, MaxFiles = 10000;
        const double Slowest = 16384; // bytes a second
        static readonly Regex Digests = new Regex(@"\Asha256:[0-9a-f]{64}\z");
        static readonly Regex Address = new Regex(
            @"\Ahttps?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?((/[A-Za-z0-9_~$][A-Za-z0-9._~$-]*)+)/?\z");
        static readonly string[] Texts = { "operation", "who", "why", "when" };

        readonly object one = new object();
        readonly string place, name, alias;
        readonly HttpClient client;
        readonly bool web;
        Found found;
        string refusedDigest;
        ReadException refusal;
        DateTime refusedUntil;
        TimeSpan pause;

        /// <summary>What was seen last, as text. Keep it, and give it to the next reader: then an older state is
        /// refused across restarts, too.</summary>
        public string Seen { get; private set; }

        /// <summary>Added to each request, such as a token; the address itself has no query.</summary>
        public string Query { get; set; } = "";

        /// <summary>The largest package that is read.</summary>
        public long MaxBytes { get; set; } = 1 << 30;

        /// <summary>How long an answer may take; a file of a package longer, by its size.</summary>
        public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(60);

        /// <param name="place">The model's folder: a path, or an http(s) address.</param>
        /// <param name="alias">The name of the alias.</param>
        /// <param name="seen">What Seen was in an earlier run.</param>
        /// <param name="client">A client with headers of your own; it must follow no redirections.</param>
        public AliasReader(string place, string alias, string seen = null, HttpClient client = null)
        {
            web = place.Contains("://");
            if (web && !Address.IsMatch(place))
                throw new ReadException("unsafe-name", "The place is no plain http(s) address.");
            this.place = web ? place.TrimEnd('/') : Path.GetFullPath(place).TrimEnd('/', '\\');
            this.alias = Names.Check(alias);
            name = Names.Check(this.place.Substring(this.place.LastIndexOfAny(new[] { '/', '\\' }) + 1));
            Seen = seen;
            if (web) this.client = client ?? new HttpClient(new HttpClientHandler { AllowAutoRedirect = false });
        }

        /// <summary>Returns what is live now: the same object as before while that does not change.</summary>
        public Found Read()
        {
            lock (one)
            {
                Record newest = Newest();
                if (newest == null)
                    throw new ReadException("no-record", "The alias " + alias + " of " + name + " has no record.");
                Seen = Number(newest.Seq) + " " + newest.Sha256;
                if (found != null && found.Seq == newest.Seq) return found;
                Found next = new Found { Seq = newest.Seq, Digest = newest.Digest };
                Found package = newest.Digest == null ? new Found { Files = new Dictionary<string, byte[]>() }
                    : found != null && found.Digest == newest.Digest ? found
                    : Try(newest.Digest);
                next.Manifest = package.Manifest;
                next.Files = package.Files;
                return found = next;
            }
        }

        // A package that was refused is left alone for a while, which doubles each time.
        Found Try(string digest)
        {
            bool again = refusedDigest == digest;
            if (again && DateTime.UtcNow < refusedUntil)
                throw new ReadException(refusal.Kind, refusal.Message, refusal);
            try
            {
                Found package = Package(digest);
                refusedDigest = null;
                return package;
            }
            catch (ReadException error)
            {
                if (error.Kind == "away") throw;
                pause = TimeSpan.FromSeconds(again ? Math.Min(2 * pause.TotalSeconds, 300) : 10);
                refusedDigest = digest;
                refusal = error;
                refusedUntil = DateTime.UtcNow + pause;
                throw;
            }
        }

        sealed class Record
        {
            public long Seq;
            public string Sha256, Digest, Previous;
        }

        Record Newest()
        {
            Record last = Seen == null ? First() : Again();
            for (Record next; (next = Get((last == null ? 0 : last.Seq) + 1)) != null; last = next)
                CheckLink(last, next);
            return last;
        }

        Record Again()
        {
            long seq;
            string[] seen = Seen.Split(' ');
            if (seen.Length != 2 || !long.TryParse(seen[0], NumberStyles.None, CultureInfo.InvariantCulture, out seq))
                throw new ReadException("malformed", "What was seen is not what Seen said.");
            byte[] data = Get(Key(seq), MaxRecord);
            if (data == null || Sha256(data) != seen[1])
                throw new ReadException("went-back", "Record " + seen[0] + ", which was seen before, is "
                    + (data == null ? "gone." : "another one."));
            return Parse(data, seq);
        }

        // The record that the hint names, if there is one.
        Record First()
        {
            byte[] data = Get("aliases/" + alias + ".json", MaxRecord);
            long seq;
            try
            {
                if (data == null) return null;
                seq = Parse(data, null).Seq;
            }
            catch (ReadException)
            {
                return null;
            }
            Record record = seq > 0 && seq < 1L << 53 ? Get(seq) : null;
            if (record != null) CheckLink(seq > 1 ? Get(seq - 1) : null, record);
            return record;
        }

        Record Get(long seq)
        {
            byte[] data = Get(Key(seq), MaxRecord);
            return data == null ? null : Parse(data, seq);
        }

        string Key(long seq)
        {
            return "aliases/" + alias + "/" + Number(seq) + "/record.json";
        }

        Record Parse(byte[] data, long? seq)
        {
            var fields = Json.Parse(data, MaxRecord) as Dictionary<string, object>;
            if (fields == null) throw Malformed("a record is no object");
            object value;
            if (fields.TryGetValue("format_version", out value) && !1L.Equals(value))
                throw new ReadException("version", "A record is of a later format: it needs a later reader.");
            Need(name.Equals(Field(fields, "name")), "name");
            Need(alias.Equals(Field(fields, "alias")), "alias");
            foreach (string text in Texts) Need(Field(fields, text) is string, text);
            object number = Field(fields, "seq");
            Need(number is long ? seq == null || seq == (long)number : seq == null && number is Json.Long, "seq");
            foreach (string digest in new[] { "digest", "previous" })
            {
                object found = Field(fields, digest);
                Need(found == null || (found is string && Digests.IsMatch((string)found)), digest);
            }
            return new Record
            {
                Seq = number is long ? (long)number : -1,
                Sha256 = Sha256(data),
                Digest = (string)fields["digest"],
                Previous = (string)fields["previous"]
            };
        }

        static object Field(Dictionary<string, object> fields, string field)
        {
            object value;
            Need(fields.TryGetValue(field, out value), field);
            return value;
        }

        static void Need(bool good, string field)
        {
            if (!good) throw Malformed("the field " + field + " of a record");
        }

        static void CheckLink(Record before, Record next)
        {
            if (next.Previous != (before == null ? null : before.Sha256) || (before == null && next.Seq > 1))
                throw new ReadException("broken-chain", "Record " + Number(next.Seq) + " does not follow the one before.");
        }

        Found Package(string digest)
        {
            string folder = "packages/" + digest.Substring(7);
            byte[] data = Get(folder + "/manifest.json", MaxManifest);
            if (data == null) throw Damaged("manifest.json is not there");
            if (data.Length <= MaxManifest && Sha256(data) != digest) throw Damaged("its manifest is another");
            var listed = Listed(Json.Parse(data, MaxManifest) as Dictionary<string, object>);
            if (!web) CheckFolder(folder, listed.Keys);
            var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
            foreach (var pair in listed)
            {
                var entry = (Dictionary<string, object>)pair.Value;
                byte[] bytes = Get(folder + "/" + pair.Key, (long)entry["size"]);
                if (bytes == null) throw Damaged(pair.Key + " is missing");
                if (bytes.Length != (long)entry["size"] || Sha256(bytes) != "sha256:" + entry["sha256"])
                    throw Damaged(pair.Key + " is not the file that is listed");
                files[pair.Key] = bytes;
            }
            return new Found { Manifest = Encoding.UTF8.GetString(data), Files = files };
        }

        Dictionary<string, object> Listed(Dictionary<string, object> manifest)
        {
            object version, model, files;
            if (manifest == null) throw Malformed("the manifest is no object");
            manifest.TryGetValue("format_version", out version);
            if (!(version is long) && !(version is Json.Long)) throw Malformed("the manifest's format_version");
            if (!1L.Equals(version))
                throw new ReadException("version", "The package is of a later format: it needs a later reader.");
            if (!manifest.TryGetValue("name", out model) || !name.Equals(model)) throw Damaged("it is another model's");
            manifest.TryGetValue("files", out files);
            var listed = files as Dictionary<string, object>;
            if (listed == null) throw Malformed("the manifest's files are no object");
            if (listed.Count > MaxFiles) throw new ReadException("limit", "The package has too many files.");
            Names.CheckPaths(listed.Keys);
            decimal total = 0;
            foreach (object value in listed.Values)
            {
                var entry = value as Dictionary<string, object>;
                object size = null, sha256 = null;
                bool right = entry != null && entry.Count == 2
                    && entry.TryGetValue("size", out size) && entry.TryGetValue("sha256", out sha256)
                    && sha256 is string && Digests.IsMatch("sha256:" + sha256)
                    && (size is long ? (long)size >= 0 : size is Json.Long && !((Json.Long)size).Negative);
                if (!right) throw Malformed("an entry of the manifest's files");
                total += size is long ? (long)size : long.MaxValue;
            }
            if (total > Math.Min(MaxBytes, int.MaxValue))
                throw new ReadException("limit", "The package has " + total + " bytes.");
            return listed;
        }

        void CheckFolder(string key, IEnumerable<string> listed)
        {
            var left = new HashSet<string>(listed, StringComparer.Ordinal) { "manifest.json" };
            Walk(Path.Combine(place, key), "", left);
            if (left.Count > 0) throw Damaged(left.Min() + " is missing");
        }

        void Walk(string folder, string below, HashSet<string> left)
        {
            int entries = 0;
            foreach (string entry in Guarded(() => Directory.GetFileSystemEntries(folder), folder))
            {
                entries++;
                string path = below + Path.GetFileName(entry);
                if (Directory.Exists(entry) && path.Length <= 200) Walk(entry, path + "/", left);
                else if (!left.Remove(path)) throw Damaged(path + " is not listed");
            }
            if (entries == 0) throw Damaged(below + " is an empty folder");
        }

        // At most `limit` + 1 bytes of a file, null if there is none.
        byte[] Get(string key, long limit)
        {
            return Guarded(() => web ? Download(key, limit) : Load(Path.Combine(place, key), limit), key);
        }

        T Guarded<T>(Func<T> read, string what)
        {
            try
            {
                return read();
            }
            catch (Exception error)
            {
                Type[] away =
                {
                    typeof(IOException), typeof(UnauthorizedAccessException), typeof(HttpRequestException),
                    typeof(OperationCanceledException), typeof(ObjectDisposedException), typeof(WebException)
                };
                if (!away.Any(kind => kind.IsInstanceOfType(error))) throw;
                string text = place + ", " + what + " cannot be read: " + error.GetType().Name;
                throw new ReadException("away", text, error);
            }
        }

        byte[] Load(string path, long limit)
        {
            try
            {
                // A writer may replace the file meanwhile: what is open stays what it is.
                const FileShare all = FileShare.ReadWrite | FileShare.Delete;
                using (var file = new FileStream(path, FileMode.Open, FileAccess.Read, all))
                    return Bounded(file, limit + 1);
            }
            catch (Exception error)
            {
                bool absent = error is FileNotFoundException || error is DirectoryNotFoundException;
                if (absent && Directory.Exists(place)) return null;
                throw;
            }
        }

        byte[] Download(string key, long limit)
        {
            string url = place + "/" + key + (Query.Length > 0 ? "?" + Query.TrimStart('?') : "");
            using (var time = new CancellationTokenSource(Patience + TimeSpan.FromSeconds(limit / Slowest)))
            using (var request = new HttpRequestMessage(HttpMethod.Get, url))
            {
                var asked = client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, time.Token);
                using (HttpResponseMessage answer = asked.GetAwaiter().GetResult())
                using (time.Token.Register(answer.Dispose))
                {
                    if (answer.StatusCode == HttpStatusCode.NotFound) return null;
                    if (answer.StatusCode != HttpStatusCode.OK)
                        throw new HttpRequestException("The status is " + (int)answer.StatusCode + ".");
                    byte[] data = Bounded(answer.Content.ReadAsStreamAsync().GetAwaiter().GetResult(), limit + 1);
                    time.Token.ThrowIfCancellationRequested();
                    return data;
                }
            }
        }

        static byte[] Bounded(Stream stream, long most)
        {
            var whole = new MemoryStream();
            var buffer = new byte[81920];
            for (int count; whole.Length < most; whole.Write(buffer, 0, count))
            {
                count = stream.Read(buffer, 0, (int)Math.Min(buffer.Length, most - whole.Length));
                if (count == 0) break;
            }
            return whole.ToArray();
        }

        static string Sha256(byte[] data)
        {
            using (var sha256 = SHA256.Create())
                return "sha256:" + BitConverter.ToString(sha256.ComputeHash(data)).Replace("-", "").ToLowerInvariant();
        }

        static string Number(long value)
        {
            return value.ToString(CultureInfo.InvariantCulture);
        }

        static ReadException Malformed(string why)
        {
            return new ReadException("malformed", "It is malformed: " + why + ".");
        }

        static ReadException Damaged(string why)
        {
            return new ReadException("integrity", "The package is not the one that its digest names: " + why + ".");
        }
    }

    static class Names
    {
        static readonly Regex Name = new Regex(@"\A[a-z0-9][a-z0-9._-]{0,62}\z");
        static readonly Regex Part = new Regex(@"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\z");
        static readonly Regex Device = new Regex(
            @"\A(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|\z)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

        public static string Check(string name)
        {
            bool good = name != null && Name.IsMatch(name) && Plain(name);
            if (!good || name.EndsWith(".json", StringComparison.Ordinal))
                throw new ReadException("unsafe-name", "The name '" + name + "' is not allowed.");
            return name;
        }

        static bool Plain(string part)
        {
            return !part.EndsWith(".", StringComparison.Ordinal) && !Device.IsMatch(part);
        }

        public static void CheckPaths(IEnumerable<string> paths)
        {
            var folded = new HashSet<string>(StringComparer.Ordinal) { "manifest.json" };
            foreach (string path in paths)
            {
                bool good = path.Length <= 200 && path.Split('/').All(part => Part.IsMatch(part) && Plain(part));
                if (!good || !folded.Add(path.ToLowerInvariant())) throw Unsafe(path);
            }
            foreach (string path in folded)
                for (int at = path.IndexOf('/'); at > 0; at = path.IndexOf('/', at + 1))
                    if (folded.Contains(path.Substring(0, at))) throw Unsafe(path);
        }

        static ReadException Unsafe(string path)
        {
            return new ReadException("unsafe-path", "The path '" + path + "' is not allowed.");
        }
    }

    // Canonical JSON: Dictionary, List, string, long (Long beyond 64 bits), double for what has a fraction or an
    // exponent, bool, null.
    sealed class Json
    {
        const int MaxDepth = 64, MaxDigits = 4300;
        static readonly Regex Numbers = new Regex(@"\G-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?");

        public sealed class Long
        {
            public bool Negative;
        }

        readonly string text;
        int at;

        Json(string text)
        {
            this.text = text;
        }

        public static object Parse(byte[] data, int limit)
        {
            if (data.Length > limit) throw new ReadException("limit", "It has more than " + limit + " bytes.");
            Json json;
            try
            {
                json = new Json(new UTF8Encoding(false, true).GetString(data));
            }
            catch (ArgumentException)
            {
                throw Malformed("it is no UTF-8");
            }
            object value = json.Any(1);
            if (json.at != json.text.Length) throw json.Unexpected();
            return value;
        }

        char Next
        {
            get { return at < text.Length ? text[at] : '\0'; }
        }

        object Any(int depth)
        {
            if (Next == '{') return Object(depth);
            if (Next == '[') return Array(depth);
            if (Next == '"') return Text();
            if (Word("null")) return null;
            if (Word("true")) return true;
            if (Word("false")) return false;
            return NumberHere();
        }

        Dictionary<string, object> Object(int depth)
        {
            var value = new Dictionary<string, object>(StringComparer.Ordinal);
            byte[] before = null;
            Items('}', depth, () =>
            {
                string key = Text();
                byte[] bytes = Encoding.UTF8.GetBytes(key);
                if (before != null && Compare(before, bytes) >= 0) throw Malformed("keys are not in order, or double");
                before = bytes;
                Take(':');
                value[key] = Any(depth + 1);
            });
            return value;
        }

        List<object> Array(int depth)
        {
            var value = new List<object>();
            Items(']', depth, () => value.Add(Any(depth + 1)));
            return value;
        }

        void Items(char close, int depth, Action item)
        {
            if (depth > MaxDepth) throw new ReadException("limit", "It is nested deeper than " + MaxDepth + ".");
            at++;
            for (bool first = true; Next != close; first = false)
            {
                if (!first) Take(',');
                item();
            }
            at++;
        }

        string Text()
        {
            Take('"');
            var value = new StringBuilder();
            while (Next != '"')
            {
                if (Next < ' ') throw Unexpected(); // also the end
                value.Append(Next == '\\' ? Escaped() : Next);
                at++;
            }
            at++;
            return value.ToString();
        }

        char Escaped()
        {
            at++;
            int known = "\"\\bfnrt".IndexOf(Next);
            if (known >= 0) return "\"\\\b\f\n\r\t"[known];
            int code;
            string digits = at + 5 <= text.Length ? text.Substring(at + 1, 4) : "";
            bool good = Next == 'u' && digits == digits.ToLowerInvariant()
                && int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out code)
                && code < ' ' && "\b\f\n\r\t".IndexOf((char)code) < 0;
            if (!good) throw Unexpected();
            at += 4;
            return (char)int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        }

        object NumberHere()
        {
            Match match = Numbers.Match(text, at);
            string raw = match.Value;
            if (!match.Success || raw == "-0" || raw.TrimStart('-').Length > MaxDigits) throw Unexpected();
            at += raw.Length;
            if (raw.IndexOfAny(new[] { '.', 'e', 'E' }) < 0)
            {
                long whole;
                bool fits = long.TryParse(raw, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out whole);
                return fits ? (object)whole : new Long { Negative = raw[0] == '-' };
            }
            double value;
            bool finite = double.TryParse(raw, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
            if (!finite || double.IsInfinity(value)) throw Malformed("a number is too large");
            return value;
        }

        bool Word(string word)
        {
            bool here = string.CompareOrdinal(text, at, word, 0, word.Length) == 0;
            if (here) at += word.Length;
            return here;
        }

        void Take(char expected)
        {
            if (Next != expected || at >= text.Length) throw Unexpected();
            at++;
        }

        static int Compare(byte[] one, byte[] other)
        {
            for (int at = 0; at < one.Length && at < other.Length; at++)
                if (one[at] != other[at]) return one[at] - other[at];
            return one.Length - other.Length;
        }

        ReadException Unexpected()
        {
            return Malformed("at " + at.ToString(CultureInfo.InvariantCulture));
        }

        static ReadException Malformed(string why)
        {
            return new ReadException("malformed", "It is malformed: " + why + ".");
        }
    }
}
