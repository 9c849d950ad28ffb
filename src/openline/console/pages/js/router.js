// One module a view, chosen by the hash: #/floor, #/line/LABEL, #/compose/LABEL?answers=…, and so on.

import { explain, Failed } from "./api.js";
import { el, fill } from "./dom.js";
import { bind } from "./keys.js";
import { pickLine } from "./picking.js";
import { t } from "./words.js";

/** name -> whether it is about one line. A new view is one line here and one module in views/. */
export const VIEWS = {
  floor: { line: false }, line: { line: true }, call: { line: true }, compose: { line: true }, contacts: { line: true },
  search: { line: false }, record: { line: true }, settings: { line: false }, log: { line: false }, signs: { line: false },
};

/** The views of the top bar, in the order of their keys 1 to 8. */
export const navigation = () => [
  ["floor", t("Floor")], ["line", t("Line")], ["compose", t("Compose")], ["contacts", t("Contacts")],
  ["search", t("Search")], ["record", t("Record")], ["settings", t("Settings")], ["log", t("Log")],
];

/** {name, parts, label, query} of a hash. */
export function parsed(hash) {
  const [path, question = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name, ...parts] = path.split("/").map(decoded);
  return { name: name || "floor", parts, label: parts[0] ?? "", query: new URLSearchParams(question) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The hash of a view: hashOf("line", "BRAVO", {at: "12"}). */
export function hashOf(name, label = "", query = {}) {
  const question = new URLSearchParams(query).toString();
  return `#/${name}${label ? `/${encodeURIComponent(label)}` : ""}${question ? `?${question}` : ""}`;
}

/** Open views as the hash changes, in `main`. `changed(params, line)` is told before each. Returns what stops it. */
export function route(main, context, changed) {
  let turn = 0;
  let close = () => {};
  async function show() {
    const mine = (turn += 1);
    const params = parsed(location.hash);
    const known = Object.hasOwn(VIEWS, params.name) ? VIEWS[params.name] : null;
    closeNow();
    const root = el("div", { class: `view view-${known ? params.name : "none"}` });
    const unbinds = [];
    const scoped = { ...context, keys: (bindings) => {
      const unbind = bind(params.name, bindings);
      if (mine === turn) unbinds.push(unbind);
      else unbind();
      return unbind;
    } };
    const line = known?.line ? lineOf(context, params) : null;
    changed(params, line);
    fill(main, root);
    let leave = () => {};
    close = () => {
      unbinds.forEach((unbind) => unbind());
      leave();
    };
    try {
      if (!known) leave = nothing(root, params);
      else if (known.line && !line) leave = pickLine(root, scoped, params) ?? leave;
      else leave = (await opened(root, scoped, params, line)) ?? leave;
    } catch (error) {
      if (error instanceof Failed) refused(root, error);
      else {
        console.error(error);
        broken(root);
      }
    }
    if (mine !== turn) leave();
    else named(root, main);
  }
  function closeNow() {
    const before = close;
    close = () => {};
    before();
  }
  window.addEventListener("hashchange", show);
  const shown = show();
  return Object.assign(() => {
    turn += 1;
    window.removeEventListener("hashchange", show);
    closeNow();
  }, { shown });
}

function lineOf(context, params) {
  const { live } = context;
  if (params.label) return live.line(params.label) ?? null;
  return live.lines.size === 1 ? live.lines.values().next().value : live.line(sessionStorage.getItem("openline.line") ?? "") ?? null;
}

async function opened(root, context, params, line) {
  let module;
  try {
    module = await import(`./views/${params.name}.js`);
  } catch (error) {
    console.error(error);
    return nothing(root, params);
  }
  await Promise.all((module.styles ?? []).map(styled));
  if (line) sessionStorage.setItem("openline.line", line.label);
  return module.open(root, context, { ...params, label: line?.label ?? params.label, line });
}

const sheets = new Map();

/** Have the style sheet css/NAME.css, once. */
export function styled(name) {
  if (!sheets.has(name)) {
    sheets.set(name, new Promise((resolve) => {
      const link = el("link", { rel: "stylesheet", href: `/static/css/${name}.css`, on: { load: resolve, error: resolve } });
      document.head.append(link);
    }));
  }
  return sheets.get(name);
}

function nothing(root, params) {
  fill(root, el("div", { class: "empty" }, el("h1", { tabindex: -1 }, t("There is no such view")),
    el("p", null, t("This version of the console has no view of that name. Key 1 leads back to the floor.")),
    el("p", { class: "ref" }, params.name)));
  return () => {};
}

/** The station did not give what the view needs: that is no fault of the view. */
function refused(root, error) {
  const { what, next, said } = explain(error);
  fill(root, el("div", { class: "empty", role: "alert" }, el("h1", { tabindex: -1 }, what), el("p", null, next), said ? el("p", { class: "second" }, said) : null));
}

function broken(root) {
  fill(root, el("div", { class: "empty", role: "alert" }, el("h1", { tabindex: -1 }, t("This view has failed")),
    el("p", null, t("A fault of this program: the lines go on. Key 1 leads back to the floor; reload the page to try again."))));
}

/** The heading of the view takes the focus and names the page. */
function named(root, main) {
  const heading = root.querySelector("h1");
  document.title = [heading?.textContent, document.body.dataset.station, "Openline"].filter(Boolean).join(" · ");
  if (root.contains(document.activeElement)) return;
  if (heading) heading.tabIndex = -1;
  (heading ?? main).focus({ preventScroll: true });
}
