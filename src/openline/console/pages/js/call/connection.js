// One path of sound to one other seat. Of the two seats the smaller one makes the offers. No sound is sent or heard before the
// gate (gate.js) has judged the connection, and it is judged again as long as it stands.

import { describes, judged } from "./gate.js";
import { LEVELS, Pace, shaped } from "./pace.js";
import { heard, sent } from "./quality.js";

const LOOK_MS = 1_000;
const BROKEN_MS = 3_000; // "disconnected" mends itself often; after this long it is helped
const AGAIN_MS = 8_000;

export const seatKey = ({ party, seat }) => `${party}/${seat}`;
const before = (one, other) => one.party < other.party || (one.party === other.party && one.seat < other.seat);

/**
 * `state`: "connecting", "connected", "broken", "refused", "closed". `acts`: {send(type, data), changed(), refused(fault),
 * passed(protection), said(text), ways()}.
 */
export class Connection {
  constructor(own, peer, certificate, acts) {
    Object.assign(this, { own, peer, certificate, acts, state: "connecting", protection: null, quality: null, track: null, pacing: 0, pace: new Pace(), theirs: null, since: performance.now(), connectedAt: 0 });
    this.offers = before(own, peer);
    this.candidates = [];
    this.element = document.createElement("audio");
    this.element.autoplay = true;
    this.element.muted = true;
    this.element.dataset.seat = seatKey(peer);
    this.remote = false;
  }

  /** Begin: the offer, if it is ours to make. */
  async start() {
    const { ice, relay_only: relayOnly } = await this.acts.ways();
    if (this.state === "closed") return;
    const pc = this.pc = new RTCPeerConnection({ iceServers: ice, iceTransportPolicy: relayOnly ? "relay" : "all", certificates: [this.certificate], bundlePolicy: "max-bundle" });
    this.channel = pc.createDataChannel("openline", { negotiated: true, id: 0 });
    this.channel.addEventListener("open", () => this.acts.changed());
    this.channel.addEventListener("message", (event) => typeof event.data === "string" && event.data.length <= 1_024 && this.acts.said(event.data));
    pc.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.candidate) this.acts.send("candidate", JSON.stringify({ candidate: candidate.candidate, sdpMid: candidate.sdpMid, sdpMLineIndex: candidate.sdpMLineIndex }));
      else if (candidate === null) this.acts.send("end-of-candidates", "");
    });
    pc.addEventListener("track", ({ track, transceiver }) => Object.assign(this, { incoming: track, transceiver }));
    pc.addEventListener("connectionstatechange", () => this.#moved());
    this.timer = setInterval(() => this.#look(), LOOK_MS);
    if (this.offers) {
      this.#prefer(pc.addTransceiver("audio", { direction: "sendrecv" }));
      await this.#offer(false);
    }
    for (const [type, data] of this.early?.splice(0) ?? []) await this.signal(type, data);
  }

  /** Redundancy first: a lost piece of sound comes again with the next one. */
  #prefer(transceiver, twice = true) {
    this.transceiver = transceiver;
    const { codecs } = RTCRtpReceiver.getCapabilities("audio");
    const wanted = [...(twice ? ["audio/red", "audio/opus"] : ["audio/opus", "audio/red"]), "audio/telephone-event"].flatMap((name) => codecs.filter((each) => each.mimeType.toLowerCase() === name));
    transceiver.setCodecPreferences(wanted);
  }

  async #offer(iceRestart) {
    const offer = await this.pc.createOffer({ iceRestart });
    await this.pc.setLocalDescription(offer);
    this.described = offer.sdp; // as made, before any address stands in it: addresses travel by themselves
    this.acts.send("offer", this.described);
  }

  /** What the other seat signals. */
  async signal(type, data) {
    if (!this.pc) {
      (this.early ??= []).push([type, data]);
      return;
    }
    try {
      await this.#signalled(type, data);
    } catch (error) {
      if (this.state !== "closed" && this.state !== "refused") console.warn(`a signal of type ${type} did not fit: ${error.name}`);
    }
  }

  async #signalled(type, data) {
    const { pc } = this;
    if (this.state === "refused" || this.state === "closed") return;
    if (type === "restart" && this.offers) await this.#restart();
    if (type === "candidate") {
      const candidate = JSON.parse(data);
      if (this.remote) await pc.addIceCandidate(candidate);
      else if (this.candidates.length < 64) this.candidates.push(candidate);
    }
    if (type !== "offer" && type !== "answer") return;
    if (type === "offer" && this.offers) return; // only one of the two makes offers
    if (type === "answer" && pc.signalingState !== "have-local-offer") return; // a second one
    if (!describes(data, this.peer.fingerprint)) {
      this.#refuse("fingerprint");
      return;
    }
    await pc.setRemoteDescription({ type, sdp: data });
    Object.assign(this, { remote: true, theirs: { type, sdp: data }, pacing: 0 });
    for (const candidate of this.candidates.splice(0)) await pc.addIceCandidate(candidate).catch(() => {});
    if (type === "offer") await this.#answer();
  }

  async #answer() {
    const [transceiver] = this.pc.getTransceivers();
    transceiver.direction = "sendrecv";
    this.#prefer(transceiver);
    const answer = await this.pc.createAnswer();
    await this.pc.setLocalDescription(answer);
    this.acts.send("answer", answer.sdp);
  }

  // --- the gate ----------------------------------------------------------------------------------------------------

  #moved() {
    const { connectionState } = this.pc;
    if (connectionState === "connected") {
      clearTimeout(this.mend);
      this.mend = null;
      this.#judge();
    } else if ((connectionState === "disconnected" || connectionState === "failed") && this.state !== "refused" && this.state !== "closed") {
      this.#is("broken");
      this.mend ??= setTimeout(() => this.help(), connectionState === "failed" ? 0 : BROKEN_MS);
    }
  }

  async #judge() {
    for (let tries = 0; tries < 100 && this.pc.connectionState === "connected"; tries += 1) {
      const stats = await this.pc.getStats();
      const found = judged(stats, this.peer.fingerprint);
      if (this.state === "closed" || this.state === "refused") return;
      if (found.fault) return void this.#refuse(found.fault);
      if (found.ready) return void await this.#pass(found);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }

  async #pass({ dtls, cipher, srtp, path }) {
    const first = this.state !== "connected" || this.protection?.path !== path;
    this.protection = { dtls, cipher, srtp, path };
    this.connectedAt ||= performance.now();
    this.#is("connected");
    await this.send(this.track);
    if (this.incoming && !this.element.srcObject) this.element.srcObject = new MediaStream([this.incoming]);
    this.element.muted = Boolean(this.quiet);
    this.element.play().catch(() => {});
    if (first) this.acts.passed(this.protection);
  }

  #refuse(fault) {
    this.element.muted = true;
    this.element.srcObject = null;
    this.state = "refused";
    this.pc.close();
    clearInterval(this.timer);
    this.acts.refused(fault);
  }

  // --- sound -------------------------------------------------------------------------------------------------------

  /** Send this track from now on, if the gate has passed; else as soon as it has. */
  async send(track) {
    this.track = track;
    if (this.state !== "connected" || !this.transceiver) return;
    if (this.transceiver.sender.track !== track) await this.transceiver.sender.replaceTrack(track);
  }

  /** Hear nothing of this seat for a while (hold). */
  hush(quiet) {
    this.quiet = quiet;
    this.element.muted = quiet || this.state !== "connected";
  }

  /** How loud the other seat is now, 0 to 1. */
  level() {
    if (this.state !== "connected" || this.quiet) return 0;
    const [source] = this.transceiver?.receiver.getSynchronizationSources() ?? [];
    return source && performance.timeOrigin + performance.now() - source.timestamp < 500 ? source.audioLevel ?? 0 : 0;
  }

  /** Say something to that page over the data channel. */
  say(text) {
    if (this.state === "connected" && this.channel?.readyState === "open") this.channel.send(text);
  }

  /** Whether less is sent than the best, because the path is narrow. */
  get thin() {
    return this.pacing > 0;
  }

  /**
   * Send at another level from now on (pace.js). The codec and the length of a piece follow from the description of the other
   * side: it is applied anew, shaped, and nothing of it is said to anybody.
   */
  async #send(level) {
    const { pc, theirs } = this;
    if (level === this.pacing || !theirs || pc.signalingState !== "stable" || this.state !== "connected") return;
    this.pacing = level;
    const how = LEVELS[level];
    const text = shaped(theirs.sdp, how);
    if (theirs.type === "answer") {
      await pc.setLocalDescription(await pc.createOffer());
      await pc.setRemoteDescription({ type: "answer", sdp: text });
    } else {
      await pc.setRemoteDescription({ type: "offer", sdp: text });
      this.#prefer(this.transceiver, how.twice);
      await pc.setLocalDescription(await pc.createAnswer());
    }
    const parameters = this.transceiver.sender.getParameters();
    if (parameters.encodings?.length) parameters.encodings[0].maxBitrate = how.bits;
    await this.transceiver.sender.setParameters(parameters);
  }

  async #look() {
    if (this.state === "refused" || this.state === "closed") return;
    if (this.state === "connecting" && performance.now() - this.since > AGAIN_MS) await this.help();
    if (this.state !== "connected") {
      this.quality = this.state === "broken" ? heard(null) : null;
      this.acts.changed();
      return;
    }
    const stats = await this.pc.getStats();
    if (this.state !== "connected") return;
    const found = judged(stats, this.peer.fingerprint);
    if (found.ready && found.fault) {
      this.#refuse(found.fault);
      return;
    }
    if (found.ready && found.path !== this.protection.path) await this.#pass(found);
    this.quality = heard(stats, this.quality);
    this.sent = sent(stats, this.sent);
    await this.#send(this.pace.look(performance.now(), this.sent)).catch(() => {});
    this.acts.changed();
  }

  // --- mending -----------------------------------------------------------------------------------------------------

  /** Help it along: the offering side begins anew, the other asks for it. */
  async help() {
    this.mend = null;
    if (["connected", "refused", "closed"].includes(this.state) && this.pc.connectionState === "connected") return;
    this.since = performance.now();
    if (this.offers) await this.#restart().catch(() => {});
    else this.acts.send("restart", "");
    if (this.state === "broken") this.mend = setTimeout(() => this.help(), AGAIN_MS);
  }

  async #restart() {
    if (this.pc.signalingState === "closed") return;
    const { ice, relay_only: relayOnly } = await this.acts.ways(true);
    this.pc.setConfiguration({ ...this.pc.getConfiguration(), iceServers: ice, iceTransportPolicy: relayOnly ? "relay" : "all" });
    if (this.pc.signalingState === "have-local-offer") this.acts.send("offer", this.described); // the first may not have come through
    else await this.#offer(true);
  }

  #is(state) {
    if (this.state === state) return;
    this.state = state;
    this.acts.changed();
  }

  close() {
    if (this.state === "closed") return;
    this.state = "closed";
    clearInterval(this.timer);
    clearTimeout(this.mend);
    this.element.srcObject = null;
    this.element.remove();
    this.pc?.close();
  }
}
