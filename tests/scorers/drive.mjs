// Drives the JavaScript scorer by lines of JSON on standard input, one line of JSON on standard output for each:
//     {"path": FILE}, {"text": MODEL} or {"base64": BYTES}
//                                          {"outputs": [NAME, …]}, or {"refused": MESSAGE} if it is no model
//     {"rows": [ROW, …]}                   {"answers": [[CELL, …], …]}; null for a row that is refused
//     {"functions": [[NAME, X], …]}        {"values": [CELL, …]} of Math
//     {"points": LOOK}                     {"values": [FOUND, …]}, of every code point
// In a ROW, {"bigint": DIGITS} and {"number": WORD} are numbers that JSON would lose. A CELL is what JSON holds, or the text "NaN",
// "Infinity", "-Infinity" or "-0" in a list of its own.
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { load, ModelError, RowError } from "../../src/mlopskit/scorers/portable.mjs";

let model = null;

function cell(value) {
    const plain = typeof value !== "number" || (Number.isFinite(value) && !Object.is(value, -0));
    return plain ? value : [Object.is(value, -0) ? "-0" : String(value)];
}

function revived(row) {
    for (const [name, value] of Object.entries(row ?? {})) {
        if (value?.bigint) row[name] = BigInt(value.bigint);
        if (value?.number) row[name] = Number(value.number);
    }
    return row;
}

function answer(row) {
    try {
        const found = model.predictRow(row);
        return model.outputs.map((name) => cell(found[name]));
    } catch (error) {
        if (error instanceof RowError) return null;
        throw error;
    }
}

const LOOKS = {
    word: (sign) => Number(/[\p{L}\p{N}_]/u.test(sign)),
    digit: (sign) => Number(/\p{Nd}/u.test(sign)),
    lower: (sign) => sign.toLowerCase(),
    nfkd: (sign) => sign.normalize("NFKD"),
    sigma: (sign) => [`A${sign}Σ`, `AΣ${sign}`, `AΣ${sign}B`, `${sign}Σ`].map((text) => text.toLowerCase()),
};

const commands = {
    base64: (text) => commands.text(Buffer.from(text, "base64")),
    path: (path) => commands.text(readFileSync(path)),
    text(text) {
        model = load(text);
        return { outputs: model.outputs };
    },
    rows: (rows) => ({ answers: rows.map(revived).map(answer) }),
    functions: (asked) => ({ values: asked.map(([name, x]) => cell(Math[name](x))) }),
    points: (look) => ({ values: Array.from({ length: 0x110000 }, (_, at) => LOOKS[look](String.fromCodePoint(at))) }),
};

for await (const line of createInterface({ input: process.stdin })) {
    const [[command, argument]] = Object.entries(JSON.parse(line));
    let said;
    try {
        said = commands[command](argument);
    } catch (error) {
        said = error instanceof ModelError ? { refused: error.message } : { broken: error.stack };
    }
    console.log(JSON.stringify(said));
}
