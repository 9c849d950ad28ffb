// A moment that an officer types: 0305 (the next 03:05Z), 210305 (the 21st), +30 (in thirty minutes), +2h. It shows at once what was understood.

import { el, field } from "../dom.js";
import { day, dtg, hm, local, now, span } from "../moments.js";
import { t } from "../words.js";

const MINUTE = 60_000;

/** The moment that a text names, ms: null if it is empty, undefined if it names none. */
export function momentOf(text, at) {
  const given = text.trim().toUpperCase().replace(/[:\s]/g, "").replace(/Z$/, "");
  if (!given) return null;
  const after = /^\+(\d{1,5})(H|D|M|MIN)?$/.exec(given);
  if (after) return Math.ceil((at + Number(after[1]) * ({ H: 60, D: 1_440 }[after[2]] ?? 1) * MINUTE) / MINUTE) * MINUTE;
  const parts = /^(\d{2})?(\d{2})(\d{2})$/.exec(given.length === 3 ? `0${given}` : given);
  if (!parts || Number(parts[2]) > 23 || Number(parts[3]) > 59) return undefined;
  return coming(at, parts[1] === undefined ? null : Number(parts[1]), Number(parts[2]), Number(parts[3]));
}

/** The next moment of that hour and minute, and of that day of a month if one is named. */
function coming(at, date, hours, minutes) {
  const here = new Date(at);
  for (let ahead = 0; ahead < 32; ahead += 1) {
    const found = Date.UTC(here.getUTCFullYear(), here.getUTCMonth(), here.getUTCDate() + ahead, hours, minutes);
    if (found > at && (date === null || new Date(found).getUTCDate() === date)) return found;
  }
  return undefined;
}

/** A moment as it is typed: 0305Z, or with its day 230305Z. */
function written(ms, at) {
  return ms === null ? "" : ms - at > 86_400_000 || day(ms) !== day(at) ? dtg(ms).slice(0, 7) : hm(ms).replace(":", "");
}

/** A field for a moment. `changed(ms)` hears of each that is one, and null for none. Returns {node, show, valid}. */
export function momentField(name, changed) {
  const input = el("input", { class: "fig moment", autocomplete: "off", spellcheck: "false", maxlength: 12, placeholder: "0305Z +30 +2h" });
  const said = el("output", { class: "small second" });
  const state = { ms: null };
  const tell = () => {
    const wrong = state.ms === undefined;
    input.setAttribute("aria-invalid", String(wrong));
    said.classList.toggle("act", wrong || (state.ms !== null && state.ms <= now()));
    said.textContent = wrong ? t("Write 0305 or +30.") : state.ms === null ? "" : state.ms <= now() ? t("That moment has passed.")
      : t("{moment}, {local} here, in {span}", { moment: hm(state.ms), local: local(state.ms), span: span(state.ms - now()) });
  };
  input.addEventListener("input", () => {
    state.ms = momentOf(input.value, now());
    tell();
    if (state.ms !== undefined) changed(state.ms);
  });
  input.addEventListener("change", () => state.ms && (input.value = written(state.ms, now())));
  const node = field(name, input);
  node.append(said);
  return {
    node, input,
    show(ms) {
      if (document.activeElement === input) return;
      state.ms = ms;
      input.value = written(ms, now());
      tell();
    },
    valid: () => state.ms !== undefined,
  };
}
