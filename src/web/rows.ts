/** The table's rows: kept by item, moved rather than made anew, so that changes can be seen. */
import type { LeaderboardRow } from "../client/replies.ts";
import { boundsText, countText, percentText } from "./words.ts";

interface Row {
  element: HTMLTableRowElement;
  rank: HTMLElement;
  name: HTMLElement;
  count: HTMLElement;
  bounds: HTMLElement;
  bar: HTMLElement;
  percent: HTMLElement;
}

const moveMs = 450;
/** Rows further down are out of sight: there is nothing to see of their moves. */
const movesMax = 60;

function make(parent: HTMLElement, tag: string, className = ""): HTMLElement {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  parent.append(element);
  return element;
}

/** Writes only what differs: an equal text would still be laid out again. */
function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** The label, or the id: text in any case, and a link only to where a browser should go. */
function writeName(
  cell: HTMLElement,
  { eventId, label = eventId, url = "" }: LeaderboardRow,
): void {
  const href = /^https?:/i.test(url) ? url : "";
  const link = cell.querySelector("a");
  if (cell.textContent === label && (link?.getAttribute("href") ?? "") === href) return;
  cell.title = label === eventId ? "" : eventId;
  cell.textContent = href === "" ? label : "";
  if (href === "") return;
  const made = make(cell, "a");
  made.setAttribute("href", href);
  made.setAttribute("rel", "noreferrer");
  made.textContent = label;
}

export class Rows {
  readonly #body: HTMLTableSectionElement;
  readonly #stillness = matchMedia("(prefers-reduced-motion: reduce)");
  #rows = new Map<string, Row>();

  constructor(body: HTMLTableSectionElement) {
    this.#body = body;
  }

  /** Shows these rows in this order; `moves` when they are of the board shown before. */
  show(items: readonly LeaderboardRow[], moves: boolean): void {
    const isMoving = moves && !this.#stillness.matches && !document.hidden;
    const before = isMoving ? this.#tops() : null;
    const largest = Math.max(0, ...items.map(({ share }) => share));
    const rows = new Map<string, Row>();
    items.forEach((item, place) => {
      const row = this.#rows.get(item.eventId) ?? this.#make();
      rows.set(item.eventId, row);
      this.#fill(row, item, largest);
      const standing = this.#body.children[place] ?? null;
      if (standing !== row.element) this.#body.insertBefore(row.element, standing);
    });
    while (this.#body.children.length > items.length) this.#body.lastElementChild?.remove();
    this.#rows = rows;
    if (before !== null) this.#animate(before);
  }

  #make(): Row {
    const element = document.createElement("tr");
    const rank = make(element, "td", "rank");
    const name = make(element, "th");
    name.setAttribute("scope", "row");
    name.setAttribute("dir", "auto");
    const number = make(element, "td", "number");
    const count = make(number, "span");
    const bounds = make(number, "span", "bounds");
    const meter = make(make(element, "td", "share"), "div", "meter");
    const track = make(meter, "div", "track");
    track.setAttribute("aria-hidden", "true");
    const bar = make(track, "div", "bar");
    const percent = make(meter, "span", "percent");
    return { element, rank, name, count, bounds, bar, percent };
  }

  #fill(row: Row, item: LeaderboardRow, largest: number): void {
    write(row.rank, String(item.rank));
    writeName(row.name, item);
    write(row.count, countText(item.count));
    const isExact = item.lower === item.upper;
    write(row.bounds, isExact ? "" : boundsText(item.lower, item.upper));
    row.bounds.hidden = isExact;
    write(row.percent, percentText(item.share));
    row.bar.style.width = `${largest === 0 ? 0 : (item.share / largest) * 100}%`;
  }

  #tops(): Map<Element, number> {
    const seen = [...this.#body.children].slice(0, movesMax);
    return new Map(seen.map((element) => [element, element.getBoundingClientRect().top]));
  }

  /** FLIP: each row starts where it was seen last, and goes to where it is now. */
  #animate(before: ReadonlyMap<Element, number>): void {
    const timing = { duration: moveMs, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" };
    for (const [element, top] of this.#tops()) {
      const was = before.get(element);
      if (was === undefined) {
        element.animate([{ opacity: 0 }, { opacity: 1 }], timing);
        continue;
      }
      const distance = was - top;
      if (Math.abs(distance) < 1) continue;
      // Moves under way end here: the way from where the row was seen continues them.
      for (const move of element.getAnimations()) move.cancel();
      const isRising = distance > 0;
      element.animate(
        [
          {
            transform: `translateY(${distance}px)`,
            zIndex: isRising ? 1 : 0,
            ...(isRising && { backgroundColor: "var(--rise)" }),
          },
          { transform: "none", zIndex: isRising ? 1 : 0 },
        ],
        timing,
      );
    }
  }
}
