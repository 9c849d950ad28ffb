"""A page of a call as its listener and its wires have it: what its loudspeaker would play, and its peer connections.

The page is the real one and exposes nothing. What is heard is read from the
track of its <audio> element of a remote seat (`data-seat="PARTY/SEAT"`); while
that element is silenced (muted, paused, volume 0) the recording holds zeros,
since nobody hears anything. Peer connections are seen by a wrapper of
RTCPeerConnection that is put before the page's own scripts; it can lead their
direct path through a `Road` (road.py) of the test.
"""

import base64
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from playwright.sync_api import BrowserContext, Page

from tests.e2e.call_sound.likeness import Likeness, likeness
from tests.e2e.call_sound.road import Road
from tests.e2e.call_sound.speech import RATE, Samples, Spoken, at_rate
from tests.waiting import until

RECORD_S = 4.6
"""A little more than one turn of the longest loop."""
DEADLINE_S = 90.0
"""For speech that is understood: a loaded machine loses some on its own."""
_WRAPPER = """
(() => {
    const Real = window.RTCPeerConnection;
    const peers = window.heardPeers = [];
    const led = async (line) => {
        if (!window.throughRoad) return line;
        const words = line.split(" ");
        if (words[7] === "relay") return line;
        if (words[2].toLowerCase() !== "udp" || words[4].includes(":")) return "";
        words[5] = String(await window.throughRoad(words[4], Number(words[5])));
        words[4] = "127.0.0.1";
        return words.join(" ");
    };
    window.RTCPeerConnection = class extends Real {
        constructor(...given) {
            super(...given);
            peers.push(this);
            this.addEventListener("connectionstatechange", () => (this.heardStates ??= []).push([this.connectionState, performance.now()]));
        }
        async addIceCandidate(given) {
            if (!given?.candidate) return super.addIceCandidate(given);
            const candidate = await led(given.candidate);
            if (!candidate) return undefined;
            return super.addIceCandidate({candidate, sdpMid: given.sdpMid, sdpMLineIndex: given.sdpMLineIndex, usernameFragment: given.usernameFragment});
        }
        async setRemoteDescription(given) {
            const lines = [];
            for (const line of given.sdp.split("\\r\\n")) {
                const shown = line.startsWith("a=candidate:") ? await led(line.slice(2)).then((kept) => kept && `a=${kept}`) : line;
                if (shown || !line) lines.push(shown);
            }
            return super.setRemoteDescription({type: given.type, sdp: lines.join("\\r\\n")});
        }
    };
})();
"""
_RECORD = """
([seat, seconds]) => {
    window.heardSound ??= {};
    const element = () => document.querySelector(`audio[data-seat="${seat}"]`);
    const played = element()?.srcObject?.getAudioTracks()[0];
    if (!played) return false;
    const track = played.clone();
    window.heardSound[seat] = (async () => {
        const reader = new MediaStreamTrackProcessor({track}).readable.getReader();
        const parts = [];
        let length = 0, rate = 0;
        const over = setTimeout(() => track.stop(), 4_000 * seconds);
        while (!rate || length < seconds * rate) {
            const {value, done} = await reader.read();
            if (done) break;
            rate = value.sampleRate;
            const frames = new Float32Array(value.numberOfFrames);
            value.copyTo(frames, {planeIndex: 0, format: "f32-planar"});
            value.close();
            const place = element();
            if (!place || place.muted || place.paused || !place.volume) frames.fill(0);
            parts.push(frames);
            length += frames.length;
        }
        clearTimeout(over);
        track.stop();
        const all = new Int16Array(length);
        let at = 0;
        for (const frames of parts) for (const value of frames) all[at++] = Math.max(-1, Math.min(1, value)) * 32767;
        const bytes = new Uint8Array(all.buffer);
        let text = "";
        for (let from = 0; from < bytes.length; from += 32768) text += String.fromCharCode(...bytes.subarray(from, from + 32768));
        return {rate, data: btoa(text)};
    })();
    return true;
}
"""
_STATS = """
async () => Promise.all(window.heardPeers.map(async (peer) => {
    const found = {state: peer.connectionState, states: peer.heardStates ?? []};
    const stats = await peer.getStats();
    for (const each of stats.values()) {
        if (each.type === "inbound-rtp" && each.kind === "audio") found.received = each;
        if (each.type === "outbound-rtp" && each.kind === "audio") found.sent = each;
        if (each.type === "transport") found.transport = each;
        if (each.type.endsWith("-candidate")) (found.candidates ??= {})[each.id] = each.candidateType;
    }
    found.pair = stats.get(found.transport?.selectedCandidatePairId);
    return found;
}))
"""


class Listener(Protocol):
    """What is needed of a seat (tests/e2e/browser.py)."""

    @property
    def page(self) -> Page: ...

    @property
    def context(self) -> BrowserContext: ...

    def until(self, condition: str) -> Any: ...


def microphone(spoken: Spoken) -> tuple[str, ...]:
    """What a Chromium is started with so that its microphone hears that, and calls stay on this machine."""
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken.path}",
        "--allow-loopback-in-peer-connection",
    )


def listen_in(seat: Listener, road: Road | None = None) -> None:
    """Put the wrapper before the page; it works from the next page load on. With a road, the direct path leads over it."""
    if road:
        seat.context.expose_function("throughRoad", road.to_address)
    seat.context.add_init_script(_WRAPPER)


def peers(seat: Listener) -> list[dict[str, Any]]:
    """What getStats says of each peer connection the page ever made: state, transport, pair, candidates, received, sent."""
    found: list[dict[str, Any]] = seat.page.evaluate(_STATS)
    return found


def connected(seat: Listener) -> list[dict[str, Any]]:
    """Of those, the ones that are up."""
    return [each for each in peers(seat) if each["state"] == "connected" and each.get("pair")]


def relayed(peer: dict[str, Any]) -> bool:
    """Whether the path in use goes through a TURN server."""
    pair = peer["pair"]
    return "relay" in {peer["candidates"].get(pair[end]) for end in ("localCandidateId", "remoteCandidateId")}


def record(ears: Sequence[tuple[Listener, str]], seconds: float = RECORD_S) -> list[Samples]:
    """What each of these pages plays of that remote seat ("PARTY/SEAT"), all at the same time; at RATE."""
    for seat, of in ears:
        until(lambda seat=seat, of=of: seat.page.evaluate(_RECORD, [of, seconds]), deadline_s=DEADLINE_S)  # type: ignore[misc]
    return [_recorded(seat, of, seconds) for seat, of in ears]


def _recorded(seat: Listener, of: str, seconds: float) -> Samples:
    got = seat.page.evaluate("(of) => window.heardSound[of]", of)
    wanted = int(seconds * RATE)
    if not got["rate"]:
        return np.zeros(wanted)
    raw = np.frombuffer(base64.b64decode(got["data"]), dtype="<i2") / 32_768
    samples = at_rate(raw, int(got["rate"]))[:wanted]
    return np.concatenate([samples, np.zeros(wanted - len(samples))])


def hears(ears: Sequence[tuple[Listener, str, Spoken]], deadline_s: float = DEADLINE_S) -> list[Likeness]:
    """Wait until each page plays that speech of that seat, understood from end to end; how well."""
    found: list[Likeness] = []

    def all_understood() -> bool:
        sounds = record([(seat, of) for seat, of, _ in ears])
        found[:] = [likeness(spoken.samples, sound) for (_, _, spoken), sound in zip(ears, sounds, strict=True)]
        return all(each.understood for each in found)

    try:
        until(all_understood, deadline_s=deadline_s)
    except TimeoutError:
        raise AssertionError(found) from None
    return found
