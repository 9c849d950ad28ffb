// The microphone of this console and where sound comes out: the choice, the level, and what to do if there is none.

const INPUT = "openline.microphone";
const OUTPUT = "openline.loudspeaker";
const SHAPE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };

const kept = (name) => localStorage.getItem(name) ?? "";
const keep = (name, value) => (value ? localStorage.setItem(name, value) : localStorage.removeItem(name));

/** The chosen loudspeaker; "" is the browser's own. */
export const loudspeaker = () => kept(OUTPUT);
export const chooseLoudspeaker = (id) => keep(OUTPUT, id);
export const chosenMicrophone = () => kept(INPUT);

/** {inputs, outputs}: [{id, name}]; names are empty until a microphone was allowed once. */
export async function devices() {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind) => all.filter((each) => each.kind === kind && each.deviceId).map((each) => ({ id: each.deviceId, name: each.label }));
  return { inputs: of("audioinput"), outputs: of("audiooutput") };
}

/** One microphone in use. `state`: "asked", "open", "refused", "none", "busy", "lost"; `changed()` is called when it changes. */
export class Microphone {
  constructor(changed) {
    Object.assign(this, { changed, state: "asked", track: null, name: "", audio: null, closed: false, turn: 0 });
    this.onDevices = () => this.#devices();
    navigator.mediaDevices?.addEventListener("devicechange", this.onDevices);
  }

  /** Open the chosen microphone, else any. Resolves whether there is one. */
  async open(id = kept(INPUT)) {
    const mine = (this.turn += 1);
    this.#drop();
    this.#is("asked");
    let stream;
    try {
      stream = await this.#asked(id);
    } catch (error) {
      if (mine === this.turn) this.#is({ NotAllowedError: "refused", NotFoundError: "none", NotReadableError: "busy" }[error.name] ?? "none");
      return false;
    }
    const [track] = stream.getAudioTracks();
    if (this.closed || mine !== this.turn) {
      track.stop();
      return false;
    }
    Object.assign(this, { track, stream, name: track.label });
    track.addEventListener("ended", () => track === this.track && this.#lost());
    this.#listen();
    this.#is("open");
    return true;
  }

  async #asked(id) {
    if (!navigator.mediaDevices) throw new DOMException("", "NotFoundError");
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: { ...SHAPE, ...(id ? { deviceId: { exact: id } } : {}) } });
    } catch (error) {
      if (!id || error.name === "NotAllowedError") throw error;
      return navigator.mediaDevices.getUserMedia({ audio: SHAPE }); // the chosen one is not there any more
    }
  }

  /** Use another one from now on. */
  choose(id) {
    keep(INPUT, id);
    return this.open(id);
  }

  /** How loud it is now, 0 to 1. */
  level() {
    if (!this.meter) return 0;
    this.meter.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    return Math.min(1, Math.sqrt(sum / this.samples.length) * 4);
  }

  close() {
    this.closed = true;
    this.turn += 1;
    navigator.mediaDevices?.removeEventListener("devicechange", this.onDevices);
    this.#drop();
  }

  #drop() {
    this.track?.stop();
    this.audio?.close().catch(() => {});
    Object.assign(this, { track: null, stream: null, audio: null, meter: null, name: "" });
  }

  #is(state) {
    this.state = state;
    if (!this.closed) this.changed();
  }

  #listen() {
    this.audio = new AudioContext();
    this.meter = this.audio.createAnalyser();
    this.meter.fftSize = 1_024;
    this.samples = new Float32Array(this.meter.fftSize);
    this.audio.createMediaStreamSource(this.stream).connect(this.meter);
    this.audio.resume().catch(() => {});
  }

  /** It was pulled out: another one takes over if there is any, and the page says so. */
  async #lost() {
    this.#is("lost");
    await this.open("");
  }

  async #devices() {
    if (this.closed) return;
    if (["none", "lost"].includes(this.state) && (await devices()).inputs.length) await this.open();
    else this.changed();
  }
}
