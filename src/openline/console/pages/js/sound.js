// Sound: two tones for FLASH until it is read, one short tone for other arrivals, a test each watch. Browsers allow sound only
// after somebody has touched the page: where it is not allowed, the shell says so, visibly.

const listeners = new Set();
const state = { context: null, testedAt: null, ringing: null, quietUntil: 0, chimes: true, calling: null };

/** `heard()` is called when what may be heard changes. */
export function whenSound(heard) {
  listeners.add(heard);
  return () => listeners.delete(heard);
}

const changed = () => listeners.forEach((heard) => heard());

function context() {
  if (!state.context) {
    state.context = new AudioContext();
    state.context.addEventListener("statechange", changed);
  }
  return state.context;
}

/** "blocked": the browser does not play; "untested": nobody has heard it yet in this page; "tested". */
export function soundState() {
  if (!state.context || state.context.state !== "running") return "blocked";
  return state.testedAt === null ? "untested" : "tested";
}

/** When it was last tested here, ms; null if never. */
export const testedAt = () => state.testedAt;

/** Have the browser allow sound, if a person's act allows it now. */
export async function wake() {
  try {
    await Promise.race([context().resume(), new Promise((resolve) => setTimeout(resolve, 300))]);
  } catch { /* it stays blocked, and is said to be */ }
  changed();
  return soundState() !== "blocked";
}

function tone(frequency, at, seconds, loud = 0.25) {
  const audio = context();
  const oscillator = audio.createOscillator();
  const gain = audio.createGain();
  oscillator.frequency.value = frequency;
  oscillator.type = "triangle";
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(loud, at + 0.02);
  gain.gain.setValueAtTime(loud, at + seconds - 0.04);
  gain.gain.linearRampToValueAtTime(0, at + seconds);
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start(at);
  oscillator.stop(at + seconds);
}

const twoTones = () => {
  const at = context().currentTime;
  tone(880, at, 0.35, 0.5);
  tone(660, at + 0.4, 0.35, 0.5);
};

/** Play what a FLASH plays, once. Resolves whether it could be heard. */
export async function testSound(now) {
  const heard = await wake();
  if (heard) {
    twoTones();
    state.testedAt = now;
  }
  changed();
  return heard;
}

/** What an officer wants to hear besides FLASH: "all" or "flash", which is nothing. FLASH itself is always heard. */
export function hearing(sounds) {
  state.chimes = sounds !== "flash" && sounds !== false;
}

/** One short tone: something other than a FLASH has come. */
export function chime() {
  if (state.chimes && state.context?.state === "running") tone(740, state.context.currentTime, 0.18);
}

/** Two tones again and again, until `hush`. */
export function ring() {
  if (state.ringing) return;
  const play = () => {
    if (Date.now() < state.quietUntil) return;
    if (context().state === "running") twoTones();
    else wake();
  };
  play();
  state.ringing = setInterval(play, 1_600);
  changed();
}

const trill = (loud) => {
  const at = context().currentTime;
  for (let beat = 0; beat < 10; beat += 1) tone(beat % 2 ? 494 : 587, at + beat * 0.1, 0.1, loud);
};

/** A call rings, until `hushCall`; `far`: it rings at the other side, softly heard here. A FLASH goes before it. */
export function ringCall({ far = false } = {}) {
  if (state.calling === (far ? "far" : "here")) return;
  hushCall();
  state.calling = far ? "far" : "here";
  const play = () => {
    if (state.ringing || Date.now() < state.quietUntil) return;
    if (context().state !== "running") wake();
    else if (far) tone(425, context().currentTime, 0.9, 0.06);
    else trill(0.4);
  };
  play();
  state.callTimer = setInterval(play, far ? 3_600 : 2_400);
  changed();
}

/** No call rings any more. */
export function hushCall() {
  clearInterval(state.callTimer);
  state.calling = null;
  changed();
}

/** Whether a call rings here. */
export const callRings = () => state.calling === "here";

/** No more tones. */
export function hush() {
  clearInterval(state.ringing);
  state.ringing = null;
  state.quietUntil = 0;
  changed();
}

/** Quiet for a while: 60 s at most, then it rings again. */
export function quiet(seconds) {
  state.quietUntil = Date.now() + Math.min(seconds, 60) * 1_000;
  changed();
}

export const isRinging = () => state.ringing !== null;
export const quietUntil = () => state.quietUntil;

for (const act of ["pointerdown", "keydown"]) addEventListener(act, () => soundState() === "blocked" && wake(), { capture: true });
