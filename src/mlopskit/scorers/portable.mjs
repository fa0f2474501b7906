// Scores rows with a model as tables, `model.json`, with the answers of scikit-learn.
//
//     const model = load(await readFile("model.json"));                  // or its text, or a Uint8Array from `fetch`
//     model.predictRow({ age: 41, colour: "red" });                      // { prediction: "yes", "probability.no": … }
//     model.predict([{ age: 41, colour: "red" }, { age: null, colour: "blue" }]);
//
// A model that is none is refused by `load` (ModelError), a row without an answer by `predict` (RowError). One file, no
// dependencies: copy it. It runs in Node 20 and in browsers, and makes no code of what it reads.
// docs/reference/portable-format.md of mlopskit says exactly what each step computes. MIT licence.

const LARGEST = 2 ** 30; // bytes of a file
const MOST_STEPS = 100_000;
const MOST = 2 ** 24; // elements of a vector
const MOST_WRITTEN = 2 ** 22; // of a sparse one that is written out
const MOST_TOGETHER = 2 ** 26; // elements of the vectors of all steps
const MOST_DEPTH = 32;
const MOST_PARTS = 16; // of a token pattern
const MOST_OPEN = 2; // of these without an end
const MOST_REPEATS = 1000;
const MOST_DEGREE = 100; // of a spline

export class ModelError extends Error {
    constructor(message, options) {
        super(message, options);
        this.name = "ModelError";
    }
}

// `index` is the row's place in what `predict` was given.
export class RowError extends Error {
    constructor(message, options) {
        super(message, options);
        this.name = "RowError";
        this.index = null;
    }
}

// Returns the model in the text or bytes of a `model.json`, all of it checked.
export function load(data) {
    let document;
    try {
        document = read(data);
        return made(document);
    } catch (error) {
        if (error instanceof ModelError) throw error;
        throw new ModelError(`The model cannot be read: ${error.message}`, { cause: error });
    }
}

function wrong(message) {
    return new ModelError(message);
}

function refused(message) {
    return new RowError(message);
}

function shown(value) {
    const isPlain = value === null || ["string", "number", "boolean"].includes(typeof value);
    const text = isPlain ? JSON.stringify(value) : typeof value;
    return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

// --- the file --------------------------------------------------------------------------------------------------------

function read(data) {
    let text = data;
    if (typeof data !== "string") {
        const { byteLength: size } = data;
        if (size > LARGEST) throw wrong(`The model has ${size} bytes, at most ${LARGEST} are read.`);
        text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    }
    const document = JSON.parse(text);
    // JSON.parse keeps the last of several fields of one name, and does not say so: then the text has more names.
    if (namesIn(document, 1) !== namesOf(text)) throw wrong("The model has a name twice in one table.");
    return document;
}

function namesIn(value, depth) {
    if (depth > MOST_DEPTH) throw wrong(`The model is nested deeper than ${MOST_DEPTH}.`);
    let count = 0;
    if (Array.isArray(value)) {
        for (const one of value) if (typeof one === "object" && one !== null) count += namesIn(one, depth + 1);
    } else if (typeof value === "object" && value !== null) {
        const inside = Object.values(value);
        count = inside.length + namesIn(inside, depth);
    }
    return count;
}

// How many texts of sound JSON have a colon behind them.
function namesOf(text) {
    let count = 0;
    for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at)) {
        do at = text.indexOf('"', at + 1);
        while (isEscaped(text, at));
        at += 1;
        while (" \t\r\n".includes(text[at] ?? "!")) at += 1;
        if (text[at] === ":") count += 1;
    }
    return count;
}

function isEscaped(text, at) {
    let before = at;
    while (text[before - 1] === "\\") before -= 1;
    return (at - before) % 2 === 1;
}

// --- the kinds of fields: each a function that checks a value and returns it as the steps want it --------------------

function list(value, most = Infinity, what = "") {
    if (!Array.isArray(value) || value.length > most) throw wrong(`${what}is no list, or too long`);
    return value;
}

function numbers(value) {
    for (const one of list(value)) if (!Number.isFinite(one)) throw wrong("holds something else than finite numbers");
    return new Float64Array(value);
}

function number(value) {
    return numbers([value])[0];
}

function gaps(value) {
    return numbers(list(value).map((one) => one ?? 0)).map((one, i) => (value[i] === null ? NaN : one));
}

function divisors(value) {
    const found = numbers(value);
    if (found.includes(0)) throw wrong("holds a zero, by which nothing can be divided");
    return found;
}

function integers(value) {
    for (const one of list(value)) {
        if (!Number.isInteger(one) || one < -2 || one >= MOST) throw wrong("holds something else than whole numbers");
    }
    return new Int32Array(value);
}

function integer(value) {
    return integers([value])[0];
}

function count(value) {
    if (integer(value) < 0) throw wrong("is no count");
    return integer(value);
}

function texts(value) {
    for (const one of list(value)) if (typeof one !== "string") throw wrong("holds something else than texts");
    return value;
}

function flag(value) {
    if (typeof value !== "boolean") throw wrong("is neither true nor false");
    return value;
}

function cell(value) {
    return value === null || typeof value === "string" ? value : number(value);
}

function cells(value) {
    return list(value).map(cell);
}

function matrix(value) {
    const rows = list(value).map(numbers);
    if (!rows.length || rows.some((row) => row.length !== rows[0].length)) throw wrong("has no rows, or ragged ones");
    return rows;
}

const word = (...known) => (value) => {
    if (!known.includes(value)) throw wrong(`is none of ${known.join(", ")}`);
    return value;
};
const optional = (field) => (value) => (value === null ? null : field(value));
const listing = (field) => (value) => list(value).map((one) => field(one));
const record = (fields) => (value) => {
    const names = Object.keys(fields);
    if (!isTable(value, names)) throw wrong(`is no table of ${names.join(", ")}`);
    return checked(fields, value);
};

function isTable(value, names) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    return Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name));
}

function checked(fields, value) {
    const found = {};
    for (const [name, field] of Object.entries(fields)) {
        try {
            found[name] = field(value[name]);
        } catch (error) {
            throw wrong(`${name} ${error.message}`);
        }
    }
    return found;
}

// --- what a step makes -----------------------------------------------------------------------------------------------
// A vector is an array, a missing number NaN, a missing text null; or, if `sparse`, the places `at` of those elements
// that are not zero and these `cells`. `texts` says which elements are texts; `choices` that each element is a whole
// number below its own, so that it may stand for a label. `run` makes a vector from that of the source; from the list of
// those of the sources, if the step may have several.

function makes(width, run, { sparse = false, texts = null, choices = null } = {}) {
    return { width, run, sparse, texts, choices };
}

function numeric(sources) {
    if (sources.some((x) => x.texts)) throw wrong("needs numbers, its source has texts");
}

function same(x, tables) {
    for (const { length } of tables) {
        if (length !== x.width) throw wrong(`has a table of ${length} cells for ${x.width} elements`);
    }
}

function below(most, indexes) {
    for (const one of indexes) if (one < 0 || one >= most) throw wrong(`names a place beyond the ${most} there are`);
}

function written({ at, cells }, width) {
    const found = new Float64Array(width);
    for (let k = 0; k < at.length; k += 1) found[at[k]] = cells[k];
    return found;
}

// What takes a vector in full, as what takes a vector of this source.
function full(x, run = (v) => v) {
    if (!x.sparse) return run;
    if (x.width > MOST_WRITTEN) throw wrong(`would write out ${x.width} elements, at most ${MOST_WRITTEN} are`);
    return (v) => run(written(v, x.width));
}

// The function from a place to the element there.
function cellsOf(x, v) {
    if (!x.sparse) return (i) => v[i];
    const cells = new Map(v.cells.map((one, k) => [v.at[k], one]));
    return (i) => cells.get(i) ?? 0;
}

function mapped(v, change) {
    const found = new Array(v.length);
    for (let i = 0; i < v.length; i += 1) found[i] = change(v[i], i);
    return found;
}

function ones(v, change) {
    return { at: v.at, cells: mapped(v.cells, (one, k) => change(one, v.at[k])) };
}

// A step on each element by itself. What makes zero of zero can leave the zeros of a sparse vector out.
function elementwise(x, change, { ofZero = false, choices = null } = {}) {
    numeric([x]);
    if (x.sparse && ofZero) return makes(x.width, (v) => ones(v, change), { sparse: true });
    return makes(x.width, full(x, (v) => mapped(v, change)), { choices });
}

// A step on the whole vector.
function whole(x, width, run) {
    numeric([x]);
    return makes(width, full(x, run));
}

function some(x) {
    if (!x.width) throw wrong("needs an element, its source has none");
}

function sum(v) {
    let total = 0;
    for (let i = 0; i < v.length; i += 1) total += v[i];
    return total;
}

function dot(a, b) {
    let total = 0;
    for (let i = 0; i < a.length; i += 1) total += a[i] * b[i];
    return total;
}

// Where the first of the largest elements from `start` to before `end` is; NaN counts as the largest.
function largestAt(v, start, end) {
    let best = start;
    for (let i = start; i < end; i += 1) {
        if (isNaN(v[i])) return i;
        if (v[i] > v[best]) best = i;
    }
    return best;
}

function largest(v) {
    return v[largestAt(v, 0, v.length)];
}

function isNaN(value) {
    return value !== value;
}

// --- steps on vectors ------------------------------------------------------------------------------------------------

function take([x], { indexes }) {
    below(x.width, indexes);
    if (!x.sparse) {
        const of = (table) => table && Array.from(indexes, (i) => table[i]);
        const texts = of(x.texts);
        return makes(indexes.length, (v) => mapped(indexes, (i) => v[i]), {
            texts: texts?.includes(true) ? texts : null,
            choices: of(x.choices),
        });
    }
    const places = new Map();
    indexes.forEach((old, place) => (places.get(old)?.push(place) ?? places.set(old, [place])));
    const run = (v) => {
        const found = { at: [], cells: [] };
        v.at.forEach((old, k) => {
            for (const place of places.get(old) ?? []) {
                found.at.push(place);
                found.cells.push(v.cells[k]);
            }
        });
        return found;
    };
    return makes(indexes.length, run, { sparse: true });
}

function concat(sources) {
    const width = sources.reduce((total, x) => total + x.width, 0);
    if (width > MOST) throw wrong("makes a vector that is too wide");
    const joined = (key, other) => sources.flatMap((x) => x[key] ?? new Array(x.width).fill(other));
    if (!sources.some((x) => x.sparse)) {
        return makes(width, (vectors) => joinedVectors(vectors, width), {
            texts: sources.some((x) => x.texts) ? joined("texts", false) : null,
            choices: sources.every((x) => x.choices) ? joined("choices") : null,
        });
    }
    numeric(sources);
    const run = (vectors) => {
        const found = { at: [], cells: [] };
        let start = 0;
        vectors.forEach((v, n) => {
            const { at, cells } = sources[n].sparse ? v : { at: v.keys(), cells: v };
            for (const place of at) found.at.push(start + place);
            for (const one of cells) found.cells.push(one);
            start += sources[n].width;
        });
        return found;
    };
    return makes(width, run, { sparse: true });
}

function joinedVectors(vectors, width) {
    const found = new Array(width);
    let at = 0;
    for (const v of vectors) for (let i = 0; i < v.length; i += 1) found[at++] = v[i];
    return found;
}

function sumOf(sources) {
    numeric(sources);
    const [{ width }, ...others] = sources;
    if (others.some((x) => x.width !== width)) throw wrong("adds vectors of different widths");
    const turns = sources.map((x) => full(x));
    return makes(width, (vectors) => {
        const total = [...turns[0](vectors[0])];
        for (let n = 1; n < vectors.length; n += 1) {
            const v = turns[n](vectors[n]);
            for (let i = 0; i < width; i += 1) total[i] += v[i];
        }
        return total;
    });
}

const withValues = (of, ofZero) => ([x], { values }) => {
    same(x, [values]);
    return elementwise(x, of(values), { ofZero });
};

function clip([x], { low, high }) {
    same(x, [low, high]);
    return elementwise(x, (one, i) => (one < low[i] ? low[i] : one > high[i] ? high[i] : one));
}

function finite([x], { missing }) {
    return elementwise(x, (one) => {
        if (Number.isFinite(one)) return one;
        if (!isNaN(one)) throw refused("The row has a number that is infinite, or too large for this model.");
        if (!missing) throw refused("The row has a missing number, which this model does not take.");
        return one;
    }, { ofZero: true });
}

function linear([x], { weights, bias }) {
    numeric([x]);
    same(x, weights);
    if (bias.length !== weights.length) throw wrong("has not one bias for each row of weights");
    const product = x.sparse
        ? (row, { at, cells }) => {
            let total = 0;
            for (let k = 0; k < at.length; k += 1) total += row[at[k]] * cells[k];
            return total;
        }
        : dot;
    return makes(weights.length, (v) => mapped(weights, (row, n) => product(row, v) + bias[n]));
}

const NORMS = {
    l1: (v) => sum(mapped(v, Math.abs)),
    l2: (v) => Math.sqrt(dot(v, v)),
    max: (v) => (v.length ? largest(mapped(v, Math.abs)) : 0),
};

function normalize([x], { norm, least }) {
    const size = NORMS[norm];
    numeric([x]);
    const divided = (v) => {
        const by = size(v);
        return by < least || by === 0 ? v : mapped(v, (one) => one / by);
    };
    if (!x.sparse) return makes(x.width, divided);
    return makes(x.width, (v) => ({ at: v.at, cells: divided(v.cells) }), { sparse: true });
}

function sublinear([x]) {
    return elementwise(x, (one) => (one === 0 ? 0 : Math.log(one) + 1), { ofZero: true });
}

function isMissing(missing) {
    return missing === null ? (one) => one === null || isNaN(one) : (one) => one === missing;
}

function fill([x], { values, missing }) {
    same(x, [values]);
    const gone = isMissing(missing);
    const isText = (i) => x.texts?.[i] ?? false;
    if (values.some((one, i) => (typeof one === "string") !== isText(i))) {
        throw wrong("fills texts with numbers, or numbers with texts");
    }
    const put = values.map((one) => one ?? NaN);
    const run = full(x, (v) => mapped(v, (one, i) => (gone(one) ? put[i] : one)));
    return makes(x.width, run, { texts: x.texts });
}

function missingAt([x], { indexes, missing }) {
    below(x.width, indexes);
    const gone = isMissing(missing);
    return makes(indexes.length, (v) => {
        const cellAt = cellsOf(x, v);
        return mapped(indexes, (i) => (gone(cellAt(i)) ? 1 : 0));
    });
}

// --- steps on scores -------------------------------------------------------------------------------------------------

const FUNCTIONS = {
    sigmoid: (x) => (x > -709 ? 1 / (1 + Math.exp(-x)) : Math.exp(x)), // below, exp(-x) would be infinite
    exp: Math.exp,
    expm1: Math.expm1,
    log: Math.log,
    log1p: Math.log1p,
    sqrt: Math.sqrt,
    abs: Math.abs,
    cos: Math.cos,
    sin: Math.sin,
    square: (x) => x * x,
    tanh: Math.tanh,
    trunc: Math.trunc,
    relu: (x) => (x > 0 || isNaN(x) ? x : 0),
    sign: (x) => (x > 0 ? 1 : x < 0 ? -1 : x === 0 ? 0 : x),
};
const NOT_OF_ZERO = ["sigmoid", "exp", "log", "cos"]; // these make something else than zero of zero

function apply([x], { function: name }) {
    const of = FUNCTIONS[name];
    return elementwise(x, (one) => of(one), { ofZero: !NOT_OF_ZERO.includes(name) });
}

function softmax([x]) {
    some(x);
    return whole(x, x.width, (v) => {
        const most = largest(v);
        const found = mapped(v, (one) => Math.exp(one - most));
        const total = sum(found);
        return mapped(found, (one) => one / total);
    });
}

function posterior([x]) {
    some(x);
    return whole(x, x.width, (v) => {
        const most = largest(v);
        let [others, equal] = [0, 0];
        for (const one of v) {
            if (one === most) equal += 1;
            else others += Math.exp(one - most);
        }
        const total = Math.log1p(others / equal) + Math.log(equal) + most;
        return mapped(v, (one) => Math.exp(one - total));
    });
}

function shares([x], { zero }) {
    some(x);
    const otherwise = { equal: 1 / x.width, none: 0, missing: NaN }[zero];
    return whole(x, x.width, (v) => {
        const total = sum(v);
        return mapped(v, (one) => (total === 0 ? otherwise : one / total));
    });
}

function complement([x]) {
    if (x.width !== 1) throw wrong("needs one element");
    return whole(x, 2, (v) => [1 - v[0], v[0]]);
}

function argmax([x], { starts }) {
    const ends = [...starts.slice(1), x.width];
    if (starts[0] !== 0 || ends.some((end, n) => end <= starts[n])) throw wrong("has parts that are none");
    const found = whole(x, starts.length, (v) => mapped(starts, (start, n) => largestAt(v, start, ends[n]) - start));
    return { ...found, choices: ends.map((end, n) => end - starts[n]) };
}

function above([x], { threshold, equal }) {
    const reached = equal ? (one) => (one >= threshold ? 1 : 0) : (one) => (one > threshold ? 1 : 0);
    return elementwise(x, reached, { choices: new Array(x.width).fill(2) });
}

function binarize([x], { threshold }) {
    return elementwise(x, (one) => (one > threshold ? 1 : 0), { ofZero: threshold >= 0 });
}

function reduce([x], { how, groups }) {
    if (groups < 1 || x.width % groups) throw wrong(`cannot part ${x.width} elements into ${groups} groups`);
    const width = x.width / groups;
    return whole(x, width, (v) => {
        const found = Array.from(v.slice(0, width));
        for (let i = width; i < v.length; i += 1) {
            if (how === "sum") found[i % width] += v[i];
            else found[i % width] *= v[i];
        }
        return found;
    });
}

function median([x], { weights }) {
    same(x, [weights]);
    some(x);
    if (weights.some((one) => one < 0)) throw wrong("has a weight below zero");
    return whole(x, 1, (v) => {
        const order = mapped(v, (_, i) => i).sort((i, j) => compared(v[i], v[j]) || weights[i] - weights[j]);
        let total = 0;
        const sums = order.map((i) => (total += weights[i]));
        return [v[order[sums.findIndex((one) => one >= 0.5 * total)]]];
    });
}

// NaN is the last.
function compared(a, b) {
    return a < b ? -1 : a > b ? 1 : isNaN(a) - isNaN(b);
}

function votes([x], { weights, classes }) {
    same(x, [weights]);
    if (!x.choices || x.choices.some((one) => one > classes)) throw wrong("counts votes for what is no class");
    return whole(x, classes, (v) => {
        const counts = new Array(classes).fill(0);
        for (let i = 0; i < v.length; i += 1) counts[v[i]] += weights[i];
        return counts;
    });
}

// --- steps with points -----------------------------------------------------------------------------------------------

function quotient([x, y]) {
    numeric([x, y]);
    if (x.width !== y.width || x.sparse || y.sparse) throw wrong("divides vectors of different widths, or sparse ones");
    return makes(x.width, ([v, w]) => mapped(v, (one, i) => one / w[i]));
}

function products([x], { factors }) {
    for (const one of factors) below(x.width, one);
    if (factors.reduce((total, one) => total + one.length, 0) > MOST) throw wrong("has too many factors");
    return whole(x, factors.length, (v) => mapped(factors, (places) => {
        let found = 1;
        for (let k = 0; k < places.length; k += 1) found *= v[places[k]];
        return found;
    }));
}

function rising(tables, falls) {
    for (const table of tables) {
        if (table.some((one, i) => i && falls(table[i - 1], one))) throw wrong("has a table that does not rise");
    }
}

// How many of the numbers of a rising table are below another, or, with `equal`, at most it; all are, of NaN.
function reached(table, one, equal) {
    let [low, high] = [0, table.length];
    while (low < high) {
        const middle = (low + high) >>> 1;
        if (table[middle] > one || (!equal && table[middle] === one)) high = middle;
        else low = middle + 1;
    }
    return low;
}

function bins([x], { edges }) {
    same(x, [edges]);
    rising(edges, (a, b) => a > b);
    return elementwise(x, (one, i) => reached(edges[i], one, true));
}

function interpolate([x], { at, values, outside }) {
    same(x, [at, values]);
    rising(at, (a, b) => a >= b);
    if (at.some((table, i) => !table.length || table.length !== values[i].length)) {
        throw wrong("has no points, or not one value for each");
    }
    return elementwise(x, (one, i) => between(one, at[i], values[i], outside));
}

function between(given, at, values, outside) {
    const last = at.length - 1;
    let x = given;
    if (isNaN(x)) return x;
    if (x < at[0] || x > at[last]) {
        if (outside === "refuse") throw refused("The row has a number beyond those that this model knows.");
        if (outside === "missing") return NaN;
        x = x < at[0] ? at[0] : at[last];
    }
    if (last === 0) return values[0];
    const high = Math.min(Math.max(reached(at, x, false), 1), last);
    const slope = (values[high] - values[high - 1]) / (at[high] - at[high - 1]);
    return slope * (x - at[high - 1]) + values[high - 1];
}

// By squaring: beyond the largest number it is infinite.
function raised(given, power) {
    let [found, base] = [1, given];
    for (let left = power; left > 0; left = Math.floor(left / 2), base *= base) if (left % 2) found *= base;
    return found;
}

function square(point, v) {
    let total = 0;
    for (let i = 0; i < point.length; i += 1) total += (point[i] - v[i]) * (point[i] - v[i]);
    return total;
}

function kernel([x], { points, kind, gamma, offset, degree }) {
    same(x, points);
    if (gamma < 0) throw wrong("has a negative gamma");
    const near = {
        distance: (point, v) => Math.sqrt(square(point, v)),
        rbf: (point, v) => Math.exp(-gamma * square(point, v)),
        polynomial: (point, v) => raised(gamma * dot(point, v) + offset, degree),
        sigmoid: (point, v) => Math.tanh(gamma * dot(point, v) + offset),
    }[kind];
    return whole(x, points.length, (v) => mapped(points, (point) => near(point, v)));
}

function spline([x], { knots, degree }) {
    same(x, [knots]);
    if (degree > MOST_DEGREE || knots.some((table) => table.length < 2 * degree + 2)) throw wrong("has too few knots");
    rising(knots, (a, b) => a >= b);
    const width = knots.reduce((total, table) => total + table.length - degree - 1, 0);
    return whole(x, width, (v) => {
        const found = new Array(width).fill(0);
        let start = 0;
        knots.forEach((table, i) => {
            const last = table.length - degree - 2;
            const at = Math.min(Math.max(reached(table, v[i], true) - 1, degree), last);
            const some = isNaN(v[i]) ? [] : bases(v[i], table, at, degree);
            some.forEach((one, k) => (found[start + at - degree + k] = one));
            start += last + 1;
        });
        return found;
    });
}

// The B-splines of a number between two knots, by de Boor's recursion.
function bases(x, knots, at, degree) {
    let found = [1];
    for (let k = 1; k <= degree; k += 1) {
        const next = new Array(k + 1).fill(0);
        for (let j = 0; j < k; j += 1) {
            const [low, high] = [knots[at + j + 1 - k], knots[at + j + 1]];
            const share = found[j] / (high - low);
            next[j] += share * (high - x);
            next[j + 1] = share * (x - low);
        }
        found = next;
    }
    return found;
}

function nearest([x], { points, values, count: many, radius, weights, empty }) {
    same(x, points);
    if (values.length !== points.length || (empty && empty.length !== values[0].length)) {
        throw wrong("has points and values of different numbers");
    }
    if ((many === null) === (radius === null) || many === 0 || many > points.length) {
        throw wrong("needs either a count of its points or a radius");
    }
    return whole(x, values[0].length, (v) => {
        const squares = mapped(points, (point) => square(point, v));
        const chosen = many === null ? within(squares, radius * radius) : least(squares, many);
        if (!chosen.length && !empty) throw refused("The row has no point near enough.");
        return chosen.length ? mean(chosen, values, sharesOf(chosen, squares, weights)) : empty;
    });
}

function within(squares, limit) {
    return [...squares.keys()].filter((i) => squares[i] <= limit);
}

// The places of the least, those that come first before equal ones.
function least(squares, many) {
    const found = [];
    for (let i = 0; i < squares.length; i += 1) {
        if (found.length === many && !(squares[i] < squares[found[many - 1]])) continue;
        if (found.length === many) found.pop();
        let at = found.length;
        while (at > 0 && squares[i] < squares[found[at - 1]]) at -= 1;
        found.splice(at, 0, i);
    }
    return found;
}

// How much each point counts: alike, or by its distance; one that is the row itself counts alone.
function sharesOf(chosen, squares, weights) {
    if (weights === "equal") return chosen.map(() => 1);
    const distances = chosen.map((i) => Math.sqrt(squares[i]));
    return distances.map(distances.includes(0) ? (one) => (one === 0 ? 1 : 0) : (one) => 1 / one);
}

function mean(chosen, values, shares) {
    const total = sum(shares);
    return mapped(values[0], (_, j) => sum(chosen.map((i, k) => shares[k] * values[i][j])) / total);
}

// By Yeo and Johnson (2000).
function yeoJohnson([x], { lambdas }) {
    same(x, [lambdas]);
    return elementwise(x, (one, i) => (one < 0 ? -bent(-one, 2 - lambdas[i]) : bent(one, lambdas[i])));
}

function bent(x, by) {
    return Math.abs(by) < Number.EPSILON ? Math.log1p(x) : Math.expm1(by * Math.log1p(x)) / by;
}

// --- trees -----------------------------------------------------------------------------------------------------------

const TREE = record({
    feature: integers,
    threshold: numbers,
    right: integers,
    values: numbers,
    missing_left: optional(integers),
    categories: optional(listing(integers)),
});
const MISSING_LEFT = 1;
const BY_CATEGORY = 2;

function trees([x, begin], { trees: given, size, at, scale, start }) {
    numeric(begin ? [x, begin] : [x]);
    const width = start.length;
    if (at.length !== given.length) throw wrong("has not one place for each tree");
    if (size < 1 || size > width) throw wrong("has leaves that are empty, or larger than the sum");
    if (size !== 1 && (size !== width || scale !== 1)) throw wrong("has leaves of another size, or scales them");
    below(width - size + 1, at);
    if (begin) same(begin, [start]);
    const { roots, leaves, leafOf } = planted(given, x.width, size);
    const add = (v, from) => {
        const totals = Array.from(from);
        for (let t = 0; t < roots.length; t += 1) {
            const leaf = leafOf(v, roots[t]);
            for (let j = 0; j < size; j += 1) totals[at[t] + j] += scale * leaves[leaf + j];
        }
        return totals;
    };
    const run = x.sparse ? scattered(x.width, add) : add;
    const turn = begin && full(begin);
    return makes(width, ([v, from]) => run(v, begin ? turn(from) : start));
}

// Trees look at few elements: those of a sparse vector are put into one table, and taken out of it again.
function scattered(width, run) {
    let table = null;
    return ({ at, cells }, ...others) => {
        table ??= new Float64Array(width);
        for (let k = 0; k < at.length; k += 1) table[at[k]] = cells[k];
        const found = run(table, ...others);
        for (let k = 0; k < at.length; k += 1) table[at[k]] = 0;
        return found;
    };
}

// All trees as one: their nodes, and the numbers of their leaves, one behind the other.
function planted(given, width, size) {
    const total = (key) => given.reduce((all, tree) => all + tree[key].length, 0);
    const nodes = total("feature");
    const wood = {
        feature: new Int32Array(nodes),
        threshold: new Float64Array(nodes),
        right: new Int32Array(nodes), // of a leaf: where its numbers begin
        ways: new Uint8Array(nodes),
        sets: new Map(),
    };
    const leaves = new Float64Array(total("values"));
    const roots = [];
    let [root, leaf] = [0, 0];
    for (const tree of given) {
        roots.push(root);
        plant(tree, root, leaf, { wood, width, size });
        leaves.set(tree.values, leaf);
        root += tree.feature.length;
        leaf += tree.values.length;
    }
    return { roots, leaves, leafOf: walk(wood) };
}

function plant({ feature, threshold, right, values, missing_left, categories }, root, leaf, { wood, width, size }) {
    const many = feature.length;
    const lengths = [threshold, right, missing_left ?? right].map((table) => table.length);
    if (!many || lengths.some((one) => one !== many)) throw wrong("has a tree of no nodes, or of ragged tables");
    if (values.length % size) throw wrong("has a tree with a leaf of another size");
    if (categories?.length && !missing_left) throw wrong("has categories, but does not say where missing values go");
    for (let i = 0; i < many; i += 1) {
        if (feature[i] >= width || feature[i] < -1) throw wrong("has a tree that looks at what is not there");
        const isLeaf = feature[i] < 0;
        if (isLeaf && (right[i] < 0 || right[i] >= values.length / size)) throw wrong("has a leaf that is not there");
        if (!isLeaf && (right[i] <= i + 1 || right[i] >= many)) throw wrong("has a child not behind its parent");
        wood.right[root + i] = isLeaf ? leaf + right[i] * size : root + right[i];
        if (missing_left && missing_left[i] >> 1) throw wrong("has a tree with a third way for what is missing");
        if (missing_left?.[i]) wood.ways[root + i] = MISSING_LEFT;
    }
    wood.feature.set(feature, root);
    wood.threshold.set(threshold, root);
    for (const [node = -1, ...some] of categories ?? []) {
        if (!(feature[node] >= 0) || wood.sets.has(root + node)) throw wrong("has categories of no node, or twice");
        wood.ways[root + node] |= BY_CATEGORY;
        wood.sets.set(root + node, new Set(some));
    }
}

function walk({ feature, threshold, right, ways, sets }) {
    if (!ways.some((way) => way)) {
        return (x, root) => {
            let node = root;
            for (let i = feature[node]; i >= 0; i = feature[node]) {
                node = x[i] <= threshold[node] ? node + 1 : right[node];
            }
            return right[node];
        };
    }
    return (x, root) => {
        let node = root;
        for (let i = feature[node]; i >= 0; i = feature[node]) {
            const [one, way] = [x[i], ways[node]];
            let left = one <= threshold[node];
            if (isNaN(one)) left = way & MISSING_LEFT;
            else if (way & BY_CATEGORY) left = sets.get(node).has(one);
            node = left ? node + 1 : right[node];
        }
        return right[node];
    };
}

// --- categories ------------------------------------------------------------------------------------------------------

const NOWHERE = -1;
const REFUSED = -2;

// For each element a Map from its categories to what the tables have under `key`.
function known(x, tables, key) {
    same(x, [tables]);
    return tables.map((table, i) => {
        const { cells, [key]: found } = table;
        if (cells.length !== found.length) throw wrong("has a table of categories with other lengths");
        const isText = x.texts?.[i] ?? false;
        if (cells.some((one) => one !== null && (typeof one === "string") !== isText)) {
            throw wrong("has categories of another type than its source");
        }
        const map = new Map(cells.map((one, n) => [one, found[n]]));
        if (map.size !== cells.length) throw wrong("has a category twice");
        return map;
    });
}

function unknownCategory(one) {
    return refused(`The row has a category that this model does not know: ${shown(one)}.`);
}

function onehot([x], { width, tables }) {
    const maps = known(x, tables, "at");
    for (const { at, unknown } of tables) {
        below(width, [...at, unknown].filter((one, n) => one !== NOWHERE && !(one === REFUSED && n === at.length)));
    }
    const run = (v) => {
        const found = new Set();
        for (let i = 0; i < v.length; i += 1) {
            const at = maps[i].get(isNaN(v[i]) ? null : v[i]) ?? tables[i].unknown;
            if (at >= 0) found.add(at);
            else if (at === REFUSED) throw unknownCategory(v[i]);
        }
        const at = [...found];
        return { at, cells: new Array(at.length).fill(1) };
    };
    return makes(width, full(x, run), { sparse: true });
}

function lookup([x], { tables }) {
    const maps = known(x, tables, "values");
    for (const { unknown } of tables) if (unknown.length !== 1) throw wrong("has not one number for what is unknown");
    return makes(x.width, full(x, (v) => mapped(v, (one, i) => {
        const found = maps[i].get(isNaN(one) ? null : one);
        if (found === undefined && tables[i].refuse) throw unknownCategory(one);
        return found ?? tables[i].unknown[0];
    })));
}

// --- texts -----------------------------------------------------------------------------------------------------------

const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACES = new RegExp(`[${SPACE}]+`);
const TWO_SPACES = new RegExp(`[${SPACE}]{2,}`, "g");
const SETS = { word: 1, digit: 2, space: 4, not_word: 8, not_digit: 16, not_space: 32 };
const IN_SET = [
    [SETS.word, /[\p{L}\p{N}_]/u],
    [SETS.digit, /\p{Nd}/u],
    [SETS.space, new RegExp(`[${SPACE}]`)],
];
const IS_MARK = 64;
const ABOVE_ASCII = 0x80;
const seen = new Uint8Array(0x110000); // what `kindOf` found

// In which sets a code point is, as bits.
function kindOf(point) {
    return seen[point] || (seen[point] = looked(String.fromCodePoint(point)));
}

function looked(sign) {
    let found = isMark(sign) ? IS_MARK : 0;
    for (const [set, pattern] of IN_SET) found |= pattern.test(sign) ? set : set * 8;
    return found;
}

// Whether the canonical combining class is not 0. JavaScript does not tell; but NFD brings marks into the order of
// their classes, and U+0345 has the last of all, 240: so any other mark goes before it.
function isMark(sign) {
    return sign === "\u0345" || (sign >= "\u0300" && !`\u0345${sign}`.normalize("NFD").startsWith("\u0345"));
}

function stripped(text, accents) {
    let found = "";
    for (const sign of text.normalize("NFKD")) {
        const point = sign.codePointAt(0);
        if (point < ABOVE_ASCII || (accents === "unicode" && !(kindOf(point) & IS_MARK))) found += sign;
    }
    return found;
}

function pointBefore(text, at) {
    const point = at > 1 ? text.codePointAt(at - 2) : 0;
    return point > 0xffff ? point : text.charCodeAt(at - 1);
}

function unitsOf(point) {
    return point > 0xffff ? 2 : 1;
}

function isBoundary(text, at) {
    const before = at > 0 && kindOf(pointBefore(text, at)) & SETS.word;
    const behind = at < text.length && kindOf(text.codePointAt(at)) & SETS.word;
    return Boolean(before) !== Boolean(behind);
}

const PART = record({
    boundary: flag,
    sets: listing(word(...Object.keys(SETS))),
    ranges: integers,
    not: flag,
    least: count,
    most: optional(count),
});

// The parts of a token pattern, each with the function that says which code points it takes.
function compiled(parts) {
    const signs = parts?.filter((part) => !part.boundary) ?? [];
    if (!signs.length || parts.length > MOST_PARTS || signs.filter(({ most }) => most === null).length > MOST_OPEN) {
        throw wrong("has a token pattern of no parts, or of too many");
    }
    const lengths = signs.reduce((all, { least, most }) => all * (most === null ? 1 : most - least + 1), 1);
    if (lengths > MOST_REPEATS) throw wrong("has a token pattern whose parts may be of too many lengths");
    return parts.map(({ boundary, sets, ranges, not, least, most: end }) => {
        if (boundary) return { boundary };
        const most = end ?? Infinity;
        if (ranges.length % 2 || ranges.some((one, n) => one < 0 || one > 0x10ffff || (n % 2 && one < ranges[n - 1]))) {
            throw wrong("has a token pattern with ranges that are none");
        }
        if (!(sets.length || ranges.length) || least < 1 || most < least) throw wrong("has a part that fits nothing");
        if (Math.max(least, end ?? 0) > MOST_REPEATS) throw wrong("has a token pattern that repeats too often");
        const mask = sets.reduce((all, set) => all | SETS[set], 0);
        const takes = (point) => {
            let inside = (kindOf(point) & mask) !== 0;
            for (let n = 0; n < ranges.length && !inside; n += 2) inside = ranges[n] <= point && point <= ranges[n + 1];
            return inside !== not;
        };
        return { boundary, least, most, takes };
    });
}

// Where what the parts from `number` on find at `at` ends, or -1. Each part takes as much as it can, and gives back as
// much as those behind it need.
function ending(parts, number, text, at) {
    if (number === parts.length) return at;
    const { boundary, least, most, takes } = parts[number];
    if (boundary) return isBoundary(text, at) ? ending(parts, number + 1, text, at) : -1;
    let [many, end] = [0, at];
    for (let point; many < most && end < text.length && takes((point = text.codePointAt(end))); many += 1) {
        end += unitsOf(point);
    }
    for (; many >= least; many -= 1) {
        const found = ending(parts, number + 1, text, end);
        if (found >= 0) return found;
        end -= end > at ? unitsOf(pointBefore(text, end)) : 0;
    }
    return -1;
}

function tokensOf(text, parts, stop) {
    const found = [];
    for (let at = 0; at < text.length; ) {
        const end = ending(parts, 0, text, at);
        if (end >= 0) {
            const token = text.slice(at, end);
            if (!stop.has(token)) found.push(token);
        }
        at = end > at ? end : at + unitsOf(text.codePointAt(at));
    }
    return found;
}

// The functions that call `each` with every term of a text.
const ANALYZERS = {
    word({ pattern, stop_words }, least, most) {
        const [parts, stop] = [compiled(pattern), new Set(stop_words)];
        return (text, each) => {
            const tokens = tokensOf(text, parts, stop);
            for (let n = least; n <= Math.min(most, tokens.length); n += 1) {
                if (n === 1) tokens.forEach((token) => each(token));
                else for (let i = 0; i + n <= tokens.length; i += 1) each(tokens.slice(i, i + n).join(" "));
            }
        };
    },
    char(_, least, most) {
        return (text, each) => runs(text.replace(TWO_SPACES, " "), least, most, each);
    },
    char_wb(_, least, most) {
        return (text, each) => {
            for (const one of text.split(SPACES)) {
                if (!one) continue;
                const length = runs(` ${one} `, least, most, each);
                if (length < least) each(` ${one} `);
            }
        };
    },
};

// All runs of `least` to `most` code points; returns how many code points there are.
function runs(text, least, most, each) {
    const starts = new Int32Array(text.length + 1);
    let length = 0;
    for (let at = 0; at < text.length; at += unitsOf(text.codePointAt(at))) starts[length++] = at;
    starts[length] = text.length;
    for (let n = least; n <= Math.min(most, length); n += 1) {
        for (let i = 0; i + n <= length; i += 1) each(text.slice(starts[i], starts[i + n]));
    }
    return length;
}

const ANALYZED = {
    lowercase: flag,
    accents: optional(word("ascii", "unicode")),
    analyzer: word("word", "char", "char_wb"),
    pattern: optional(listing(PART)),
    stop_words: texts,
    ngrams: integers,
    binary: flag,
};

// The step that adds up `amount` of each term at the place of it; a term without a place counts nowhere.
function counting(x, width, fields, placeOf, amountOf) {
    if (x.width !== 1 || !x.texts) throw wrong("needs one text");
    const { lowercase, accents, analyzer, ngrams, binary } = fields;
    const [least, most] = ngrams;
    if (ngrams.length !== 2 || least < 1 || most < least || most > MOST_REPEATS) throw wrong("has no range of n-grams");
    const analyze = ANALYZERS[analyzer](fields, least, most);
    const run = ([given]) => {
        if (given === null) throw refused("The row has a missing text, which this model does not take.");
        const lower = lowercase ? given.toLowerCase() : given;
        const counts = new Map();
        analyze(accents ? stripped(lower, accents) : lower, (term) => {
            const place = placeOf(term);
            if (place !== undefined) counts.set(place, binary ? 1 : (counts.get(place) ?? 0) + amountOf(term));
        });
        return { at: [...counts.keys()], cells: [...counts.values()] };
    };
    return makes(width, run, { sparse: true });
}

function countTerms([x], { terms, ...fields }) {
    const places = new Map();
    terms.forEach((term, place) => places.set(term, place));
    if (places.size !== terms.length) throw wrong("has a term twice");
    return counting(x, terms.length, fields, (term) => places.get(term), () => 1);
}

function hashTerms([x], { width, signs, ...fields }) {
    if (!width) throw wrong("has no width");
    let hash = 0; // of the term whose place was asked last
    const placeOf = (term) => {
        hash = murmur3(utf8(term));
        return Math.abs(hash) % width;
    };
    return counting(x, width, fields, placeOf, () => (signs && hash < 0 ? -1 : 1));
}

const encoder = new TextEncoder();

function utf8(term) {
    if (/\p{Surrogate}/u.test(term)) throw refused("The row has a text with half of a pair of surrogates.");
    return encoder.encode(term);
}

// MurmurHash3 (x86, 32 bits, seed 0), by Austin Appleby, in the public domain.
function murmur3(bytes) {
    const whole = bytes.length & ~3;
    const mix = (value) => Math.imul(rotated(Math.imul(value, 0xcc9e2d51), 15), 0x1b873593);
    const at = (i) => (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16);
    let hash = 0;
    for (let i = 0; i < whole; i += 4) {
        hash = (Math.imul(rotated(hash ^ mix(at(i) | (bytes[i + 3] << 24)), 13), 5) + 0xe6546b64) | 0;
    }
    if (whole < bytes.length) hash ^= mix(at(whole));
    hash ^= bytes.length;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
}

function rotated(value, by) {
    return (value << by) | (value >>> (32 - by));
}

// --- all kinds of steps: what makes one, its fields, and how many sources it has at least and at most ----------------

const OPS = new Map(Object.entries({
    take: [take, { indexes: integers }],
    concat: [concat, {}, 1, MOST_STEPS],
    sum: [sumOf, {}, 1, MOST_STEPS],
    add: [withValues((values) => (one, i) => one + values[i], false), { values: numbers }],
    subtract: [withValues((values) => (one, i) => one - values[i], false), { values: numbers }],
    multiply: [withValues((values) => (one, i) => one * values[i], true), { values: numbers }],
    divide: [withValues((values) => (one, i) => one / values[i], true), { values: divisors }],
    clip: [clip, { low: numbers, high: numbers }],
    constant: [([x], { values }) => makes(values.length, () => values), { values: numbers }],
    finite: [finite, { missing: flag }],
    float32: [([x]) => elementwise(x, (one) => Math.fround(one), { ofZero: true }), {}],
    linear: [linear, { weights: matrix, bias: numbers }],
    normalize: [normalize, { norm: word("l1", "l2", "max"), least: number }],
    sublinear: [sublinear, {}],
    binarize: [binarize, { threshold: number }],
    fill: [fill, { values: cells, missing: cell }],
    missing: [missingAt, { indexes: integers, missing: cell }],
    apply: [apply, { function: word(...Object.keys(FUNCTIONS)) }],
    softmax: [softmax, {}],
    posterior: [posterior, {}],
    shares: [shares, { zero: word("equal", "none", "missing") }],
    complement: [complement, {}],
    argmax: [argmax, { starts: integers }],
    above: [above, { threshold: number, equal: flag }],
    reduce: [reduce, { how: word("sum", "product"), groups: count }],
    median: [median, { weights: numbers }],
    votes: [votes, { weights: numbers, classes: count }],
    quotient: [quotient, {}, 2, 2],
    products: [products, { factors: listing(integers) }],
    bins: [bins, { edges: listing(numbers) }],
    yeo_johnson: [yeoJohnson, { lambdas: numbers }],
    interpolate: [
        interpolate,
        { at: listing(numbers), values: listing(numbers), outside: word("nearest", "missing", "refuse") },
    ],
    kernel: [
        kernel,
        {
            points: matrix,
            kind: word("rbf", "polynomial", "sigmoid", "distance"),
            gamma: number,
            offset: number,
            degree: count,
        },
    ],
    spline: [spline, { knots: listing(numbers), degree: count }],
    nearest: [
        nearest,
        {
            points: matrix,
            values: matrix,
            count: optional(count),
            radius: optional(number),
            weights: word("equal", "distance"),
            empty: optional(gaps),
        },
    ],
    trees: [trees, { trees: listing(TREE), size: count, at: integers, scale: number, start: numbers }, 1, 2],
    onehot: [onehot, { width: count, tables: listing(record({ cells, at: integers, unknown: integer })) }],
    lookup: [lookup, { tables: listing(record({ cells, values: gaps, unknown: gaps, refuse: flag })) }],
    count: [countTerms, { ...ANALYZED, terms: texts }],
    hash: [hashTerms, { ...ANALYZED, width: count, signs: flag }],
}));

// --- the document ----------------------------------------------------------------------------------------------------

function made(document) {
    if (!isTable(document, ["format_version", "inputs", "steps", "outputs"])) {
        throw wrong("The model is no table of format_version, inputs, outputs, steps.");
    }
    if (document.format_version !== 1) throw wrong("The model has another format_version than 1.");
    const inputs = inputsOf(document.inputs);
    const isText = inputs.map(({ type }) => type === "text");
    const values = [makes(inputs.length, null, { texts: isText.includes(true) ? isText : null })];
    const plan = [];
    let together = inputs.length;
    for (const step of list(document.steps, MOST_STEPS, "What the model has as steps ")) {
        const value = stepOf(step, values);
        together += value.width;
        if (value.width > MOST || together > MOST_TOGETHER) {
            throw wrong(`Step ${values.length}: the vectors of all steps are too wide.`);
        }
        values.push(value);
        plan.push({ run: value.run, sources: step.from, many: (OPS.get(step.op)[3] ?? 1) > 1 });
    }
    return modelOf(inputs, plan, outputsOf(document.outputs, values));
}

function inputsOf(given) {
    const names = new Set();
    for (const one of list(given, MOST, "What the model has as inputs ")) {
        if (!isTable(one, ["name", "type"]) || typeof one.name !== "string" || names.has(one.name)) {
            throw wrong("The model has an input without a name of its own.");
        }
        if (one.type !== "text" && one.type !== "number") throw wrong(`The input ${shown(one.name)} has no type.`);
        names.add(one.name);
    }
    if (!names.size) throw wrong("The model has no inputs.");
    return given.map(({ name, type }) => Object.freeze({ name, type }));
}

function stepOf(step, values) {
    const op = OPS.get(step?.op);
    try {
        if (!op) throw wrong("there is no such step");
        const [make, fields, fewest = 1, most = 1] = op;
        if (!isTable(step, ["op", "from", ...Object.keys(fields)])) throw wrong("has other fields");
        const isEarlier = (one) => Number.isInteger(one) && one >= 0 && one < values.length;
        if (!list(step.from, MOST_STEPS).every(isEarlier)) throw wrong("names a source that is no earlier step");
        if (step.from.length < fewest || step.from.length > most) throw wrong(`has ${step.from.length} sources`);
        return make(step.from.map((one) => values[one]), checked(fields, step));
    } catch (error) {
        throw new ModelError(`Step ${values.length} (${shown(step?.op)}): ${error.message}.`, { cause: error });
    }
}

function outputsOf(given, values) {
    const names = new Set();
    const outputs = list(given, MOST, "What the model has as outputs ").map((output) => {
        if (!isTable(output, ["name", "from", "at", "labels"])) throw wrong("The model has an output that is none.");
        const { name, from, at, labels } = output;
        if (typeof name !== "string" || names.has(name)) throw wrong("The model has an output without its own name.");
        names.add(name);
        const value = Number.isInteger(from) && from >= 0 ? values[from] : undefined;
        if (!value || value.texts || !Number.isInteger(at) || at < 0 || at >= value.width) {
            throw wrong(`The output ${shown(name)} is of an element that is not there, or a text.`);
        }
        if (labels !== null) checkLabels(name, list(labels, MOST), value.choices?.[at]);
        return { name, from, at, labels, value };
    });
    if (!outputs.length) throw wrong("The model has no outputs.");
    return outputs;
}

function checkLabels(name, labels, choices) {
    if (!(choices <= labels.length)) throw wrong(`The output ${shown(name)} has too few labels, or chooses none.`);
    for (const one of labels) {
        if (!["string", "number", "boolean"].includes(typeof one)) {
            throw wrong(`The output ${shown(name)} has a label that is neither text nor number, true or false.`);
        }
        // Integers beyond 2^53 were rounded when they were read: two labels could have become one.
        if (typeof one === "number" && !(Math.abs(one) <= Number.MAX_SAFE_INTEGER)) {
            throw wrong(`The output ${shown(name)} has a label beyond 2^53, which JavaScript does not hold.`);
        }
    }
}

function modelOf(inputs, plan, outputs) {
    const predictRow = (row) => {
        const vectors = [rowOf(inputs, row)];
        for (const { run, sources, many } of plan) {
            vectors.push(many ? run(sources.map((one) => vectors[one])) : run(vectors[sources[0]]));
        }
        // Unlike an assignment this takes any name, `__proto__` too.
        return Object.fromEntries(outputs.map(({ name, from, at, labels, value }) => {
            const found = value.sparse ? cellsOf(value, vectors[from])(at) : vectors[from][at];
            return [name, labels ? labels[found] : found];
        }));
    };
    const predict = (rows) => {
        if (typeof rows !== "object" || !rows?.[Symbol.iterator]) throw refused("The rows are no list of objects.");
        return Array.from(rows, (row, index) => {
            try {
                return predictRow(row);
            } catch (error) {
                if (error instanceof RowError) error.index = index;
                throw error;
            }
        });
    };
    const names = outputs.map(({ name }) => name);
    return Object.freeze({ inputs: Object.freeze(inputs), outputs: Object.freeze(names), predictRow, predict });
}

function rowOf(inputs, row) {
    if (typeof row !== "object" || row === null) throw refused(`The row is no object of columns: ${shown(row)}.`);
    let given = 0;
    const vector = inputs.map(({ name, type }) => {
        if (!Object.hasOwn(row, name)) return type === "text" ? null : NaN;
        given += 1;
        return type === "text" ? textOf(name, row[name]) : numberOf(name, row[name]);
    });
    const names = Object.keys(row);
    if (!given || names.length > given) {
        const other = names.find((name) => !inputs.some((input) => input.name === name));
        if (other !== undefined) throw refused(`The row has a column that this model does not know: ${shown(other)}.`);
        if (!given) throw refused("The row has none of the columns of this model.");
    }
    return vector;
}

function textOf(name, value) {
    if (typeof value === "string") return value;
    if (value === null || value === undefined) return null;
    throw refused(`The column ${shown(name)} is a text, the row has ${shown(value)}.`);
}

function numberOf(name, value) {
    if (typeof value === "number") return value;
    if (value === null || value === undefined) return NaN;
    if (typeof value === "boolean") return value ? 1 : 0;
    if (typeof value === "bigint" && Number.isFinite(Number(value))) return Number(value);
    throw refused(`The column ${shown(name)} is a number, the row has ${shown(value)}.`);
}
