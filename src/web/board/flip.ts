/**
 * Moves of rows made visible (FLIP: first, last, invert, play): each row starts where it was seen
 * last and goes to where it is now.
 */

const moveMs = 450;
/** No row is taller. */
const rowPxMax = 300;
/** Rows further down are seldom in sight: there is nothing to see of their moves. */
export const movesMax = 60;
const timing = { duration: moveMs, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" };

/** How far each of a list's first rows is from the list's own top, px. */
export type Tops = ReadonlyMap<HTMLElement, number>;

const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/** Where the rows are seen now, on their way or not; null when nobody would see them move. */
export function topsOf(list: HTMLElement): Tops | null {
  if (stillness.matches || document.hidden) return null;
  const seen = ([...list.children] as HTMLElement[]).slice(0, movesMax);
  const start = list.getBoundingClientRect().top;
  return new Map(seen.map((row) => [row, row.getBoundingClientRect().top - start]));
}

/**
 * Plays the way from `before` to where the rows stand now; rows that are new fade in. All reads
 * come before all writes, so that the page is laid out once.
 */
export function playMoves(list: HTMLElement, before: Tops): void {
  const rows = ([...list.children] as HTMLElement[]).slice(0, movesMax);
  // Of a list that is positioned itself rows are measured from its own top.
  const start = rows[0]?.offsetParent === list ? 0 : list.offsetTop;
  // offsetTop is where a row stands, whatever moves are under way.
  const tops = rows.map((row) => row.offsetTop - start);
  const { top: listTop } = list.getBoundingClientRect();
  const isSeen = (top: number) => top > -listTop - rowPxMax && top < innerHeight - listTop;
  rows.forEach((row, place) => {
    const was = before.get(row);
    // Each move costs a layer: only those that are seen are played.
    if (!isSeen(tops[place]!) && (was === undefined || !isSeen(was))) return;
    if (was === undefined) row.animate([{ opacity: 0 }, { opacity: 1 }], timing);
    else move(row, was - tops[place]!);
  });
}

function move(row: HTMLElement, distance: number): void {
  if (Math.abs(distance) < 1) return;
  const rises = distance > 0;
  const zIndex = rises ? 1 : 0;
  const from = { transform: `translateY(${distance}px)`, zIndex };
  const under = row.getAnimations();
  row.animate(
    [rises ? { ...from, backgroundColor: "var(--rise)" } : from, { transform: "none", zIndex }],
    timing,
  );
  // The way from where the row was seen goes on with the one before.
  for (const animation of under) animation.cancel();
}
