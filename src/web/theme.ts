/** Dark or light: by the address, by what was chosen here before, or by the system. */
import type { Theme } from "./view-state.ts";

const storageKey = "rankstream-theme";
const order: readonly Theme[] = ["auto", "light", "dark"];

function remembered(): Theme {
  try {
    const kept = localStorage.getItem(storageKey);
    return order.find((theme) => theme === kept) ?? "auto";
  } catch {
    // Storage may be closed to an embedded page.
    return "auto";
  }
}

/** The one in force, where the address asks for `asked`. */
export function themeOf(asked: Theme): Theme {
  return asked === "auto" ? remembered() : asked;
}

/** The one after it. */
export function nextTheme(theme: Theme): Theme {
  return order[(order.indexOf(theme) + 1) % order.length] as Theme;
}

export function rememberTheme(theme: Theme): void {
  try {
    localStorage.setItem(storageKey, theme);
  } catch {
    // It holds until the page is left, then.
  }
}

/** Shows the page in it. */
export function applyTheme(theme: Theme): void {
  const { dataset } = document.documentElement;
  if (theme === "auto") delete dataset["theme"];
  else dataset["theme"] = theme;
}
