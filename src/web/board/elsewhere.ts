/** The board as an address, a command and an element. */
import { curlCommand } from "../clipboard.ts";
import { addressOf, questionOf, type ShownView } from "../view-state.ts";

/** The board's answer at `origin`. */
export function answerAddress(view: ShownView, origin: string, format?: "csv"): string {
  const address = `${origin}/leaderboard${questionOf(view)}`;
  return format === undefined ? address : `${address}&format=${format}`;
}

/** The command that asks for the board. */
export function curlOf(view: ShownView, origin: string, needsKey: boolean): string {
  return curlCommand(answerAddress(view, origin), needsKey);
}

/** What lies around the rows, a row, and the most that a frame takes of a page; px. */
const aroundPx = 240;
const rowPx = 47;
const framePxMax = 1200;

/** An element that shows the bare board within another page. */
export function embedOf(view: ShownView, origin: string): string {
  const address = `${origin}/${addressOf({ ...view, item: "", isEmbedded: true })}`;
  const source = address.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  const height = Math.min(framePxMax, aroundPx + rowPx * Number(view.k));
  return `<iframe src="${source}" title="Leaderboard" width="640" height="${height}"></iframe>`;
}
