// A page made from the service's own document of OpenAPI.
import { at, made, read, send, types } from "./page.mjs";

const written = (value) => JSON.stringify(value, (_, one) => (typeof one === "bigint" ? JSON.rawJSON(String(one)) : one), 2);

// A value that a schema lets in.
function sample(schema) {
  if (schema.oneOf) return sample(schema.oneOf[0]);
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  const type = types(schema)[0];
  if (type === "object") return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, one]) => [name, sample(one)]));
  if (type === "array") return [sample(schema.items && schema.prefixItems === undefined ? schema.items : schema.prefixItems?.[0] ?? {})];
  if (type === "integer" || type === "number") return Math.max(0, Number(schema.minimum ?? 0));
  return { boolean: true, string: "" }[type] ?? null;
}

function sampleOf(type, { schema = {}, example }) {
  if (type !== "text/csv") return written(example ?? sample(schema));
  const columns = Object.entries(schema.items?.properties ?? {});
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value ?? "");
  return [columns.map(([name]) => cell(name)), columns.map(([, one]) => cell(sample(one)))].join("\n");
}

function folded(title, ...parts) {
  const details = made("details");
  details.append(made("summary", title), ...parts);
  return details;
}

const contents = (content = {}) => Object.entries(content).map(([type, { schema = {} }]) => folded(type, made("pre", written(schema))));

function responses(operation) {
  return Object.entries(operation.responses).map(([status, { description, content }]) =>
    folded(`${status} ${description}`, ...contents(content)));
}

// What sends a request, and shows what it was answered with.
function trial(path, method, operation, id) {
  const content = operation.requestBody?.content;
  const form = made("form");
  const answer = made("pre", "", { role: "status" });
  const kind = made("select", "", { id: `${id}-type` });
  const body = made("textarea", "", { id: `${id}-body`, spellcheck: "false" });
  if (content) {
    for (const type of Object.keys(content)) kind.add(new Option(type));
    kind.onchange = () => { body.value = sampleOf(kind.value, content[kind.value]); };
    kind.onchange();
    form.append(made("label", "Content type", { for: kind.id }), kind, made("label", "Body", { for: body.id }), body);
  }
  form.append(made("button", `Send ${method.toUpperCase()} ${path}`), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const reply = await send(path.slice(1) || "./", content ? { method, type: kind.value, body: body.value } : { method });
    answer.textContent = `${reply.status} ${reply.statusText}\n${await reply.text()}`;
  });
  return form;
}

function described(path, method, operation, id) {
  const details = made("details");
  const heading = made("h2");
  heading.append(made("span", method.toUpperCase(), { class: "method" }), " ", path);
  const summary = made("summary");
  summary.append(heading);
  details.append(summary, made("p", operation.summary));
  if (operation.requestBody) details.append(made("h3", "Body"), ...contents(operation.requestBody.content));
  details.append(made("h3", "Answers"), ...responses(operation), made("h3", "Try it"), trial(path, method.toUpperCase(), operation, id));
  return details;
}

async function begin() {
  at("error").textContent = "";
  try {
    const { info, paths, components } = await read("openapi.json");
    at("name").textContent = document.title = `What ${info.title} can be asked`;
    at("about").textContent = `Answered by ${info.version}`;
    const operations = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => [path, method, one]));
    at("paths").replaceChildren(...operations.map(([path, method, one], place) => described(path, method, one, `path-${place}`)));
    at("schemas").replaceChildren(...Object.entries(components.schemas).map(([name, schema]) => folded(name, made("pre", written(schema)))));
    at("access").hidden = true;
  } catch (error) {
    at("error").textContent = error.message;
  }
}

at("access").addEventListener("submit", (event) => { event.preventDefault(); begin(); });
begin();
