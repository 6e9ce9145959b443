"use strict";
// Shows /v1/openapi.json: endpoints by tag, each with its parameters, body and answers.

const make = (tag, text, name) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
};

const resolve = (api, schema) => {
  const name = schema?.$ref?.split("/").pop();
  return name ? { name, ...api.components.schemas[name] } : schema ?? {};
};

const typeOf = (api, schema) => {
  const found = resolve(api, schema);
  if (found.name) return found.name;
  if (found.oneOf || found.anyOf) return (found.oneOf ?? found.anyOf).map((one) => typeOf(api, one)).join(" or ");
  if (found.type === "array") return `list of ${typeOf(api, found.items)}`;
  return [found.type ?? "any"].flat().join(" or ");
};

const fields = (api, schema) => {
  const found = resolve(api, schema);
  const table = make("table");
  for (const [name, field] of Object.entries(found.properties ?? {})) {
    const row = make("tr");
    const must = (found.required ?? []).includes(name);
    row.append(make("td", name + (must ? "" : "?")), make("td", typeOf(api, field)), make("td", field.description ?? ""));
    table.append(row);
  }
  return table;
};

const endpoint = (api, path, method, operation) => {
  const box = make("details");
  const head = make("summary");
  head.append(make("span", method.toUpperCase(), "method"), make("code", path), make("span", operation.summary ?? "", "about"));
  const body = make("div");
  body.append(make("p", operation.description ?? ""));
  for (const parameter of operation.parameters ?? []) {
    const line = make("p");
    line.append(make("code", parameter.name), ` (${parameter.in}) ${parameter.description ?? ""}`);
    body.append(line);
  }
  const taken = operation.requestBody?.content?.["application/json"]?.schema;
  if (taken) body.append(make("strong", `Takes ${typeOf(api, taken)}`), fields(api, taken));
  for (const [status, answer] of Object.entries(operation.responses ?? {})) {
    const schema = Object.values(answer.content ?? {})[0]?.schema;
    body.append(make("strong", `${status} ${answer.description ?? ""}${schema ? ": " + typeOf(api, schema) : ""}`));
    if (schema && status !== "default") body.append(fields(api, schema));
    body.append(make("br"));
  }
  box.append(head, body);
  box.dataset.words = `${method} ${path} ${operation.summary ?? ""}`.toLowerCase();
  return box;
};

const show = (api) => {
  const place = document.getElementById("endpoints");
  place.textContent = "";
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "more";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(endpoint(api, path, method, operation));
    }
  }
  for (const [tag, boxes] of groups) place.append(make("h2", tag), ...boxes);
};

document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const box of document.querySelectorAll("details")) box.hidden = !box.dataset.words.includes(wanted);
});

fetch("/v1/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => { document.getElementById("endpoints").textContent = `The description could not be read: ${error}`; });
