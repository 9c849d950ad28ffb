// Building the page: elements by name, children as text. Nothing here or elsewhere parses markup, so no text can become any.

/**
 * An element. Attributes: `class`, `on` ({event: handler}), `data` ({name: value}); true sets an empty attribute; false, null and
 * undefined leave it out. Children: strings, numbers, nodes, arrays of them; false, null and undefined are left out.
 */
export function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  put(node, ...children);
  return node;
}

/** Append children, as `el` takes them. */
export function put(node, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === false || child === null || child === undefined) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** Replace all children. */
export function fill(node, ...children) {
  node.replaceChildren();
  return put(node, ...children);
}

const SVG = "http://www.w3.org/2000/svg";

/** An element of a drawing. */
export function draw(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) if (value !== null && value !== undefined) node.setAttribute(name, String(value));
  node.append(...children.flat());
  return node;
}

let numbered = 0;

/** An id that no other element has. */
export function fresh(prefix) {
  numbered += 1;
  return `${prefix}-${numbered}`;
}

/** A button with its key. `main`, `danger`, `plain`, `big` are classes. */
export function button(words, run, { key = "", kind = "", disabled = false, ...attributes } = {}) {
  return el("button", { type: "button", class: kind || null, disabled, on: { click: run }, ...attributes },
    key && el("kbd", { "aria-hidden": "true" }, key), el("span", null, words));
}

/** A field with its name above it; `control` gets an id. */
export function field(name, control, note) {
  control.id ||= fresh("field");
  const label = el("label", { for: control.id }, name);
  const said = note ? el("span", { class: "small second", id: `${control.id}-note` }, note) : null;
  if (said) control.setAttribute("aria-describedby", said.id);
  return el("div", { class: "field" }, label, control, said);
}

/** A selection from [value, words] pairs. */
export function choice(pairs, chosen, attributes = {}) {
  return el("select", attributes, pairs.map(([value, words]) => el("option", { value, selected: value === chosen }, words)));
}

