// Calls of the station: JSON there and back, and errors told in plain words with the next thing to do.

import { stationSentence, t } from "./words.js";

const PATIENCE_MS = 15_000;
const PAGE = "openline.page";

/** The page's own half of a session: unlike the cookie, no other port of this host ever gets it. */
export const pageKey = () => localStorage.getItem(PAGE) ?? "";

/** A call that was refused or did not get through. `code` is the API's, or "away", "signed-out", "locked". */
export class Failed extends Error {
  constructor(code, said = "") {
    super(said || code);
    Object.assign(this, { code, said });
  }
}

const listeners = new Set();

/** `heard(error)` is called for every failure: the shell shows the lost station, the lock or the entrance. */
export function whenFailed(heard) {
  listeners.add(heard);
}

/** `parting`: what a page says as it goes; it is sent although nobody is there any more to hear the answer. */
async function call(method, path, body, { patience = PATIENCE_MS, parting = false } = {}) {
  const bytes = body instanceof Blob || body instanceof ArrayBuffer || ArrayBuffer.isView(body);
  const json = body !== undefined && !bytes;
  let answer;
  try {
    answer = await fetch(path, {
      method, credentials: "same-origin", cache: "no-store", redirect: "error", keepalive: parting,
      signal: AbortSignal.timeout(patience),
      headers: { "openline-page": pageKey(), ...(json ? { "content-type": "application/json" } : bytes ? { "content-type": "application/octet-stream" } : {}) },
      body: json ? JSON.stringify(body) : body,
    });
  } catch {
    throw told(new Failed("away"));
  }
  if (answer.ok) return answer;
  let said = {};
  try {
    said = await answer.json();
  } catch { /* not one of the station's own answers */ }
  const code = answer.status === 401 ? "signed-out" : answer.status === 423 ? "locked" : said.error ?? "refused";
  throw told(new Failed(code, said.own ? `${said.message}: ${said.do}` : said.message ?? ""));
}

function told(error) {
  for (const heard of listeners) heard(error);
  return error;
}

async function json(method, path, body, options) {
  const answer = await call(method, path, body, options);
  const said = answer.status === 204 ? null : await answer.json();
  if (said?.page_key) localStorage.setItem(PAGE, said.page_key);
  return said;
}

export const get = (path, options) => json("GET", path, undefined, options);
export const post = (path, body = {}, options) => json("POST", path, body, options);
export const put = (path, body = {}) => json("PUT", path, body);
export const remove = (path) => json("DELETE", path);

/** The answer itself: for text, bytes and streams. */
export const raw = (method, path, body, options) => call(method, path, body, options);

/** The path of a line of the station's API: its id is exact where labels may be short or shared. */
export const ofLine = (line, rest = "") => `/v1/lines/${encodeURIComponent(line.line)}${rest}`;

/** A query from an object; what is undefined or null is left out. */
export function query(values) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== null) found.set(name, value);
  const text = found.toString();
  return text ? `?${text}` : "";
}

/** What happened and what to do, in the officer's language; `said` is the station's own sentence about it. */
export function explain(error) {
  const [what, next] = WORDS[error?.code]?.() ?? [t("The station refused this."), t("Nothing was changed. Look at what you gave, and try again.")];
  return { what, next, said: error?.code === "bug" ? "" : stationSentence(error?.said ?? "") };
}

const WORDS = {
  away: () => [t("The station does not answer."), t("Nothing was sent. It is tried again by itself; your text stays here.")],
  "signed-out": () => [t("You are signed out."), t("Sign in again: your text stays here until you leave the page.")],
  locked: () => [t("The console is locked."), t("Unlock it with your passkey.")],
  malformed: () => [t("Something in this does not fit."), t("Look at what you gave, and try again.")],
  forbidden: () => [t("Your role may not do this."), t("Ask somebody who has the role, or the administrator of this station.")],
  unknown: () => [t("There is no such thing here."), t("It may have changed meanwhile: look at the list anew.")],
  conflict: () => [t("Something else stands there now."), t("Look at what it is, and decide anew.")],
  "too-large": () => [t("This is larger than the line takes."), t("Send less at a time.")],
  quota: () => [t("Too much at once."), t("Wait a moment and try again.")],
  unavailable: () => [t("The station cannot do this now."), t("Try again; if it stays so, ask the technician.")],
  bug: () => [t("A fault of this program."), t("Keep the log and report it. The other lines go on.")],
};
