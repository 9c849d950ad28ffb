// Dark or light, as the officer chose; before sign-in as this screen was last left, else as the system has it.

const KEPT = "openline.theme";

/** Wear a theme: "dark", "light", or "" for the system's. */
export function wear(theme) {
  const chosen = theme === "light" || theme === "dark" ? theme : matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  if (theme) localStorage.setItem(KEPT, theme);
  return chosen;
}

/** The theme worn now. */
export const worn = () => document.documentElement.dataset.theme;

/** As this screen was left. */
export const kept = () => localStorage.getItem(KEPT) ?? "";
