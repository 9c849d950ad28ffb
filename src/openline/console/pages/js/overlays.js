// What may stand over every view: each module exports `watch(context)`, which returns what stops it.

import { styled } from "./router.js";
import { t } from "./words.js";

/** Modules of overlays/, in the order in which they start. A new one is one line here. */
const OVERLAYS = ["flash", "alarms", "ring"];

/** Start all; returns what stops them. */
export async function overlays(context) {
  const stops = [];
  for (const name of OVERLAYS) {
    try {
      const module = await import(`./overlays/${name}.js`);
      await Promise.all((module.styles ?? []).map(styled));
      stops.push(await module.watch(context));
    } catch (error) {
      console.error(error);
      context.band(`without-${name}`, t("A part of the console did not load: a FLASH may not be shown. Reload the page."), "act");
    }
  }
  return () => stops.forEach((stop) => stop?.());
}
