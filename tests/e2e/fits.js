// Finds words that are cut, leave their box or the screen, or stand over other words. Evaluated in a page with the screen's width.
(width) => {
  const SLACK = 1.5; // px: rounding
  const NAMED = 60;
  const found = new Set();
  const say = (what, node, more = "") => found.add(`${what}: ${node.localName}.${[...node.classList].join(".")} in ${node.closest("[class]:not(svg)")?.parentElement?.className ?? ""} “${(node.innerText || node.value || "").trim().slice(0, NAMED)}” ${more}`);
  const style = (node) => getComputedStyle(node);
  const hidden = (node) => !node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || node.closest(".only-heard, svg, option, script, style, .skip");
  const modal = [...document.querySelectorAll("dialog[open]")].at(-1);
  const scope = modal ?? document.body;
  const scrolls = (node) => /auto|scroll/.test(style(node).overflowX + style(node).overflowY);
  const clips = (node) => /hidden|clip/.test(style(node).overflowX + style(node).overflowY);
  const rectOf = (node) => node.getBoundingClientRect();

  if (document.documentElement.scrollWidth > width + SLACK || innerWidth > width + SLACK) found.add(`the page is wider than the screen: ${Math.max(document.documentElement.scrollWidth, innerWidth)} of ${width}`);

  /** The lines of a text node, as rectangles. */
  const lines = (text) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    return [...range.getClientRects()].filter((rect) => rect.width > 1 && rect.height > 1);
  };
  const block = (node) => {
    let at = node;
    while (at !== scope && /^inline$|^contents$/.test(style(at).display)) at = at.parentElement;
    return at;
  };
  const layerOf = (node) => {
    for (let at = node; at && at !== document.documentElement; at = at.parentElement) if (scrolls(at) || /fixed|sticky/.test(style(at).position)) return at;
    return document.body;
  };

  const words = [];
  const walk = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
  for (let text = walk.nextNode(); text; text = walk.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || hidden(node)) continue;
    const own = block(node);
    const box = rectOf(own);
    for (const rect of lines(text)) {
      if (own !== scope && (rect.left < box.left - SLACK || rect.right > box.right + SLACK || rect.bottom - rect.height * 0.25 > box.bottom + SLACK || rect.top + rect.height * 0.25 < box.top - SLACK)) say("leaves its box", node, `${Math.round(rect.left - box.left)}..${Math.round(rect.right - box.right)} ${Math.round(rect.bottom - box.bottom)}`);
      let within = false;
      let inScroller = false;
      for (let at = node; at && at !== document.documentElement; at = at.parentElement) {
        if (scrolls(at)) { inScroller = true; break; }
        if (/absolute|fixed/.test(style(at).position)) break;
        const outer = rectOf(at);
        if (at !== own && outer.width && !/^inline$|^contents$/.test(style(at).display) && (rect.left < outer.left - SLACK || rect.right > outer.right + SLACK)) say("leaves its place", node, `in ${at.className || at.localName}`);
        if (!clips(at)) continue;
        const core = { top: rect.top + rect.height * 0.2, bottom: rect.bottom - rect.height * 0.2 };
        const apart = rect.right <= outer.left || rect.left >= outer.right || core.bottom <= outer.top || core.top >= outer.bottom;
        if (apart && at.matches(".hints")) { within = true; break; } // a hint that has no room is left out whole
        if (rect.left < outer.left - SLACK || rect.right > outer.right + SLACK || core.top < outer.top - SLACK || core.bottom > outer.bottom + SLACK) say("is cut", node, `by ${at.className || at.localName}`);
      }
      if (within) continue;
      if (!inScroller && (rect.left < -SLACK || rect.right > width + SLACK)) say("leaves the screen", node);
      words.push({ node, own, rect, layer: layerOf(node) });
    }
  }

  for (const node of scope.querySelectorAll("*")) {
    if (hidden(node) || !scrolls(node) || node.matches("textarea, select, .topbar nav")) continue;
    if (node.scrollWidth > node.clientWidth + SLACK) say("scrolls sideways", node, `${node.scrollWidth} of ${node.clientWidth}`);
  }

  const paper = document.createElement("canvas").getContext("2d");
  const long = (text, node) => {
    paper.font = style(node).font;
    return paper.measureText(text).width;
  };
  const ARROW = 20; // px, of a selection in Chromium
  for (const node of scope.querySelectorAll("input, select")) {
    if (hidden(node) || /checkbox|radio|file/.test(node.type)) continue;
    const room = node.clientWidth - parseFloat(style(node).paddingLeft) - parseFloat(style(node).paddingRight);
    const text = node.localName === "select" ? node.selectedOptions[0]?.text ?? "" : node.value || node.placeholder;
    if (node.readOnly && text.length > NAMED) continue; // an address to copy: its field scrolls
    if (long(text, node) > room - (node.localName === "select" ? ARROW : 0) + SLACK) say("is longer than its field", node, `${Math.round(long(text, node))} of ${Math.round(room)} ${text}`);
  }

  // Two words, one place: the middle halves of two lines of text that share more than a rounding.
  const middle = (rect) => ({ left: rect.left, right: rect.right, top: rect.top + rect.height * 0.28, bottom: rect.bottom - rect.height * 0.28 });
  const all = words.map((each) => ({ ...each, at: middle(each.rect) })).sort((one, other) => one.at.top - other.at.top);
  for (let i = 0; i < all.length; i += 1) {
    for (let j = i + 1; j < all.length && all[j].at.top < all[i].at.bottom; j += 1) {
      const [one, other] = [all[i], all[j]];
      if (one.layer !== other.layer || (one.node === other.node)) continue;
      if (Math.min(one.at.right, other.at.right) - Math.max(one.at.left, other.at.left) > 2 && Math.min(one.at.bottom, other.at.bottom) - Math.max(one.at.top, other.at.top) > 2) say("stands over other words", one.node, `and “${other.node.innerText.slice(0, NAMED)}”`);
    }
  }
  return [...found];
}
