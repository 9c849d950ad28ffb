// What must hold before any sound is sent or heard: DTLS 1.3, and the certificate whose fingerprint stands signed on the line.
// Everything here is pure: it reads session descriptions and statistics, and judges.

const DTLS_1_3 = "FEFC"; // RTCTransportStats.tlsVersion: ~(1, 3), RFC 9147, 5.3
const VERSIONS = { FEFC: "1.3", FEFD: "1.2", FEFF: "1.0" };

/** A fingerprint as the API writes it: 64 hex digits. */
export const plain = (fingerprint) => fingerprint.replaceAll(":", "").toLowerCase();

/** Whether this browser can say how sound is protected. One that cannot takes no part in a call. */
export const able = () => typeof RTCPeerConnection === "function" && typeof RTCCertificate === "function" && "getFingerprints" in RTCCertificate.prototype;

/** A new key for one call: {certificate, fingerprint}. It never leaves this page, and is gone with it. */
export async function newKey() {
  const certificate = await RTCPeerConnection.generateCertificate({ name: "ECDSA", namedCurve: "P-256" });
  const found = certificate.getFingerprints().find((each) => each.algorithm.toLowerCase() === "sha-256");
  return { certificate, fingerprint: plain(found.value) };
}

/** Whether a session description names that certificate and no other. */
export function describes(description, fingerprint) {
  const lines = description.split(/\r?\n/).filter((line) => line.startsWith("a=fingerprint:"));
  return lines.length > 0 && lines.every((line) => {
    const [algorithm, value = ""] = line.slice("a=fingerprint:".length).split(" ");
    return algorithm.toLowerCase() === "sha-256" && plain(value) === fingerprint;
  });
}

/**
 * How a connection is protected, by its statistics: {dtls, cipher, srtp, path}, with `ready` false until the keys are agreed
 * and `fault` "" or what is wrong: "version" or "fingerprint".
 */
export function judged(stats, fingerprint) {
  const all = [...stats.values()];
  const transport = all.find((each) => each.type === "transport" && each.dtlsState === "connected");
  if (!transport?.tlsVersion || !transport.remoteCertificateId) return { ready: false, fault: "" };
  const theirs = stats.get(transport.remoteCertificateId);
  const certified = theirs?.fingerprintAlgorithm?.toLowerCase() === "sha-256" && plain(theirs.fingerprint) === fingerprint;
  const version = transport.tlsVersion.toUpperCase();
  const pair = stats.get(transport.selectedCandidatePairId);
  const relayed = pair && [pair.localCandidateId, pair.remoteCandidateId].some((id) => stats.get(id)?.candidateType === "relay");
  return {
    ready: true, fault: version !== DTLS_1_3 ? "version" : certified ? "" : "fingerprint",
    dtls: VERSIONS[version] ?? version, cipher: transport.dtlsCipher ?? "", srtp: transport.srtpCipher ?? "", path: relayed ? "relay" : "direct",
  };
}
