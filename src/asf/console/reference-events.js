/** Shows an AsyncAPI document: its channels, and what each message consists of. */

function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

/** Returns text with the parts in backquotes as code. */
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

/** Returns the schema that a `$ref` points to, or the schema itself. */
function resolved(document_, schema) {
  if (!schema?.$ref) return schema ?? {};
  return schema.$ref.slice(2).split("/").reduce((node, key) => node[key], document_);
}

/** Describes the type of a schema briefly. */
function typeOf(document_, schema) {
  const type = resolved(document_, schema);
  const alternatives = type.anyOf ?? type.allOf;
  if (alternatives) return alternatives.map((one) => typeOf(document_, one)).join(" or ");
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

/** Returns an example of a schema, built from those of its fields. */
function exampleOf(document_, schema) {
  const type = resolved(document_, schema);
  if (type.examples) return type.examples[0];
  if (type.type === "array") return [exampleOf(document_, type.items)];
  const inner = (type.allOf ?? type.anyOf ?? [])[0];
  if (inner) return exampleOf(document_, inner);
  const fields = Object.entries(type.properties ?? {});
  return Object.fromEntries(fields.map(([name, field]) => [name, exampleOf(document_, field)]));
}

function row(document_, name, field, isRequired) {
  const note = isRequired ? "required" : field.default === undefined ? "optional" : `default ${JSON.stringify(field.default)}`;
  return element("tr", {},
    element("th", { scope: "row" }, name),
    element("td", {}, typeOf(document_, field), element("br"), element("span", { className: "quiet" }, note)),
    element("td", {}, ...prose(field.description)),
    element("td", {}, element("code", {}, JSON.stringify(exampleOf(document_, field)))));
}

/** Returns a table of an object's fields, and an example of all of them, for each alternative schema of a payload. */
function fields(document_, caption, schema) {
  return (schema?.oneOf ?? [schema]).flatMap((one) => {
    const { properties, required = [] } = resolved(document_, one);
    if (!properties) return [];
    const rows = Object.entries(properties).map(([name, field]) => row(document_, name, field, required.includes(name)));
    const head = ["Field", "Type", "Meaning", "Example"].map((text) => element("th", { scope: "col" }, text));
    const table = element("table", {},
      element("caption", {}, caption), element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
    const example = JSON.stringify(exampleOf(document_, one), null, 2);
    return [
      element("div", { className: "wide", tabIndex: 0, role: "group", ariaLabel: caption }, table),
      element("p", { className: "quiet" }, "Example"),
      element("pre", { tabIndex: 0 }, example),
    ];
  });
}

/** Returns a message, closed until it is asked for. The address of the page is then that of the message. */
function message(document_, id, operation, described) {
  const [{ name: tag }] = operation.tags;
  const made = element("details", { id, className: "message" },
    element("summary", {},
      element("span", { className: operation.action === "receive" ? "way in" : "way" }, tag),
      element("h4", {}, element("code", {}, described.name)),
      element("span", {}, ...prose(operation.summary))),
    ...fields(document_, "Payload", described.payload));
  made.addEventListener("toggle", () => {
    if (made.open) history.replaceState(null, "", `#${id}`);
  });
  return made;
}

/** Shows what has this id, if anything has; a message is opened. */
export function showTarget(id) {
  const target = document.getElementById(id);
  if (target?.matches("details")) target.open = true;
  target?.scrollIntoView();
}

/** Renders the document into an element. Each message has an anchor: the id of its operation. */
export function showEvents(asyncapi, target) {
  for (const [name, channel] of Object.entries(asyncapi.channels)) {
    const messages = Object.entries(channel.messages).map(([key, described]) => {
      const id = `${name}.${key}`;
      return message(asyncapi, id, asyncapi.operations[id], described);
    });
    target.append(
      element("h3", { id: `channel.${name}` }, element("code", {}, channel.address)),
      element("p", { className: "quiet" }, ...prose(channel.description)),
      ...fields(asyncapi, "Query", channel.bindings?.ws.query),
      ...messages);
  }
  addEventListener("hashchange", () => showTarget(location.hash.slice(1)));
}
