// What is typed within a call, each line an entry; and voice messages, where voice itself does not get through.

import { explain, ofLine, query, raw } from "../api.js";
import { failure } from "../dialogs.js";
import { button, el, fill, fresh } from "../dom.js";
import { inertText } from "../inert.js";
import { moment } from "../moments.js";
import { badge } from "../signs.js";
import { t } from "../words.js";
import { typed } from "./calls.js";
import { panel } from "./panels.js";
import { partyName, partyOf, secondsWords, signOf } from "./telling.js";

const MOST_TEXT = 1_000;
const MOST_VOICE_S = 60;
const VOICE_BITS = 12_000;
const VOICE = "audio/webm;codecs=opus";

/** The panel of what was typed and recorded; `update(view, session)` draws what is new. */
export class Typed {
  constructor(context, line, view) {
    Object.assign(this, { context, line, view, session: null, recording: null, heard: new Map() });
    this.list = el("ol", { class: "typedlines", "aria-live": "polite", "aria-label": t("Typed in this call") });
    this.input = el("input", { id: fresh("typed"), maxlength: MOST_TEXT, dir: "auto", autocomplete: "off" });
    this.said = el("div", { role: "alert" });
    this.voice = el("div", { class: "row voice" });
    this.form = el("form", { class: "typeform", on: { submit: (event) => {
      event.preventDefault();
      this.send();
    } } }, el("label", { for: this.input.id, class: "only-heard" }, t("Type a line: it is signed and stands for good")), el("kbd", { "aria-hidden": "true" }, "W"), this.input, el("button", { type: "submit" }, el("kbd", { "aria-hidden": "true" }, t("Enter")), el("span", null, t("sign it"))));
    this.foot = el("div", { class: "typefoot" }, this.form, this.voice);
    this.node = panel("typed", t("Typed in this call, each line an entry"), this.list, this.foot, this.said);
    this.input.placeholder = t("figures, names, places");
  }

  update(view, session) {
    Object.assign(this, { view, session });
    const open = view.state === "open";
    this.form.hidden = !open;
    const rows = [...view.typed.map((each) => ({ ...each, kind: "typed" })), ...view.voice.map((each) => ({ ...each, kind: "voice" }))].sort((one, other) => one.number - other.number);
    const name = rows.map((each) => `${each.kind} ${each.ref.lane}/${each.ref.generation}/${each.ref.index}`).join(" ");
    if (name !== this.drawn) {
      this.drawn = name;
      fill(this.list, rows.map((each) => this.row(each)));
      this.list.scrollTop = this.list.scrollHeight;
    }
    this.node.hidden = !open && !rows.length;
    this.drawVoice();
  }

  row(said) {
    const us = partyOf(this.view, said.party)?.me;
    return el("li", null, moment(said.at), " ", el("b", { class: us ? null : "peer" }, el("bdi", null, partyName(this.view, said.party))), " ",
      said.kind === "typed" ? [inertText(said.text, said.lang), el("span", { class: "small second" }, signOf(said.sign))] : this.message(said));
  }

  // --- typing ------------------------------------------------------------------------------------------------------

  async send() {
    const text = this.input.value.trim();
    if (!text || this.sending) return;
    this.sending = true;
    try {
      await typed(this.view, text, this.context.me.language);
      this.input.value = "";
      fill(this.said);
    } catch (error) {
      fill(this.said, failure(error, explain));
    } finally {
      this.sending = false;
    }
  }

  // --- voice messages ----------------------------------------------------------------------------------------------

  drawVoice() {
    const open = this.view.state === "open";
    const can = open && this.session?.microphone.state === "open" && MediaRecorder.isTypeSupported(VOICE);
    const name = `${can} ${Boolean(this.recording)} ${this.session?.failing}`;
    if (this.voice.dataset.drawn === name) return;
    this.voice.dataset.drawn = name;
    if (this.recording) {
      const left = el("span", { class: "fig", role: "timer" });
      this.recording.shown = left;
      fill(this.voice, el("b", { class: "act" }, badge("microphone"), " ", t("Recording")), left, button(t("Send it"), () => this.stop(true), { key: "R", kind: "main" }), button(t("Throw it away"), () => this.stop(false)));
      return;
    }
    fill(this.voice, can ? button(t("voice message"), () => this.record(), { key: "R", kind: this.session.failing ? "main" : "" }) : null);
  }

  toggle() {
    if (this.recording) this.stop(true);
    else this.record();
  }

  record() {
    const stream = this.session?.microphone.track && new MediaStream([this.session.microphone.track.clone()]);
    if (!stream || this.recording || this.view.state !== "open") return;
    stream.getAudioTracks()[0].enabled = true; // muted in the call is not muted here
    const recorder = new MediaRecorder(stream, { mimeType: VOICE, audioBitsPerSecond: VOICE_BITS });
    const pieces = [];
    recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
    recorder.addEventListener("stop", () => {
      stream.getTracks().forEach((track) => track.stop());
      if (recorder.wanted) this.deliver(new Blob(pieces, { type: VOICE }));
    });
    recorder.start();
    const from = performance.now();
    this.recording = { recorder, timer: setInterval(() => {
      const seconds = Math.floor((performance.now() - from) / 1_000);
      if (this.recording?.shown) this.recording.shown.textContent = secondsWords(seconds);
      if (seconds >= MOST_VOICE_S) this.stop(true);
    }, 500) };
    this.drawVoice();
  }

  stop(wanted) {
    if (!this.recording) return;
    const { recorder, timer } = this.recording;
    clearInterval(timer);
    this.recording = null;
    recorder.wanted = wanted;
    recorder.stop();
    this.drawVoice();
  }

  async deliver(blob) {
    const at = new Date(this.context.live.now()).toISOString().replace(/[-:]|\..*/g, "");
    const named = query({ name: `voice-${at}.webm`, media_type: "audio/webm", of: this.view.place });
    try {
      await raw("POST", ofLine(this.line, `/attachments${named}`), blob, { patience: 60_000 });
      fill(this.said);
    } catch (error) {
      fill(this.said, failure(error, explain));
    }
  }

  /** A voice message, to be heard here: the bytes come when they are asked for. */
  message(said) {
    const box = el("span", { class: "row" });
    const listen = async () => {
      try {
        const answer = await raw("GET", ofLine(this.line, `/attachments/${said.sha256}`));
        const url = URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type: "audio/webm" }));
        this.heard.set(said.sha256, url);
        const player = el("audio", { controls: true, src: url, "aria-label": t("Voice message") });
        fill(box, player);
        player.play().catch(() => {});
      } catch {
        fill(box, el("span", { class: "look" }, t("It is not whole here yet: try again in a moment.")), " ", button(t("hear it"), listen));
      }
    };
    return fill(box, badge("sound"), el("span", null, t("voice message")), button(t("hear it"), listen));
  }

  close() {
    this.stop(false);
    this.heard.forEach((url) => URL.revokeObjectURL(url));
  }
}
