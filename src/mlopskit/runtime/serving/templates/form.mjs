// A form made from a model's schema.
import { at, made, read, types } from "./page.mjs";

const WORDS = { string: "text", number: "a number", integer: "a whole number", boolean: "true or false", null: "may be missing" };
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?(e[-+]?\d+)?$/i;
let fields = [];
let base = "";

const source = (value) => (typeof value === "bigint" ? String(value) : JSON.stringify(value));
const text = (value) => (value === null ? "" : String(value));

function hint(spec) {
  const bounds = { minimum: "at least", maximum: "at most", maxLength: "of a length of at most" };
  const said = Object.entries(bounds).filter(([key]) => key in spec).map(([key, word]) => `${word} ${spec[key]}`);
  return [...types(spec).map((type) => WORDS[type]), ...said].join(", ");
}

// A field for a column: `read` gives its value as JSON, `write` takes a value.
class Field {
  constructor(name, spec, id) {
    this.name = name;
    this.spec = spec;
    this.known = spec.enum ?? (types(spec).includes("boolean") ? [true, false] : null);
    if (this.known && types(spec).includes("null") && !this.known.includes(null)) this.known = [null, ...this.known];
    this.control = made(this.known ? "select" : "input", "", { id, "aria-describedby": `${id}-hint ${id}-error` });
    for (const value of this.known ?? []) this.control.add(new Option(value === null ? "(missing)" : text(value), source(value)));
    this.error = made("p", "", { id: `${id}-error`, class: "error" });
    this.parts = [made("label", name, { for: id }), this.control, made("p", hint(spec), { id: `${id}-hint`, class: "hint" }), this.error];
    if (!this.known && types(spec).includes("null")) this.addMissing();
  }

  // Only a box tells missing from empty text.
  addMissing() {
    this.missing = made("input", "", { type: "checkbox" });
    this.missing.checked = true;
    const label = made("label", "", { class: "beside" });
    label.append(this.missing, " missing");
    this.parts.splice(2, 0, label);
    this.control.addEventListener("input", () => { this.missing.checked = false; });
  }

  read() {
    if (this.known) return this.control.value;
    if (this.missing?.checked) return "null";
    const given = this.control.value;
    const trimmed = given.trim();
    if (types(this.spec).includes("string") || !NUMBER.test(trimmed)) return JSON.stringify(given);
    return JSON_NUMBER.test(trimmed) ? trimmed : JSON.stringify(Number(trimmed));
  }

  write(value) {
    this.control.value = this.known ? source(value) : text(value);
    if (this.missing) this.missing.checked = value === null;
  }

  mark(message) {
    this.error.textContent = message;
    if (!message) return this.control.removeAttribute("aria-invalid");
    this.control.setAttribute("aria-invalid", "true");
    this.control.focus();
  }
}

function show(said, about = "") {
  at("answer").textContent = said;
  at("about").textContent = about;
}

// At its field if it is about one, else below.
function showError(error) {
  const field = fields.find(({ name }) => name === error.column);
  if (field) field.mark(error.message);
  show(field ? "" : error.message);
}

async function examples(chosen) {
  const { paths } = await read("openapi.json");
  const rows = paths[`/models/${chosen}/predict`]?.post.requestBody.content["application/json"].example?.rows ?? [];
  at("examples").hidden = !rows.length;
  at("example").replaceChildren(new Option("", ""), ...rows.map((row, place) =>
    new Option(`${place + 1}: ${Object.values(row).map(text).join(", ")}`.slice(0, 80), place)));
  at("example").onchange = () => {
    const row = rows[at("example").value];
    if (row) for (const field of fields) field.write(row[field.name]);
  };
}

async function begin() {
  show("");
  try {
    const { models } = await read("models");
    at("choice").hidden = models.length < 2;
    const chosen = models.includes(at("model").value) ? at("model").value : models[0];
    at("model").replaceChildren(...models.map((name) => new Option(name, name, false, name === chosen)));
    base = `models/${chosen}/`;
    at("name").textContent = document.title = chosen;
    const { inputs } = await read(`${base}schema`);
    fields = inputs.required.map((name, place) => new Field(name, inputs.properties[name], `input-${place}`));
    at("inputs").replaceChildren(...fields.flatMap(({ parts }) => parts));
    await examples(chosen);
    at("form").hidden = false;
    at("access").hidden = true;
  } catch (error) {
    at("form").hidden = true;
    showError(error);
  }
}

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  show("");
  for (const field of fields) field.mark("");
  const row = fields.map((field) => `${JSON.stringify(field.name)}:${field.read()}`).join();
  try {
    const said = await read(`${base}predict`, { method: "POST", type: "application/json", body: `{"row":{${row}}}` });
    const lines = Object.entries(said.row).map(([name, value]) => `${name}: ${text(value)}`);
    show(lines.join("\n"), `Answered by ${said.digest}, request ${said.request_id}`);
  } catch (error) {
    showError(error);
  }
});
for (const [id, event] of [["access", "submit"], ["model", "change"]]) {
  at(id).addEventListener(event, (happened) => { happened.preventDefault(); begin(); });
}
begin();
