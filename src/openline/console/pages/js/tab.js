// What a tab in the background shows of itself: its title and its icon tell of a FLASH, and of how many messages have come
// since somebody looked.

const ICONS = { plain: "/static/icon.svg", waiting: "/static/icon-waiting.svg", flash: "/static/icon-flash.svg" };
const BLINK_MS = 1_000;
const state = { base: "", flash: "", ring: "", count: 0, shown: "", odd: false, watching: false };

function show() {
  const told = state.flash || state.ring;
  const words = told && !state.odd ? told : `${state.count ? `(${state.count}) ` : ""}${state.base}`;
  state.shown = words;
  if (document.title !== words) document.title = words;
  const icon = document.querySelector("link[rel=icon]");
  const wanted = state.flash ? ICONS.flash : state.count || state.ring ? ICONS.waiting : ICONS.plain;
  if (icon.getAttribute("href") !== wanted) icon.setAttribute("href", wanted);
}

/** The views name the page; what must be told stands before it. */
function watch() {
  if (state.watching) return;
  state.watching = true;
  state.base = document.title;
  new MutationObserver(() => {
    if (document.title === state.shown) return;
    state.base = document.title;
    show();
  }).observe(document.querySelector("title"), { childList: true, characterData: true, subtree: true });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    state.count = 0;
    show();
  });
}

/** A FLASH is unread: the title says these words, in turn with its own, until it is called with none. */
export function tellFlash(words) {
  tellWords({ flash: words });
}

/** A call rings: the same, and after a FLASH. */
export function tellRing(words) {
  if (words !== state.ring) tellWords({ ring: words });
}

function tellWords(told) {
  watch();
  Object.assign(state, told);
  clearInterval(state.timer);
  state.odd = false;
  if (state.flash || state.ring) {
    state.timer = setInterval(() => {
      state.odd = !state.odd;
      show();
    }, BLINK_MS);
  }
  show();
}

/** A message has come while nobody looked at this tab. */
export function tellArrival() {
  if (document.visibilityState === "visible") return;
  watch();
  state.count += 1;
  show();
}
