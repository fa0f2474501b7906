// The page: a field for each input, and the answer to what stands in them. Nothing is sent anywhere.

import { load } from "./model.mjs";

const part = (id) => document.getElementById(id);
const text = async (name) => (await fetch(name)).text();

function cell(value, spec) {
    const kinds = [spec.type].flat();
    if (value === "" && kinds.includes("null")) return null;
    if (kinds.includes("boolean") && ["true", "false"].includes(value)) return value === "true";
    const plain = kinds.includes("string") || value.trim() === "" || Number.isNaN(Number(value));
    return plain ? value : Number(value);
}

const model = load(await text("about.json"), await text("model.json"));
const { properties, required } = model.about.schema.inputs;
part("name").textContent = model.about.name;
part("answer").textContent = "";
const fields = required.map((name) => {
    const [label, input] = [document.createElement("label"), document.createElement("input")];
    label.textContent = `${name} (${[properties[name].type].flat().join(" or ")})`;
    label.append(input);
    part("inputs").append(label);
    return [name, input];
});
part("form").addEventListener("submit", (event) => {
    event.preventDefault();
    try {
        // JSON, since a column may have a name such as __proto__, which assigning would not make.
        const row = `{${fields.map(([name, input]) => `${JSON.stringify(name)}:${JSON.stringify(cell(input.value, properties[name]))}`)}}`;
        part("answer").textContent = JSON.stringify(model.predict([JSON.parse(row)])[0], null, 1);
    } catch (error) {
        part("answer").textContent = error.message;
    }
});
