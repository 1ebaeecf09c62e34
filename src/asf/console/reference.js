/** Renders the server's OpenAPI and AsyncAPI documents. */

function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

/** Returns the schema that a `$ref` points to, or the schema itself. */
function resolved(document_, schema) {
  if (!schema?.$ref) return schema ?? {};
  return schema.$ref.slice(2).split("/").reduce((node, key) => node[key], document_);
}

/** Describes the type of a schema briefly. */
function typeOf(document_, schema) {
  const type = resolved(document_, schema);
  if (type.enum) return type.enum.filter((one) => one !== null).join(" | ");
  if (type.const !== undefined) return JSON.stringify(type.const);
  if (type.type === "array") return `list of ${typeOf(document_, type.items)}`;
  const types = [type.type ?? "any JSON value"].flat();
  const bounds = [
    type.minimum !== undefined && `from ${type.minimum}`,
    type.maximum !== undefined && `to ${type.maximum}`,
    type.maxLength !== undefined && `at most ${type.maxLength} characters`,
  ].filter(Boolean);
  return [types.join(" or "), ...bounds].join(", ");
}

function table(caption, rows) {
  const body = rows.map(([head, ...cells]) =>
    element("tr", {}, element("th", { scope: "row" }, head), ...cells.map((cell) => element("td", {}, cell))));
  const content = element("table", {}, element("caption", {}, caption), element("tbody", {}, ...body));
  return element("div", { className: "wide", tabIndex: 0, role: "group", ariaLabel: caption }, content);
}

/** Returns a table of an object's fields for each alternative schema of a payload. */
function fields(document_, caption, schema) {
  const several = schema?.oneOf ?? [schema];
  return several.flatMap((one) => {
    const { properties, required = [] } = resolved(document_, one);
    if (!properties) return [];
    const rows = Object.entries(properties).map(([name, property]) => [
      name,
      typeOf(document_, property),
      required.includes(name) ? "required" : property.default === undefined ? "" : `default ${JSON.stringify(property.default)}`,
    ]);
    return [table(caption, rows)];
  });
}

function operation(document_, path, method, described) {
  const article = element("article", {},
    element("h3", {}, element("span", { className: "way" }, method), element("code", {}, path)),
    element("p", {}, described.summary));
  const bodies = described.requestBody?.content ?? {};
  const query = (described.parameters ?? []).filter((one) => one.in === "query");
  if (query.length) {
    article.append(table("Query", query.map(({ name, schema }) => [name, typeOf(document_, schema)])));
  }
  const others = Object.keys(bodies).filter((type) => type !== "application/json");
  if (others.length) article.append(table("Request body", others.map((type) => [type, typeOf(document_, bodies[type].schema)])));
  article.append(...fields(document_, "Request", bodies["application/json"]?.schema));
  article.append(...fields(document_, "Response", described.responses["200"]?.content?.["application/json"]?.schema));
  const responses = Object.entries(described.responses).filter(([status]) => status !== "200");
  article.append(table("Other responses", responses.map(([status, response]) => [status, listed(response.description)])));
  return article;
}

/** Renders a description; one of errors as a list. */
function listed(text) {
  const errors = text.split("\n").filter((line) => line.startsWith("- "));
  if (!errors.length) return text;
  return element("ul", {}, ...errors.map((line) => {
    const [, code, message] = /^- `(.*?)`: (.*)$/.exec(line);
    return element("li", {}, element("code", {}, code), ` ${message}`);
  }));
}

function message(document_, action, described) {
  const incoming = action === "receive";
  return element("article", {},
    element("h3", {},
      element("span", { className: incoming ? "way in" : "way" }, incoming ? "to ASF" : "from ASF"),
      element("code", {}, described.name)),
    element("p", {}, described.summary),
    ...fields(document_, "Payload", described.payload));
}

async function document_(name) {
  const response = await fetch(`/asf/${name}.json`);
  if (!response.ok) throw new Error(`/asf/${name}.json returned status ${response.status}`);
  return response.json();
}

try {
  const [openapi, asyncapi] = await Promise.all([document_("openapi"), document_("asyncapi")]);
  for (const [path, operations] of Object.entries(openapi.paths)) {
    for (const [method, described] of Object.entries(operations)) {
      document.getElementById("http").append(operation(openapi, path, method, described));
    }
  }
  for (const [name, channel] of Object.entries(asyncapi.channels)) {
    const messages = Object.entries(channel.messages).map(([key, described]) =>
      message(asyncapi, asyncapi.operations[`${name}.${key}`].action, described));
    document.getElementById("events").append(
      element("h3", {}, element("code", {}, channel.address)),
      element("p", { className: "quiet" }, channel.description),
      ...messages);
  }
} catch (error) {
  const notice = document.getElementById("notice");
  notice.hidden = false;
  notice.textContent = `Cannot load the reference: ${error.message}`;
}
