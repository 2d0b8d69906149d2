/** Which rows of a long list are on the screen. */

/** Rows just outside are taken in, too: a reader scrolls. */
const around = 5;

/** The first place whose row ends below `y`, by halving; as many as there are when none does. */
function firstBelow(rows: HTMLCollection, y: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle]!.getBoundingClientRect().bottom < y) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The places of the rows in sight, from inclusive to exclusive. */
export function placesInSight(list: HTMLElement): [from: number, to: number] {
  const rows = list.children;
  const from = firstBelow(rows, 0);
  const to = firstBelow(rows, innerHeight) + 1;
  return [Math.max(0, from - around), Math.min(rows.length, to + around)];
}
