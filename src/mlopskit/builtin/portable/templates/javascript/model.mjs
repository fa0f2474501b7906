// The model in this folder, with its columns checked: rows in, rows of answers out. For Node and for browsers.
//
//     const model = load(await text("about.json"), await text("model.json"));
//     model.predict([{ ... }]);     // RowError if a row does not fit; `index` says which

import { load as loadTables, ModelError, RowError } from "./portable.mjs";

export { ModelError, RowError };

const KINDS = {
    string: (cell) => typeof cell === "string",
    boolean: (cell) => typeof cell === "boolean",
    null: (cell) => cell === null,
    number: (cell) => Number.isFinite(cell),
    integer: (cell) => Number.isInteger(cell) && cell >= -(2 ** 63) && cell < 2 ** 63,
};

export function load(about, tables) {
    const told = parsed(about);
    const { properties, required } = told.schema.inputs;
    const model = loadTables(tables);

    function check(row, index) {
        const reason = misfitOfRow(row, properties, required);
        if (reason !== null) throw at(new RowError(reason), index);
    }

    return {
        about: told,
        predict(rows) {
            rows.forEach(check);
            return model.predict(rows);
        },
    };
}

function parsed(about) {
    try {
        const told = JSON.parse(about);
        if (!Array.isArray(told.schema.inputs.required)) throw new TypeError("there are no inputs");
        return told;
    } catch (error) {
        throw new ModelError(`about.json is not whole: ${error.message}`, { cause: error });
    }
}

function at(error, index) {
    error.index = index;
    return error;
}

function misfitOfRow(row, properties, required) {
    if (typeof row !== "object" || row === null || Array.isArray(row)) return `is no object: ${shown(row)}`;
    const missing = required.filter((name) => !Object.hasOwn(row, name)).map((name) => `lacks ${shown(name)}`);
    const extra = Object.keys(row)
        .filter((name) => !Object.hasOwn(properties, name))
        .map((name) => `has ${shown(name)}`);
    if (missing.length || extra.length) {
        return `${[...missing.slice(0, 5), ...extra.slice(0, 5)].join(", ")}; its columns are ${shown(required)}`;
    }
    for (const name of required) {
        const reason = misfit(row[name], properties[name]);
        if (reason !== null) return `column ${shown(name)}: ${shown(row[name])} ${reason}`;
    }
    return null;
}

// Returns why a cell does not fit a column, null if it does.
export function misfit(cell, spec) {
    const kinds = [spec.type].flat();
    if (!kinds.some((kind) => KINDS[kind](cell))) return `is not ${kinds.join(" or ")}`;
    if (spec.enum !== undefined && !spec.enum.includes(cell)) return `is none of ${shown(spec.enum)}`;
    if (typeof cell === "string") return [...cell].length > (spec.maxLength ?? Infinity) ? "is too long" : null;
    if (typeof cell !== "number") return null;
    const inside = (spec.minimum ?? -Infinity) <= cell && cell <= (spec.maximum ?? Infinity);
    return inside ? null : "is too small or too large";
}

// Returns a foreign value on one line, shortened.
export function shown(value) {
    const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? typeof value);
    const plain = text.replace(/[^ -~]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
    return plain.length > 60 ? `${plain.slice(0, 57)}...` : plain;
}
