// What both pages need. All that comes from the server is put in as text, never as markup.
export const at = (id) => document.getElementById(id);

// Send a request, with the token if one was given; an answer of 401 asks for it.
export async function send(path, { method = "GET", type, body } = {}) {
  const headers = type ? { "content-type": type } : {};
  if (at("token").value) headers.authorization = `Bearer ${at("token").value}`;
  const reply = await fetch(path, { method, headers, body });
  if (reply.status === 401) at("access").hidden = false;
  return reply;
}

// An integer beyond what a number of JavaScript holds stays what it is, where the browser says how it was written.
export function parsed(text) {
  return JSON.parse(text, (_, value, context) =>
    Number.isInteger(value) && !Number.isSafeInteger(value) && JSON.rawJSON && /^-?\d+$/.test(context?.source ?? "") ? BigInt(context.source) : value);
}

export async function read(path, options) {
  const reply = await send(path, options);
  const said = parsed(await reply.text());
  if (!reply.ok) throw Object.assign(new Error(`${said.detail}\n${said.remedy}`), { column: said.column });
  return said;
}

export function made(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export function types(spec) {
  return [spec.type ?? []].flat();
}
