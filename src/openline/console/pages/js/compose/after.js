// What a draft names, what a releaser confirms, and what follows a message that is signed: its place, and its files.

import * as api from "../api.js";
import { failure } from "../dialogs.js";
import { el } from "../dom.js";
import { own } from "../live.js";
import { t } from "../words.js";

const LOOKED_AT = 40;

/** The entries that a draft names: by a reference as people write it, or by place. None if there is none here. */
export async function find(line, ref) {
  try {
    if (typeof ref === "string") return (await api.get(api.ofLine(line, `/find${api.query({ reference: ref })}`))).entries;
    return [await api.get(api.ofLine(line, `/entries/${ref.lane}/${ref.generation}/${ref.index}`))];
  } catch {
    return [];
  }
}

/** Whether a releaser has named the addressee and precedence that stand on the paper. */
export const confirms = (given, { precedence, to }) => given.precedence === precedence && given.to.length === to.length && given.to.every((role) => to.includes(role));

/** Where a message stands that was signed while nobody waited for the answer; undefined if it is not found. */
export async function placed(line, { message, drafter }) {
  const { entries } = await api.get(api.ofLine(line, `/entries${api.query({ kind: "message", before: line.last_seq + LOOKED_AT, limit: LOOKED_AT })}`)).catch(() => ({ entries: [] }));
  return entries.findLast((entry) => entry.author === own(line).name && entry.body.text === message.text && entry.body.drafter === drafter)?.ref;
}

/** Attach a file to the message at `ref`; what to show of it. */
export async function attach(line, ref, file) {
  const of = `${ref.lane}/${ref.generation}/${ref.index}`;
  try {
    await api.raw("POST", api.ofLine(line, `/attachments${api.query({ name: file.name, media_type: file.type || "application/octet-stream", of })}`), file, { patience: 600_000 });
    return el("b", { class: "work" }, t("signed"));
  } catch (error) {
    return failure(error, api.explain);
  }
}
