// Asks the model in this folder for the rows of golden.jsonl, and compares: ends with 1 if an answer is another,
// or if there is no asking.
//
//     node selftest.mjs
//
// Numbers agree if |a - b| <= tolerance * max(scale, |b|), b being the expected one; labels are equal, except at a tie:
// where the two largest expected probabilities of that target are at most twice the tolerance apart.

import { readFileSync } from "node:fs";
import { load, ModelError, RowError, shown } from "./model.mjs";

const MOST = 20;
const file = (name) => {
    try {
        return readFileSync(new URL(name, import.meta.url), "utf8");
    } catch (error) {
        throw new ModelError(error.message, { cause: error });
    }
};
const isNumber = (cell) => typeof cell === "number";
const difference = (want, got) => (isNumber(want) && isNumber(got) ? Math.abs(got - want) : 0);

function isTie(name, expected, golden) {
    const prefix = `probability${name.slice("prediction".length)}.`;
    const top = Object.entries(expected)
        .filter(([other, cell]) => other.startsWith(prefix) && isNumber(cell))
        .map(([, cell]) => cell)
        .sort((a, b) => b - a);
    return top.length > 1 && top[0] - top[1] <= 2 * golden.tolerance;
}

function agrees(name, expected, answer, golden, labels) {
    if (!Object.hasOwn(expected, name) || !Object.hasOwn(answer, name)) return false;
    const [want, got] = [expected[name], answer[name]];
    if (labels && !name.startsWith("probability.")) return want === got || isTie(name, expected, golden);
    if (!isNumber(want) || !isNumber(got)) return want === got || (want === null && Number.isNaN(got));
    const scale = isNumber(golden.scale) ? golden.scale : (golden.scale[name] ?? 1);
    return difference(want, got) <= golden.tolerance * Math.max(scale, Math.abs(want));
}

function main() {
    const model = load(file("about.json"), file("model.json"));
    const { golden, task } = model.about;
    const lines = file("golden.jsonl").split("\n").filter(Boolean);
    const wrong = [];
    let largest = 0;
    for (const [number, line] of lines.entries()) {
        const { row, expected } = JSON.parse(line);
        let answer;
        try {
            [answer] = model.predict([row]);
        } catch (error) {
            if (!(error instanceof RowError)) throw error;
            wrong.push(`row ${number} has no answer: ${error.message}`);
            continue;
        }
        for (const name of new Set([...Object.keys(expected), ...Object.keys(answer)])) {
            largest = Math.max(largest, difference(expected[name], answer[name]));
            if (!agrees(name, expected, answer, golden, !task.endsWith("regression"))) {
                wrong.push(`row ${number}, ${shown(name)}: ${shown(answer[name])}, expected ${shown(expected[name])}`);
            }
        }
    }
    for (const text of wrong.slice(0, MOST)) console.log(text);
    console.log(`${lines.length} rows, ${wrong.length} answers that differ, largest difference ${largest.toPrecision(3)}.`);
    return wrong.length || !lines.length ? 1 : 0;
}

try {
    process.exitCode = main();
} catch (error) {
    if (!(error instanceof ModelError)) throw error;
    console.error(`Error: the model cannot be loaded: ${error.message}`);
    process.exitCode = 1;
}
