// Microphone and loudspeaker: the choice, a level that moves, and a test before the call: three seconds are recorded and heard again.

import { el, field, button, fill } from "../dom.js";
import { openDialog } from "../dialogs.js";
import { t } from "../words.js";
import { chooseLoudspeaker, chosenMicrophone, devices, loudspeaker, Microphone } from "./microphone.js";
import { microphoneWords } from "./telling.js";

const TEST_MS = 3_000;
const METER_MS = 100;
const QUIET = 0.03;
const LOUD = 0.9;

/** The devices of this console. `microphone`: the one that a call uses; without it, one is opened for the test and closed after it. */
export async function showDevices(microphone, session) {
  const own = microphone ?? new Microphone(() => {});
  const before = own.changed;
  const bench = new Bench(own, session);
  own.changed = () => {
    before();
    bench.draw();
  };
  if (own.state !== "open") own.open();
  bench.draw();
  await openDialog(t("Microphone and loudspeaker"), bench.node);
  bench.stop();
  own.changed = before;
  if (!microphone) own.close();
}

class Bench {
  constructor(microphone, session) {
    Object.assign(this, { microphone, session });
    this.input = el("select");
    this.output = el("select");
    this.said = el("div", { role: "status" });
    this.bar = el("i");
    this.words = el("span", { class: "second" });
    this.result = el("p", { role: "status" });
    this.node = el("div", { class: "stack devices" }, this.said, field(t("Microphone"), this.input), el("div", { class: "meterline" }, el("span", { class: "level wide", "aria-hidden": "true" }, this.bar), this.words),
      this.outputField = field(t("Loudspeaker"), this.output), el("div", { class: "row" }, button(t("Test: speak for three seconds, then hear it"), () => this.test(), { kind: "main" })), this.result,
      "Notification" in window && Notification.permission === "default" ? button(t("Let this browser notify me of calls while I look elsewhere"), (event) => Notification.requestPermission().then(() => event.target.closest("button")?.remove())) : null,
      el("p", { class: "small second" }, t("Nothing of the test is kept or sent. Echo is taken away by the browser; a headset is better still.")));
    this.input.addEventListener("change", () => this.microphone.choose(this.input.value));
    this.output.addEventListener("change", () => {
      chooseLoudspeaker(this.output.value);
      this.session?.sink(this.output.value);
    });
    this.timer = setInterval(() => this.meter(), METER_MS);
    this.peak = 0;
  }

  async draw() {
    const wrong = microphoneWords(this.microphone);
    fill(this.said, wrong ? el("p", { class: "said look" }, el("b", null, wrong[0]), " ", wrong[1], " ", button(t("Try again"), () => this.microphone.open())) : null);
    const { inputs, outputs } = await devices().catch(() => ({ inputs: [], outputs: [] }));
    const options = (all, chosen) => [el("option", { value: "", selected: !chosen }, t("as the browser chooses")), all.filter((each) => each.id !== "default").map((each, place) => el("option", { value: each.id, selected: each.id === chosen }, each.name || t("device {number}", { number: place + 1 })))];
    fill(this.input, options(inputs, chosenMicrophone()));
    fill(this.output, options(outputs, loudspeaker()));
    this.outputField.hidden = !("setSinkId" in HTMLMediaElement.prototype) || !outputs.length;
  }

  meter() {
    const level = this.microphone.level();
    this.peak = Math.max(level, this.peak * 0.97);
    this.bar.style.inlineSize = `${Math.round(level * 100)}%`;
    const words = this.microphone.state !== "open" ? "" : this.peak < QUIET ? t("Nothing is heard yet: speak.") : this.peak > LOUD ? t("Too loud: further from the microphone.") : t("Level good.");
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  /** Record, and play what was recorded. */
  test() {
    const { track } = this.microphone;
    if (!track || this.testing) return;
    this.testing = true;
    const copy = track.clone();
    copy.enabled = true;
    const recorder = new MediaRecorder(new MediaStream([copy]));
    const pieces = [];
    recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
    recorder.addEventListener("stop", () => {
      copy.stop();
      this.play(new Blob(pieces, { type: recorder.mimeType }));
    });
    fill(this.result, t("Speak now…"));
    recorder.start();
    this.ending = setTimeout(() => recorder.stop(), TEST_MS);
  }

  async play(blob) {
    const url = URL.createObjectURL(blob);
    const player = new Audio(url);
    this.player = player;
    fill(this.result, t("This is how they hear you…"));
    player.addEventListener("ended", () => {
      URL.revokeObjectURL(url);
      this.testing = false;
      fill(this.result, el("b", { class: "work" }, t("Did you hear yourself? Then both work.")));
    });
    if (loudspeaker() && player.setSinkId) await player.setSinkId(loudspeaker()).catch(() => {});
    await player.play().catch(() => {
      this.testing = false;
      fill(this.result, t("This browser plays no sound yet."));
    });
  }

  stop() {
    clearInterval(this.timer);
    this.player?.pause();
  }
}
