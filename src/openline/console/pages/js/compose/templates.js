// Templates: what a message of a kind must say, field by field, so that at three in the morning nothing is forgotten. The
// other floor reads labels in the message's own language; an empty field is left out.

import { speaker, t } from "../words.js";

/** Template -> its title and fields, said by `t`: the officer's language on the screen, the message's in the text. */
const TEMPLATES = {
  incident: {
    title: (t) => t("Incident"),
    fields: [["what", (t) => t("What happened")], ["when", (t) => t("When (UTC)")], ["where", (t) => t("Where")], ["who", (t) => t("Who was involved")],
      ["done", (t) => t("What we do now")], ["asked", (t) => t("What we ask of you")]],
  },
  notice: {
    title: (t) => t("Advance notice"),
    fields: [["what", (t) => t("What will take place")], ["from", (t) => t("From (UTC)")], ["until", (t) => t("Until (UTC)")], ["where", (t) => t("Where")],
      ["who", (t) => t("Who takes part")], ["purpose", (t) => t("What it is for")]],
  },
  clarification: {
    title: (t) => t("Request for clarification"),
    fields: [["seen", (t) => t("What we saw")], ["when", (t) => t("When (UTC)")], ["where", (t) => t("Where")], ["asked", (t) => t("What we ask of you")],
      ["until", (t) => t("What we assume until you answer")]],
  },
  rescue: {
    title: (t) => t("Search and rescue"),
    fields: [["who", (t) => t("Who is in distress")], ["when", (t) => t("When (UTC)")], ["where", (t) => t("Position")], ["people", (t) => t("How many people")],
      ["done", (t) => t("What we do now")], ["asked", (t) => t("What we ask of you")]],
  },
};

/** [name, title] of each, for a selection; the first is free text. */
export const templateChoices = () => [["", t("Free text")], ...Object.entries(TEMPLATES).map(([name, { title }]) => [name, title(t)])];

export const isTemplate = (name) => Object.hasOwn(TEMPLATES, name);

/** [name, label] of a template's fields, in the officer's language. */
export const fieldsOf = (name) => TEMPLATES[name].fields.map(([key, label]) => [key, label(t)]);

/** {subject, text} of what stands in a template's fields, as the other floor reads it. */
export async function written(name, fields, language) {
  const say = await speaker(language);
  const parts = TEMPLATES[name].fields.filter(([key]) => fields[key]?.trim()).map(([key, label]) => `${label(say).toLocaleUpperCase(language)}: ${fields[key].trim()}`);
  return { subject: TEMPLATES[name].title(say), text: parts.join("\n") };
}
