// Taking the record out: a folder that anybody can verify without this station, and the proof of one entry that hides the rest.

import { explain, get, ofLine, post, query, raw } from "../api.js";
import { failure } from "../dialogs.js";
import { button, el, field, fill, fresh } from "../dom.js";
import { inertLine } from "../inert.js";
import { dtg } from "../moments.js";
import { precedence } from "../signs.js";
import { n, number, t } from "../words.js";

const LONG_MS = 3_600_000;
const FIELDS = ["kind", "time", "ack", "body"];

/** The panel of the export; null for who may not. Returns {node, run}. */
export function exporting(live, line) {
  const stamp = dtg(live.now()).replace(/[^0-9A-Z]/g, "");
  const name = el("input", { class: "fig", maxlength: 100, dir: "ltr", value: `${line.label.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "")}-${stamp}`, spellcheck: "false" });
  const said = el("div", { role: "status" });
  const go = button(t("Export this line"), () => run(), { key: "E", kind: "main" });
  let busy = false;
  async function run() {
    if (busy) return;
    busy = go.disabled = true;
    try {
      const answer = await raw("POST", ofLine(line, "/export"), { directory: name.value.trim() }, { patience: LONG_MS });
      fill(said, exported(await progress(answer, said), line));
    } catch (error) {
      fill(said, failure(error, explain));
    }
    busy = go.disabled = false;
  }
  const node = el("section", { class: "panel" }, el("h2", null, t("Export")),
    el("p", { class: "second" }, t("A folder with everything both sides signed. Anybody verifies it without this station and without trusting it.")),
    el("div", { class: "row bottom" }, field(t("Name of the folder, in the station’s folder exports"), name), go), said);
  return { node, run };
}

/** Reads the lines of an answer; the last is the report. */
async function progress(answer, said) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let last = {};
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return last;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const each of lines.filter(Boolean)) {
      last = JSON.parse(each);
      if (last.total) fill(said, el("p", null, t("{part} of {whole}", { part: number(last.done), whole: number(last.total) })));
    }
  }
}

function exported(report, line) {
  if (report.error) return failure({ code: report.error, said: report.message }, explain);
  return el("div", { class: "said work" }, el("p", null, el("b", null, n(report.entries ?? 0, "{count} entry is exported.", "{count} entries are exported.")), " ", report.unopened ? n(report.unopened, "{count} of them could not be opened, and is kept as it came.", "{count} of them could not be opened, and are kept as they came.") : null),
    el("p", null, el("code", { class: "where" }, report.directory)),
    el("p", null, t("A station that checks itself proves nothing. Carry the folder to another machine, and verify it there:")),
    el("p", null, el("code", null, `openline verify ${report.directory?.split("/").at(-1) ?? "DIR"} --expect ${line.parties.find((party) => !party.me)?.fingerprint.replace(/\s/g, "") ?? ""}`)));
}

/** The panel of the proof. Returns {node, focus}. */
export function proving(live, line, given) {
  const reference = el("input", { class: "fig", maxlength: 80, dir: "ltr", value: given, placeholder: "BRAVO 0012" });
  const boxes = FIELDS.map((name) => [name, el("input", { type: "checkbox", id: fresh("show"), checked: name !== "ack" })]);
  const found = el("div");
  const said = el("div", { role: "status" });
  const place = async () => {
    const text = reference.value.trim();
    const direct = /^(\d{1,2})\.([0-9a-f-]{1,27}):(\d{1,15})$/.exec(text);
    if (direct) return { ref: { lane: Number(direct[1]), generation: direct[2], index: Number(direct[3]) } };
    const { entries } = await get(ofLine(line, `/find${query({ reference: text })}`));
    fill(found, entries.slice(0, 4).map((entry) => el("p", null, precedence(entry.body.precedence, { size: 14 }), " ", el("span", { class: "ref" }, entry.ref.reference), " ", inertLine(entry.body.subject || entry.body.text || "", 120))));
    return entries[0];
  };
  async function make() {
    fill(said);
    try {
      const entry = await place();
      if (!entry) return void fill(said, el("p", { class: "said look" }, t("No message of that reference stands here. Look at its reference in the transcript.")));
      const { lane, generation, index } = entry.ref;
      const { proof } = await post(ofLine(line, "/prove"), { lane, generation, index, show: boxes.filter(([, box]) => box.checked).map(([name]) => name) });
      const address = URL.createObjectURL(new Blob([proof], { type: "text/plain" }));
      fill(said, el("div", { class: "said work" }, el("p", null, t("The proof shows what you chose and hides everything else of the line. Whoever gets it checks it with: openline verify FILE")),
        el("p", { class: "row" }, el("a", { class: "button", href: address, download: `${line.label.replace(/[^A-Za-z0-9._-]/g, "-")}-${lane}.${index}.proof` }, t("Save the proof"))), el("textarea", { class: "fig proof", readonly: true, rows: 8, dir: "ltr", "aria-label": t("The proof"), value: proof })));
    } catch (error) {
      fill(said, failure(error, explain));
    }
  }
  const node = el("section", { class: "panel" }, el("h2", null, t("Proof of one entry")), el("p", { class: "second" }, t("For somebody who may know this one thing and nothing else of the line.")),
    el("form", { class: "stack", on: { submit: (event) => {
      event.preventDefault();
      make();
    } } }, field(t("Reference, or lane.generation:index"), reference), found,
    el("fieldset", null, el("legend", null, t("It shows")), boxes.map(([name, box]) => el("p", null, box, " ", el("label", { for: box.id }, shownWord(name))))),
    el("div", { class: "row" }, button(t("Make the proof"), make, { kind: "main" }))), said);
  return { node, focus: () => reference.focus() };
}

function shownWord(name) {
  return { kind: t("what kind of entry it is"), time: t("its time"), ack: t("what its author held then"), body: t("its words") }[name];
}

