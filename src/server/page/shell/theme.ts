import { Store } from "../live/store.ts";

export type Theme = "auto" | "light" | "dark";

const KEY = "lighterman.theme";
const NEXT: Readonly<Record<Theme, Theme>> = { auto: "light", light: "dark", dark: "auto" };

/** `auto` follows the system. */
export const theme = new Store<Theme>(stored());

/** Goes on to the next of: as the system, light, dark; remembered in this browser. */
export function switchTheme(): void {
  theme.set(NEXT[theme.value]);
  localStorage.setItem(KEY, theme.value);
  applyTheme();
}

export function applyTheme(): void {
  document.documentElement.dataset["theme"] = theme.value;
}

function stored(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "auto";
}
