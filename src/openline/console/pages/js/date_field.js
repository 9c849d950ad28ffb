// A day, or a day and its minute, as an officer writes it: 2026-11-22, 22 NOV 26, 2026-11-22 14:30, 221430Z NOV 26. The same in every
// browser and every language, which a browser's own field of a date is not. It shows at once what was understood.

import { el, field } from "./dom.js";
import { MONTHS } from "./moments.js";
import { language, t } from "./words.js";

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ]+(\d{2}):?(\d{2})Z?)?$/;
const DAY = /^(\d{1,2}) ?([A-Z]{3}) ?(\d{2})$/;
const GROUP = /^(\d{2})(\d{2})(\d{2})Z ?([A-Z]{3}) ?(\d{2})$/;

function parts(text) {
  const iso = ISO.exec(text);
  if (iso) return iso.slice(1).map((each) => (each === undefined ? undefined : Number(each)));
  const day = DAY.exec(text);
  if (day) return [2_000 + Number(day[3]), MONTHS.indexOf(day[2]) + 1, Number(day[1]), undefined, undefined];
  const group = GROUP.exec(text);
  return group && [2_000 + Number(group[5]), MONTHS.indexOf(group[4]) + 1, Number(group[1]), Number(group[2]), Number(group[3])];
}

/** What a text names, as 2026-11-22 or, with `minute`, as 2026-11-22T14:30: "" if it is empty, undefined if it names none. */
export function dateOf(text, { minute = false } = {}) {
  const given = text.trim().toUpperCase();
  if (!given) return "";
  const found = parts(given);
  if (!found || (minute && found[3] === undefined)) return undefined;
  const [year, month, day, hours = 0, minutes = 0] = found;
  const at = new Date(Date.UTC(year, month - 1, day, hours, minutes));
  const same = at.getUTCMonth() === month - 1 && at.getUTCDate() === day && at.getUTCHours() === hours && at.getUTCMinutes() === minutes;
  return same ? at.toISOString().slice(0, minute ? 16 : 10) : undefined;
}

/**
 * A field for a day, or with `minute` for a moment. `value` is as dateOf gives it, `changed()` hears of each that is one, and of
 * none. Returns {node, input, value()}: undefined while what stands there names none.
 */
export function dateField(name, { value = "", minute = false, changed = () => {} } = {}) {
  const input = el("input", { class: "fig date", dir: "ltr", autocomplete: "off", spellcheck: "false", maxlength: 20, value: value.replace("T", " "), placeholder: minute ? "YYYY-MM-DD HH:MM" : "YYYY-MM-DD" });
  const said = el("output", { class: "small second" });
  const tell = () => {
    const found = dateOf(input.value, { minute });
    input.setAttribute("aria-invalid", String(found === undefined));
    said.classList.toggle("act", found === undefined);
    said.textContent = found === undefined ? (minute ? t("Write 2026-11-22 14:30 or 221430Z NOV 26.") : t("Write 2026-11-22 or 22 NOV 26.")) : found ? weekday(found, minute) : "";
    return found;
  };
  input.addEventListener("input", () => tell() !== undefined && changed());
  tell();
  const node = field(name, input);
  node.append(said);
  return { node, input, value: () => dateOf(input.value, { minute }) };
}

function weekday(found, minute) {
  const at = Date.parse(`${found}${minute ? "" : "T00:00"}:00Z`);
  return new Intl.DateTimeFormat(language(), { timeZone: "UTC", weekday: "long" }).format(at);
}
