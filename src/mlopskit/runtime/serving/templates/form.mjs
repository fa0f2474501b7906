// A form made from a model's schema. All that comes from the server is put in as text, never as markup.
const at = (id) => document.getElementById(id);
const fields = new Map();
let base = "";

async function ask(path, row) {
  const headers = { "content-type": "application/json" };
  if (at("token").value) headers.authorization = `Bearer ${at("token").value}`;
  const asked = row === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify({ row }) };
  const reply = await fetch(path, asked);
  const said = await reply.json();
  if (reply.status === 401) at("access").hidden = false;
  if (!reply.ok) throw new Error(`${said.detail}\n${said.remedy}`);
  return said;
}

function types(spec) {
  return [spec.type].flat();
}

function control(spec) {
  const known = spec.enum ?? (types(spec).includes("boolean") ? [true, false] : null);
  if (!known) return document.createElement("input");
  const select = document.createElement("select");
  const empty = types(spec).includes("null") && !known.includes(null) ? [null] : [];
  for (const value of [...empty, ...known]) select.add(new Option(value === null ? "" : String(value), JSON.stringify(value)));
  return select;
}

// What is no number is sent as it stands: the server says what it expected.
function cell(field, spec) {
  if (field.tagName === "SELECT") return JSON.parse(field.value);
  const text = field.value;
  if (text === "" && types(spec).includes("null")) return null;
  if (types(spec).includes("string")) return text;
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function fill(row) {
  for (const [name, [field]] of fields) {
    const value = row[name] ?? null;
    if (field.tagName === "SELECT") field.value = JSON.stringify(value);
    else field.value = value === null ? "" : String(value);
  }
}

async function offer() {
  const { paths } = await ask("openapi.json");
  const rows = paths[`/${base}predict`].post.requestBody.content["application/json"].example?.rows ?? [];
  at("examples").hidden = rows.length === 0;
  at("examples").replaceChildren(...rows.map((row, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Example ${number + 1}`;
    button.addEventListener("click", () => fill(row));
    return button;
  }));
}

function show(text, about = "") {
  at("answer").textContent = text;
  at("about").textContent = about;
}

async function begin() {
  show("");
  try {
    const { models } = await ask("models");
    at("choice").hidden = models.length < 2;
    const chosen = models.includes(at("model").value) ? at("model").value : models[0];
    at("model").replaceChildren(...models.map((name) => new Option(name, name, false, name === chosen)));
    base = `models/${chosen}/`;
    at("name").textContent = chosen;
    const { inputs } = await ask(`${base}schema`);
    fields.clear();
    at("inputs").replaceChildren(...inputs.required.map((name) => {
      const field = control(inputs.properties[name]);
      fields.set(name, [field, inputs.properties[name]]);
      const label = document.createElement("label");
      label.append(name, field);
      return label;
    }));
    await offer();
  } catch (error) {
    show(error.message);
  }
}

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const row = Object.fromEntries([...fields].map(([name, [field, spec]]) => [name, cell(field, spec)]));
  try {
    const said = await ask(`${base}predict`, row);
    const lines = Object.entries(said.row).map(([name, value]) => `${name}: ${value === null ? "" : value}`);
    show(lines.join("\n"), `Answered by ${said.digest}, request ${said.request_id}`);
  } catch (error) {
    show(error.message);
  }
});
for (const [id, event] of [["access", "submit"], ["model", "change"]]) {
  at(id).addEventListener(event, (happened) => { happened.preventDefault(); begin(); });
}
begin();
