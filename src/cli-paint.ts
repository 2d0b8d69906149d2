/** Colours, where they are welcome: on a terminal, and as NO_COLOR and FORCE_COLOR say. */
import type { CliIo } from "./cli-io.ts";

/** SGR parameters: on, off. */
const styles = Object.freeze({
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
});
export type Style = keyof typeof styles;
export type Paint = (style: Style, text: string) => string;

/**
 * Whether a stream takes colours. `flag` false (--no-color) forbids them; else FORCE_COLOR, when
 * it is set, wins over NO_COLOR (no-color.org), and both over what the stream is.
 */
export function takesColor(
  { environment, terminal }: Pick<CliIo, "environment" | "terminal">,
  stream: "out" | "error",
  flag = true,
): boolean {
  if (!flag) return false;
  const force = environment["FORCE_COLOR"];
  if (force !== undefined) return force !== "0" && force !== "false";
  if ((environment["NO_COLOR"] ?? "") !== "") return false;
  if (environment["TERM"] === "dumb") return false;
  return (stream === "out" ? terminal?.isOut : terminal?.isError) === true;
}

/** Paints, or leaves the text as it is. */
export function painter(hasColor: boolean): Paint {
  if (!hasColor) return (_style, text) => text;
  return (style, text) => `\u001b[${styles[style][0]}m${text}\u001b[${styles[style][1]}m`;
}
