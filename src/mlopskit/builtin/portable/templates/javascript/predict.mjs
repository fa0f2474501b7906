// Answers rows with the model in this folder; it needs Node 20 or later and the files beside it.
//
//     node predict.mjs [ROWS]
//
// ROWS is a file of rows in JSON; without it, they are read from standard input. A row is an object with a value for
// each input that about.json names, null where it is missing: one object, a list of them, or one on each line. For each
// row an object is printed. It ends with 2 if a row does not fit, and says which; with 3 if the model cannot be
// loaded.

import { readFileSync } from "node:fs";
import { load, ModelError, RowError, shown } from "./model.mjs";

const file = (name) => {
    try {
        return readFileSync(new URL(name, import.meta.url), "utf8");
    } catch (error) {
        throw new ModelError(error.message, { cause: error });
    }
};

function parse(text) {
    try {
        return JSON.parse(text);
    } catch (error) {
        throw new RowError(`this is no JSON: ${shown(error.message)}`);
    }
}

const isFlat = (row) => row === null || Object.values(row).every((cell) => typeof cell !== "object" || cell === null);

// JSON.parse keeps the last of several columns of one name, and does not say so: then the text has more names.
function namesIn(text) {
    let count = 0;
    for (const [, colon] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g)) count += colon === undefined ? 0 : 1;
    return count;
}

function rowsOf(text) {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    let found;
    try {
        found = JSON.parse(text);
    } catch {
        found = lines.map(parse);
    }
    const rows = [found].flat();
    if (rows.length === 0) throw new RowError("there are no rows");
    const names = rows.reduce((sum, row) => sum + Object.keys(row ?? {}).length, 0);
    if (namesIn(text) > names && rows.every(isFlat)) throw new RowError("a row has a column twice");
    return rows;
}

async function bytesOf(path) {
    if (path !== undefined) return readFileSync(path);
    const chunks = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    return Buffer.concat(chunks);
}

async function read(path) {
    try {
        return rowsOf(new TextDecoder("utf-8", { fatal: true }).decode(await bytesOf(path)));
    } catch (error) {
        if (error instanceof RowError) throw error;
        throw new RowError(`${shown(path ?? "standard input")} cannot be read: ${error.message}`);
    }
}

async function main(args) {
    if (args.length > 1) {
        console.error("Error: give one file of rows, or none.");
        return 2;
    }
    try {
        const answers = load(file("about.json"), file("model.json")).predict(await read(args[0]));
        process.stdout.write(answers.map((answer) => `${JSON.stringify(answer)}\n`).join(""));
        return 0;
    } catch (error) {
        if (error instanceof ModelError) {
            console.error(`Error: the model cannot be loaded: ${error.message}`);
            return 3;
        }
        if (!(error instanceof RowError)) throw error;
        console.error(`Error: ${error.index === null ? "" : `row ${error.index} `}${error.message}`);
        return 2;
    }
}

process.stdout.on("error", () => process.exit(141)); // whoever read has read enough
process.exitCode = await main(process.argv.slice(2));
