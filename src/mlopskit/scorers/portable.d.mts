// Types of portable.mjs: TypeScript finds them beside it.

/** What a column of a row may be: null, undefined, NaN and an absent column are missing. */
export type Cell = string | number | bigint | boolean | null | undefined;

/** A row: its columns by name. */
export type Row = { readonly [column: string]: Cell };

/** The outputs of a row by name: labels as the model has them, and numbers. */
export type Answer = { [output: string]: string | number | boolean };

export interface Input {
    readonly name: string;
    readonly type: "text" | "number";
}

export interface Model {
    /** The columns of a row, in their order. */
    readonly inputs: readonly Input[];
    /** The names of the outputs, in their order. */
    readonly outputs: readonly string[];
    /** Answers a row. Throws a RowError if it has no answer. */
    predictRow(row: Row): Answer;
    /** Answers rows. Throws a RowError with the `index` of the first row that has no answer. */
    predict(rows: Iterable<Row>): Answer[];
}

/** A model.json is none, or not one that this scorer knows. */
export class ModelError extends Error {}

/** A row has no answer. */
export class RowError extends Error {
    /** The row's place in what `predict` was given. */
    index: number | null;
}

/** Returns the model in the text or bytes of a model.json, all of it checked. Throws a ModelError. */
export function load(data: string | Uint8Array | ArrayBuffer): Model;
