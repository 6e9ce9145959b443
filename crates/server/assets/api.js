"use strict";
// Shows /v1/openapi.json: endpoints by tag, each with its parameters, body and answers.

const make = (tag, text, name) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
};

// The schema itself: references followed, parts of a whole put together.
const resolve = (api, schema) => {
  const name = schema?.$ref?.split("/").pop();
  const found = name ? { name, ...api.components.schemas[name] } : schema ?? {};
  if (!found.allOf) return found;
  const parts = found.allOf.map((part) => resolve(api, part));
  return {
    ...found,
    type: "object",
    properties: Object.assign({}, ...parts.map((part) => part.properties)),
    required: parts.flatMap((part) => part.required ?? []),
  };
};

// What a list holds, or what is there if anything is.
const inner = (api, schema) => {
  const found = resolve(api, schema);
  if (found.type === "array") return { ...inner(api, found.items), many: true };
  const choice = (found.oneOf ?? found.anyOf)?.find((one) => one.type !== "null");
  return choice ? inner(api, choice) : found;
};

const typeOf = (api, schema) => {
  const found = resolve(api, schema);
  if (found.name) return found.name;
  if (found.oneOf || found.anyOf) return (found.oneOf ?? found.anyOf).map((one) => typeOf(api, one)).join(" or ");
  if (found.type === "array") return `list of ${typeOf(api, found.items)}`;
  return [found.type ?? "any"].flat().join(" or ");
};

// One row for each field, those of fields that are objects below them.
const rows = (api, schema, before, above) => {
  const found = inner(api, schema);
  if (above.includes(found.name)) return [];
  return Object.entries(found.properties ?? {}).flatMap(([name, field]) => {
    const row = make("tr");
    const must = (found.required ?? []).includes(name);
    const cell = make("td");
    cell.append(make("code", before + name + (must ? "" : "?")));
    row.append(cell, make("td", typeOf(api, field)), make("td", field.description ?? ""));
    const dot = inner(api, field).many ? "[]." : ".";
    return [row, ...rows(api, field, before + name + dot, [...above, found.name ?? ""])];
  });
};

const fields = (api, schema) => {
  const table = make("table");
  table.append(...rows(api, schema, "", []));
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
  for (const [tag, boxes] of groups) {
    const group = make("section");
    group.append(make("h2", tag), ...boxes);
    place.append(group);
  }
};

document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const box of document.querySelectorAll("details")) box.hidden = !box.dataset.words.includes(wanted);
  for (const group of document.querySelectorAll("section")) group.hidden = !group.querySelector("details:not([hidden])");
});

fetch("/v1/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => { document.getElementById("endpoints").textContent = `The description could not be read: ${error}`; });
