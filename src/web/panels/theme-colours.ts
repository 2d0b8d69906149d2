/** Colours of the style sheet, for what is drawn rather than styled. */

/** The value of a custom property now: `colourOf("--accent")`. */
export function colourOf(name: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Calls `listener` whenever the theme changes; returns a function that stops it. */
export function onThemeChange(listener: () => void): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const watching = new MutationObserver(listener);
  dark.addEventListener("change", listener);
  watching.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => {
    dark.removeEventListener("change", listener);
    watching.disconnect();
  };
}
