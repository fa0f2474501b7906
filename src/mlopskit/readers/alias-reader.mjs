// Follows an alias of a model's folder at a web address, and reads the package that it names, with every byte checked.
//
//     const reader = new AliasReader("https://models.example/sentiment", "production");
//     let model = await reader.read();          // {seq, digest, record, manifest, files}
//     setInterval(async () => {
//         try { model = await reader.read(); } catch (error) { console.warn(error.kind, error.message); }
//     }, 5000);
//
// What is refused is thrown, and what was read before stays as it is. One file, no dependencies: copy it. It needs
// `fetch`, `crypto.subtle` and streams, as Node 20 and browsers have them (pages only over https or from localhost).
// docs/reference/reading.md of mlopskit says exactly what a reader does. MIT licence.

const MAX_RECORD = 65_536;
const MAX_MANIFEST = 4 << 20;
const MAX_FILES = 10_000;
const MAX_DEPTH = 64;
const MAX_DIGITS = 4_300;
const SLOWEST = 16; // bytes a millisecond
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const PART = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/;
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;
const HOST = "(?:[A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(?::[0-9]{1,5})?";
const ADDRESS = new RegExp(`^https?://${HOST}((?:/[A-Za-z0-9_~$][A-Za-z0-9._~$-]*)+)/?$`);

// `kind` is one of the words of the page above: malformed, limit, version, no-record, broken-chain, went-back,
// integrity, unsafe-path, unsafe-name, away. After `away` try again later; all else somebody must mend.
export class ReadError extends Error {
    constructor(kind, message, options) {
        super(message, options);
        this.name = "ReadError";
        this.kind = kind;
    }
}

export class AliasReader {
    // `seen` is what `reader.seen` was in an earlier run: so an older state is refused across restarts, too. `fetch`
    // may add to each request what gives access. `maxBytes` bounds a package, `patience` (ms) an answer.
    constructor(place, alias, { seen = null, fetch = globalThis.fetch, maxBytes = 2 ** 30, patience = 60_000 } = {}) {
        const address = ADDRESS.exec(place);
        if (!address) throw new ReadError("unsafe-name", "The place is no plain http(s) address.");
        this.place = place.replace(/\/$/, "");
        this.name = checkName(address[1].split("/").pop());
        this.alias = checkName(alias);
        this.seen = seen;
        this.fetch = fetch;
        this.maxBytes = maxBytes;
        this.patience = patience;
        this.model = null;
        this.refused = null;
        this.reading = null;
    }

    // Returns what is live now: the same object as before while that does not change. `digest` is null if nothing is
    // live; `files` is a Map of path → Uint8Array.
    read() {
        this.reading ??= this.#look().finally(() => { this.reading = null; });
        return this.reading;
    }

    async #look() {
        const newest = await this.#newest();
        if (!newest) throw new ReadError("no-record", `The alias ${this.alias} of ${this.name} has no record.`);
        const { seq, sha256, record } = newest;
        this.seen = { seq, sha256 };
        const { digest } = record;
        if (this.model?.seq !== seq) {
            const nothing = { manifest: null, files: new Map() };
            const same = this.model?.digest === digest;
            const found = same ? this.model : digest === null ? nothing : await this.#tried(digest);
            this.model = { ...found, seq, digest, record };
        }
        return this.model;
    }

    // A package that was refused is left alone for a while, which doubles each time.
    async #tried(digest) {
        const before = this.refused?.digest === digest ? this.refused : null;
        if (before && Date.now() < before.until) throw before.error;
        try {
            const found = await this.#package(digest);
            this.refused = null;
            return found;
        } catch (error) {
            const pause = Math.min(before ? 2 * before.pause : 10_000, 300_000);
            if (error.kind !== "away") this.refused = { digest, error, pause, until: Date.now() + pause };
            throw error;
        }
    }

    async #newest() {
        let last = this.seen ? await this.#again() : await this.#first();
        for (let next; (next = await this.#record((last?.seq ?? 0) + 1)); last = next) checkLink(last, next);
        return last;
    }

    async #again() {
        const { seq, sha256 } = this.seen;
        const data = await this.#get(this.#key(seq), MAX_RECORD);
        if (!data || (await sha256Of(data)) !== sha256) {
            const what = data ? "another one" : "gone";
            throw new ReadError("went-back", `Record ${seq}, which was seen before, is ${what}.`);
        }
        return { seq, sha256, record: this.#parsed(data, seq) };
    }

    // The record that the hint names, if there is one.
    async #first() {
        const data = await this.#get(`aliases/${this.alias}.json`, MAX_RECORD);
        let seq;
        try {
            seq = data && this.#parsed(data, null).seq;
        } catch {
            return null;
        }
        const found = seq >= 1 && Number.isSafeInteger(seq) ? await this.#record(seq) : null;
        if (found) checkLink(seq > 1 ? await this.#record(seq - 1) : null, found);
        return found;
    }

    async #record(seq) {
        const data = await this.#get(this.#key(seq), MAX_RECORD);
        return data && { seq, sha256: await sha256Of(data), record: this.#parsed(data, seq) };
    }

    #key(seq) {
        return `aliases/${this.alias}/${seq}/record.json`;
    }

    #parsed(data, seq) {
        const [fields] = parse(data, MAX_RECORD);
        if (!(fields instanceof Map)) throw malformed("a record is no object");
        if (fields.has("format_version") && fields.get("format_version") !== 1) {
            throw new ReadError("version", "A record is of a later format: it needs a later reader.");
        }
        const digest = (value) => value === null || (typeof value === "string" && DIGEST.test(value));
        const text = (value) => typeof value === "string";
        const right = {
            name: (value) => value === this.name,
            alias: (value) => value === this.alias,
            seq: (value) => (seq === null ? isInteger(value) : value === seq),
            digest,
            previous: digest,
            operation: text,
            who: text,
            why: text,
            when: text,
        };
        for (const [field, check] of Object.entries(right)) {
            if (!fields.has(field) || !check(fields.get(field))) throw malformed(`the field ${field} of a record`);
        }
        return Object.fromEntries(Object.keys(right).map((field) => [field, fields.get(field)]));
    }

    async #package(digest) {
        const folder = `packages/${digest.slice(7)}`;
        const data = await this.#get(`${folder}/manifest.json`, MAX_MANIFEST);
        if (!data) throw damaged(`${folder}/manifest.json is not there`);
        if (data.length <= MAX_MANIFEST && (await sha256Of(data)) !== digest) throw damaged("its manifest is another");
        const [manifest, text] = parse(data, MAX_MANIFEST);
        const listed = this.#listed(manifest);
        const files = new Map();
        for (const [path, entry] of listed) {
            const size = entry.get("size");
            const bytes = await this.#get(`${folder}/${path}`, size);
            if (!bytes) throw damaged(`${path} is missing`);
            if (bytes.length !== size || (await sha256Of(bytes)) !== `sha256:${entry.get("sha256")}`) {
                throw damaged(`${path} is not the file that is listed`);
            }
            files.set(path, bytes);
        }
        return { manifest: JSON.parse(text), files };
    }

    #listed(manifest) {
        if (!(manifest instanceof Map)) throw malformed("the manifest is no object");
        const version = manifest.get("format_version");
        if (!isInteger(version)) throw malformed("the manifest's format_version is no integer");
        if (version !== 1) throw new ReadError("version", "The package is of a later format: it needs a later reader.");
        const [name, files] = [manifest.get("name"), manifest.get("files")];
        if (name !== this.name) throw damaged("it is another model's");
        if (!(files instanceof Map)) throw malformed("the manifest's files are no object");
        if (files.size > MAX_FILES) throw new ReadError("limit", `The package has ${files.size} files.`);
        checkPaths([...files.keys()]);
        let total = 0;
        for (const entry of files.values()) {
            if (!(entry instanceof Map) || entry.size !== 2) throw malformed("an entry of the manifest's files");
            const [sha256, size] = [entry.get("sha256"), entry.get("size")];
            const right = typeof sha256 === "string" && DIGEST.test(`sha256:${sha256}`) && isInteger(size) && size >= 0;
            if (!right) throw malformed("an entry of the manifest's files");
            total += Number(size);
        }
        if (total > this.maxBytes) throw new ReadError("limit", `The package has ${total} bytes.`);
        return files;
    }

    // At most `limit` + 1 bytes of a file, null if there is none.
    async #get(key, limit) {
        const signal = AbortSignal.timeout(Math.round(this.patience + limit / SLOWEST));
        let status;
        try {
            const options = { redirect: "error", cache: "no-cache", signal };
            const answer = await this.fetch.call(globalThis, `${this.place}/${key}`, options);
            ({ status } = answer);
            if (status === 200) return await bounded(answer.body, limit + 1);
            await answer.body?.cancel();
        } catch (error) {
            throw new ReadError("away", `${this.place}/${key} cannot be read: ${error.name}`, { cause: error });
        }
        if (status === 404) return null;
        throw new ReadError("away", `${this.place}/${key} cannot be read: the status is ${status}`);
    }
}

async function bounded(body, most) {
    const chunks = [];
    let length = 0;
    for (const reader = body?.getReader(); reader && length < most; ) {
        const { done, value } = await reader.read();
        if (done) break;
        chunks.push(value);
        length += value.length;
        if (length >= most) await reader.cancel();
    }
    const whole = new Uint8Array(length);
    chunks.reduce((at, chunk) => (whole.set(chunk, at), at + chunk.length), 0);
    return whole.subarray(0, most);
}

async function sha256Of(bytes) {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return `sha256:${[...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function malformed(why) {
    return new ReadError("malformed", `It is malformed: ${why}.`);
}

function damaged(why) {
    return new ReadError("integrity", `The package is not the one that its digest names: ${why}.`);
}

function isInteger(value) {
    return typeof value === "number" || typeof value === "bigint"; // fractions are objects, see parse
}

function checkName(name) {
    const good = typeof name === "string" && NAME.test(name) && !/\.$|\.json$/.test(name) && !DEVICE.test(name);
    if (!good) throw new ReadError("unsafe-name", `The name ${JSON.stringify(name)} is not allowed.`);
    return name;
}

function checkLink(before, next) {
    const want = before ? before.sha256 : null;
    if (next.record.previous !== want || (!before && next.seq > 1)) {
        throw new ReadError("broken-chain", `Record ${next.seq} does not follow the record before it.`);
    }
}

function checkPaths(paths) {
    const plain = (part) => PART.test(part) && !part.endsWith(".") && !DEVICE.test(part);
    const folded = new Set(["manifest.json"]);
    const unsafe = (path) => new ReadError("unsafe-path", `The path ${JSON.stringify(path)} is not allowed.`);
    for (const path of paths) {
        const lower = path.toLowerCase();
        if (path.length > 200 || !path.split("/").every(plain) || folded.has(lower)) throw unsafe(path);
        folded.add(lower);
    }
    for (const path of folded) {
        for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
            if (folded.has(path.slice(0, at))) throw unsafe(path);
        }
    }
}

// Returns the value and the text of canonical JSON: objects as Maps, integers as numbers (BigInt beyond 2^53), and what
// has a fraction or an exponent as objects, so that 1.0 is no 1.
function parse(bytes, limit) {
    if (bytes.length > limit) throw new ReadError("limit", `It has more than ${limit} bytes.`);
    let text;
    try {
        text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
        throw malformed("it is no UTF-8");
    }
    let at = 0;
    const take = (expected) => {
        if (text[at] !== expected) throw malformed(`expected ${expected} at ${at}`);
        at += 1;
    };
    const list = (close, depth, item) => {
        if (depth > MAX_DEPTH) throw new ReadError("limit", `It is nested deeper than ${MAX_DEPTH}.`);
        at += 1;
        for (let first = true; text[at] !== close; first = false) {
            if (!first) take(",");
            item();
        }
        at += 1;
    };
    const string = () => {
        const start = at;
        take('"');
        while (text[at] !== '"') {
            if (at >= text.length) throw malformed("a text does not end");
            at += text[at] === "\\" ? 2 : 1;
        }
        at += 1;
        const raw = text.slice(start, at);
        let value;
        try {
            value = JSON.parse(raw);
        } catch {
            throw malformed(`a text at ${start}`);
        }
        // \p{Surrogate} is half a pair.
        if (JSON.stringify(value) !== raw || /\p{Surrogate}/u.test(value)) throw malformed(`a text at ${start}`);
        return value;
    };
    const number = () => {
        const raw = NUMBER.exec(text.slice(at, at + MAX_DIGITS + 2))?.[0];
        if (!raw || raw === "-0" || raw.replace("-", "").length > MAX_DIGITS) throw malformed(`no value at ${at}`);
        at += raw.length;
        if (!/[.eE]/.test(raw)) return Number.isSafeInteger(Number(raw)) ? Number(raw) : BigInt(raw);
        if (!Number.isFinite(Number(raw))) throw malformed("a number is too large");
        return { fraction: Number(raw) };
    };
    const object = (depth) => {
        const value = new Map();
        let before = null;
        list("}", depth, () => {
            const key = string();
            if (before !== null && compare(before, key) >= 0) throw malformed("keys are not in order, or double");
            take(":");
            value.set((before = key), any(depth + 1));
        });
        return value;
    };
    const any = (depth) => {
        if (text[at] === "{") return object(depth);
        if (text[at] === '"') return string();
        if (text[at] === "[") {
            const value = [];
            list("]", depth, () => value.push(any(depth + 1)));
            return value;
        }
        for (const [word, value] of [["null", null], ["true", true], ["false", false]]) {
            if (text.startsWith(word, at)) {
                at += word.length;
                return value;
            }
        }
        return number();
    };
    const value = any(1);
    if (at !== text.length) throw malformed(`more behind the end at ${at}`);
    return [value, text];
}

// Code points, not the units of UTF-16 that `<` compares.
function compare(one, other) {
    const [a, b] = [one, other].map((text) => [...text].map((point) => point.codePointAt(0)));
    const at = a.findIndex((point, index) => point !== b[index]);
    return at < 0 ? a.length - b.length : a[at] - (b[at] ?? -1);
}
