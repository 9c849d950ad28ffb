import { el } from "../dom.js";
export function open(root) { root.append(el("h1", null, "floor")); return () => {}; }
