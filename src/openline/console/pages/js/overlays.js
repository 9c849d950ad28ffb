// What may stand over every view: each module exports `watch(context)`, which returns what stops it.

import { styled } from "./router.js";
import { t } from "./words.js";

/** Modules of overlays/, in the order in which they start. A new one is one line here. */
const OVERLAYS = ["flash", "alarms", "ring"];
const AGAIN_MS = 3_000;

/** Start all; returns what stops them. One that did not load, as the station went away meanwhile, is tried again until it does. */
export async function overlays(context) {
  const stops = [];
  let over = false;
  for (const name of OVERLAYS) if (!(await begun(name))) again(name);

  async function begun(name) {
    try {
      const module = await import(`./overlays/${name}.js`);
      await Promise.all((module.styles ?? []).map(styled));
      const stop = await module.watch(context);
      if (over) stop?.();
      else stops.push(stop);
      context.band(`without-${name}`, null);
      return true;
    } catch (error) {
      console.warn(`the part ${name} did not load: ${error.message}`); // the band says it, until it does
      if (!over) context.band(`without-${name}`, t("A part of the console did not load: a FLASH may not be shown. Reload the page."), "act");
      return false;
    }
  }

  async function again(name) {
    do await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    while (!over && !(await begun(name)));
  }

  return () => {
    over = true;
    stops.forEach((stop) => stop?.());
  };
}
