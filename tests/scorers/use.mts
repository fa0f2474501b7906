// What a user of the scorer's types writes; `@ts-expect-error` stands above what they must refuse.
import { load, ModelError, RowError, type Answer, type Model, type Row } from "../../src/mlopskit/scorers/portable.mjs";

const model: Model = load(new Uint8Array([123, 125]));
const names: string[] = model.inputs.filter(({ type }) => type === "text").map(({ name }) => name);
const rows: Row[] = [{ age: 41, colour: "red", id: 2n ** 60n, flag: true, gone: null, absent: undefined }];
const answers: Answer[] = model.predict(new Set(rows));
const found: string | number | boolean | undefined = model.predictRow(rows[0]!)[names[0]!];

try {
    load("{}");
    load(new ArrayBuffer(8));
} catch (error) {
    if (error instanceof RowError) console.log(error.index === null ? answers : found);
    if (error instanceof ModelError) console.log(error.message);
}

// @ts-expect-error a row is an object of cells
model.predictRow({ age: [41] });
// @ts-expect-error rows are a list
model.predict({ age: 41 });
// @ts-expect-error a model is a text or bytes
load(41);
// @ts-expect-error the names do not change
model.outputs.push("another");
