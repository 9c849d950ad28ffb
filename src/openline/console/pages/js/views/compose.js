// Compose: write to the other floor. The line's livery stands at the edge all the time; what is written is kept sealed at
// every pause and shared with the next watch; a FLASH asks for a second act, all else can be taken back for ten seconds.

import { attach, confirms, find, placed } from "../compose/after.js";
import { Draft, empty } from "../compose/draft.js";
import { keysOf } from "../compose/keys.js";
import * as notices from "../compose/notices.js";
import { Paper } from "../compose/paper.js";
import * as panels from "../compose/panels.js";
import { failure, confirmed } from "../dialogs.js";
import { el, fill } from "../dom.js";
import { lineHead } from "../line/head.js";
import { own } from "../live.js";
import { redraw } from "../redrawn.js";
import { t } from "../words.js";

export const styles = ["line", "compose"];

export async function open(root, context, params) {
  const view = new Compose(root, context, params);
  await view.start(params.query);
  return () => view.stop();
}

class Compose {
  constructor(root, context, params) {
    const { live, api, me } = context;
    Object.assign(this, { root, context, live, api, me, label: params.line.label, known: params.line, mode: "write", waits: null, ref: null, composing: [], waiting: [] });
    this.parts = Object.fromEntries(["head", "notices", "paper", "side", "others"].map((name) => [name, el("div", { class: `part-${name}` })]));
    this.said = el("div", { role: "alert" });
    this.acts = { send: () => this.send() };
  }

  get line() {
    return this.live.line(this.label) ?? this.known;
  }

  async start(query) {
    const { head, notices: above, paper, side, others } = this.parts;
    fill(this.root, head, el("div", { class: "compose" }, el("div", { class: "desk" }, above, paper), el("div", { class: "column" }, side, others)));
    fill(head, lineHead(this.live, this.line));
    this.fresh();
    if (query.get("draft")) await this.load(Number(query.get("draft")) || 0);
    else await this.begin(query);
    this.offs = [
      this.live.on("lines", (line) => (!line || line.label === this.label) && this.lineChanged()),
      this.live.on("draft", ({ line, draft, state }) => line.label === this.label && this.draftChanged(draft, state)),
      this.live.on("entry", ({ line, entry }) => line.label === this.label && this.came(entry)),
      this.live.on("link", (found) => found && this.draft.keep()),
    ];
    this.onHide = () => document.visibilityState === "hidden" && this.draft.keep();
    this.onLeave = (event) => this.draft.unkept && !this.draft.blank && event.preventDefault();
    document.addEventListener("visibilitychange", this.onHide);
    addEventListener("beforeunload", this.onLeave);
    await this.lookAround();
  }

  stop() {
    this.offs?.forEach((off) => off());
    document.removeEventListener("visibilitychange", this.onHide);
    removeEventListener("beforeunload", this.onLeave);
    this.stopCount?.();
    clearTimeout(this.timer);
    this.draft.close();
  }

  fresh() {
    const draft = new Draft(this.line, (what) => draft === this.draft && this.changed(what));
    this.draft = draft;
  }

  // --- what is written ---------------------------------------------------------------------------------------------

  /** A new draft, perhaps one that answers or replaces. */
  async begin(query) {
    const content = this.draft.content;
    for (const how of ["answers", "supersedes"]) {
      const reference = query.get(how);
      if (!reference) continue;
      content[how] = reference;
      const [entry] = await find(this.line, reference);
      if (!entry) continue;
      this.about = { how, entry };
      const { precedence: was, subject, text, language, roles } = entry.body;
      if (how === "supersedes") Object.assign(content, { subject: subject ?? "", text, lang: language, to: roles, precedence: was });
      else content.precedence = was === "flash" ? "immediate" : was;
    }
    this.write();
  }

  /** A draft by its number: it is still written, or has gone further. */
  async load(number) {
    try {
      const { drafts } = await this.api.get(this.api.ofLine(this.line, "/compose"));
      const view = drafts.find((each) => each.compose === number);
      if (!view) return await this.further(number);
      this.draft.take(view);
      this.lookUp();
      this.write();
    } catch (error) {
      this.write();
      fill(this.said, failure(error, this.api.explain));
    }
    return undefined;
  }

  /** What became of a draft that is not written any more. */
  async further(number) {
    try {
      this.became(await this.api.get(`/v1/drafts/${number}`));
    } catch (error) {
      this.fresh();
      this.write();
      fill(this.said, error.code === "unknown" ? el("p", { class: "said" }, t("That draft was let go.")) : failure(error, this.api.explain));
    }
  }

  async lookUp() {
    const { answers } = this.draft.content;
    if (!answers || this.about) return;
    const entries = await find(this.line, answers);
    if (!entries[0]) return;
    this.about = { how: "answers", entry: entries[0] };
    this.drawOthers();
  }

  write() {
    this.turn("write");
    this.paper = new Paper(this.context, this.line, this.draft);
    for (const act of ["input", "change", "click"]) this.paper.node.addEventListener(act, () => this.written());
    fill(this.parts.paper, this.paper.node);
    if (!this.live.may("watch-officer")) this.paper.node.inert = true;
    this.drawNotices();
    this.drawSide();
    this.rekey();
    this.paper.focusText();
  }

  written() {
    const { precedence: now } = this.draft.content;
    if (this.mode === "write" && now !== this.shownPrecedence) this.drawSide();
  }

  turn(mode) {
    this.mode = mode;
    this.stopCount?.();
    this.stopCount = null;
    clearTimeout(this.timer);
    fill(this.said);
    this.focus = this.submit = null;
    this.confirming = false;
    if (this.paper) this.paper.node.inert = mode !== "write";
  }

  /** The keys of what is done now. */
  rekey() {
    this.unbind?.();
    this.unbind = this.context.keys(keysOf(this));
  }

  // --- what is shown -----------------------------------------------------------------------------------------------

  drawSide() {
    fill(this.parts.side, this.side());
    this.drawOthers();
  }

  side() {
    this.shownPrecedence = this.draft.content.precedence;
    return this.live.may("watch-officer") ? panels.sending(this) : el("p", { class: "said" }, t("Watch officers write and send. You may read along."));
  }

  drawOthers() {
    redraw(this.parts.others, () => [this.mode === "write" ? notices.about(this.about) : null, notices.others(this.line, this.composing, this.waiting, this.draft.number)]);
  }

  drawNotices() {
    const { draft } = this;
    fill(this.parts.notices, draft.conflict ? notices.conflict(draft, { theirs: () => draft.takeTheirs(), mine: () => this.mine() }) : null, notices.problem(draft.view), notices.newer(draft.view, () => this.readNewer()));
  }

  lineChanged() {
    fill(this.parts.head, lineHead(this.live, this.line));
    this.draft.line = this.line;
    if (!this.paper) return;
    this.paper.line = this.line;
    // The panel says who is on watch over there: only that it is quiet while somebody types digits or a release.
    if (this.mode === "write" && !this.parts.side.contains(document.activeElement)) redraw(this.parts.side, () => (this.mode === "write" ? this.side() : undefined));
  }

  async lookAround() {
    const { api, line } = this;
    const quiet = () => ({ drafts: [] });
    const [composing, waiting] = await Promise.all([api.get(api.ofLine(line, "/compose")).catch(quiet),
      this.live.may("watch-officer", "principal") ? api.get(api.ofLine(line, "/drafts")).catch(quiet) : quiet()]);
    Object.assign(this, { composing: composing.drafts, waiting: waiting.drafts });
    this.drawOthers();
  }

  // --- what changes ------------------------------------------------------------------------------------------------

  changed(what) {
    if (what === "kept") {
      if (this.draft.number) this.address(this.draft.number);
      this.paper?.showKept();
      if (!this.draft.away) this.drawNotices();
      if (this.draft.refused) fill(this.said, failure(this.draft.refused, this.api.explain));
    } else if (what === "theirs") {
      this.paper?.show();
      this.drawNotices();
      if (this.mode === "second") this.back();
      else this.drawSide();
      this.context.say(t("{sign} has written in this draft.", { sign: this.draft.view.by }));
    } else if (what === "gone") this.further(this.draft.number);
    else {
      if (what === "conflict" && this.mode === "second") this.back();
      this.drawNotices();
    }
  }

  /** The page's address names the draft: a reload finds it again. */
  address(number) {
    const hash = `#/compose/${encodeURIComponent(this.label)}${number ? `?draft=${number}` : ""}`;
    if (location.hash !== hash) history.replaceState(null, "", hash);
  }

  draftChanged(number, state) {
    clearTimeout(this.around);
    this.around = setTimeout(() => this.lookAround(), 300);
    if (number !== this.draft.number || this.busy) return;
    const writing = this.mode === "write" || this.mode === "second";
    if (writing && state === "composing") this.draft.look();
    else if (state === "composing") this.load(number);
    else if (this.waits?.state !== state) this.further(number);
  }

  came(entry) {
    if (entry.kind !== "message" || entry.author === own(this.line).name) return;
    if (this.draft.number && (this.mode === "write" || this.mode === "second")) this.draft.look();
    else if (this.mode === "write" && !this.draft.number && !this.draft.blank) this.draft.keep();
  }

  async readNewer() {
    const { view } = this.draft;
    if (!view?.newer_count) return;
    try {
      await this.draft.sawUntil(await notices.readNewer(this.line, view));
    } catch (error) {
      fill(this.said, failure(error, this.api.explain));
    }
    this.paper?.focusText();
  }

  async mine() {
    await this.draft.keepMine();
    this.drawNotices();
    this.paper.focusText();
  }

  // --- sending -----------------------------------------------------------------------------------------------------

  async send() {
    if (this.mode !== "write" || this.busy || !this.live.may("watch-officer")) return;
    const missing = this.paper.missing();
    if (missing) {
      fill(this.said, el("p", { class: "said look" }, missing));
      this.paper.focusText();
      return;
    }
    if (!this.draft.number) this.draft.dirty = true;
    if (!(await this.draft.keep())) {
      if (!this.draft.conflict && !this.draft.refused) fill(this.said, failure({ code: "away" }, this.api.explain));
      return;
    }
    if (this.draft.content.precedence === "flash") this.second();
    else await this.dispatch();
  }

  second() {
    this.turn("second");
    fill(this.parts.side, panels.secondAct(this, this.draft.content, { go: (label) => this.dispatch(label), back: () => this.back() }));
    this.rekey();
    this.focus();
  }

  back() {
    this.turn("write");
    this.drawSide();
    this.rekey();
    this.paper.focusText();
  }

  async dispatch(confirm) {
    const { number, version } = this.draft;
    await this.acting(async () => {
      const sent = await this.api.post(`/v1/compose/${number}/send`, { version, ...(confirm ? { confirm } : {}) });
      this.became({ ...sent, message: this.draft.content, drafter: this.me.sign, made: this.live.now() });
    });
  }

  async acting(act) {
    if (this.busy) return;
    this.busy = true;
    try {
      await this.draft.quiet(); // a look on its way would find the draft gone
      await act();
    } catch (error) {
      if (error.code === "conflict") await (this.mode === "waits" ? this.further(this.waits.draft) : this.draft.look());
      fill(this.said, failure(error, this.api.explain));
    } finally {
      this.busy = false;
    }
  }

  /** A draft that went further: {draft, state, due, message, …, ref?}. */
  became(waits) {
    this.waits = waits;
    this.draft.number = waits.draft;
    this.draft.dirty = false;
    this.address(waits.draft);
    this.turn(waits.state === "released" ? "sent" : "waits");
    fill(this.parts.notices);
    fill(this.parts.paper, panels.readOnly(this, waits.message));
    if (waits.state === "discarded") return this.again();
    if (waits.state === "released") return this.sent(waits.ref);
    if (waits.state === "grace") {
      fill(this.parts.side, panels.grace(this, waits, () => this.withdraw()));
      this.timer = setTimeout(() => this.further(waits.draft), Math.max(500, waits.due - this.live.now() + 1_500));
      this.context.say(t("Not signed yet: W takes it back."));
    } else if (waits.state === "releasing") this.timer = setTimeout(() => this.further(waits.draft), 1_000);
    else fill(this.parts.side, panels.waiting(this, waits, { withdraw: () => this.withdraw(), release: (given) => this.release(given) }));
    this.drawOthers();
    this.rekey();
    this.focus?.();
    return undefined;
  }

  withdraw() {
    return this.acting(async () => {
      this.draft.take(await this.api.post(`/v1/drafts/${this.waits.draft}/withdraw`));
      this.write();
      fill(this.said, el("p", { class: "said work" }, t("Taken back. Nothing was signed.")));
    });
  }

  /** As the releaser confirms it; a FLASH by the second act. */
  async release(given, confirm) {
    const { message } = this.waits;
    const second = this.waits.state === "waiting";
    if (second && !confirms(given, message)) {
      fill(this.said, el("p", { class: "said act" }, t("That is not what stands on the paper. Read it again: either it or you are wrong.")));
      return;
    }
    if (message.precedence === "flash" && !confirm) {
      this.turn("waits");
      this.confirming = true;
      fill(this.parts.side, panels.secondAct(this, message, { go: (label) => this.release(given, label), back: () => this.became(this.waits), released: true }));
      this.rekey();
      this.focus();
      return;
    }
    await this.acting(async () => {
      const { ref, due } = await this.api.post(`/v1/drafts/${this.waits.draft}/release`, { ...given, digest: this.waits.digest, ...(confirm ? { confirm } : {}) });
      this.became({ ...this.waits, state: ref ? "released" : "grace", ref, due });
    });
  }

  async sent(ref) {
    this.ref = ref ?? await placed(this.line, this.waits);
    fill(this.parts.side, panels.sent(this, this.ref, { attach: (file) => attach(this.line, this.ref, file), again: () => this.again(), open: () => this.openLine() }));
    this.drawOthers();
    this.rekey();
    this.focus();
    this.context.say(t("Signed and on its way."));
  }

  openLine() {
    this.context.go("line", this.label);
  }

  again() {
    Object.assign(this, { waits: null, ref: null, about: null });
    this.fresh();
    this.address(0);
    this.write();
  }

  async discard() {
    if (this.mode !== "write" || (!this.draft.number && this.draft.blank)) return;
    if (!(await confirmed(t("Let this draft go?"), el("p", null, t("Nobody will find it again. Nothing was sent.")), t("Let it go"), { danger: true }))) return;
    const { number } = this.draft;
    this.draft.content = empty();
    this.draft.dirty = false;
    await this.acting(async () => {
      if (number) await this.api.post(`/v1/compose/${number}/discard`);
      this.again();
    });
  }
}
