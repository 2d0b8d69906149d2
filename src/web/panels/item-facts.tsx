/** Where an item stands, how certain that is, and who is next to it. */
import type { Item } from "../../client/replies.ts";
import { boundsText, countText, percentText, timeText } from "../words.ts";
import { standingCertainty } from "./panel-words.ts";

function rankText({ rank, rankLower, rankUpper }: Item): string {
  if (rank === null) return "none";
  if (rankLower === null || rankUpper === null) return countText(rank);
  return boundsText(rankLower, rankUpper);
}

interface FactsProps {
  item: Item;
  before: Item | null;
  timeZone: string;
}

/** Count, rank, share, and when the item was first and last seen. */
export function ItemFacts({ item, before, timeZone }: FactsProps) {
  const { lower, upper, count, share, total, firstSeen, lastSeen } = item;
  const now = new Date();
  const seen = (time: string | null) => (time === null ? "never" : timeText(time, now, timeZone));
  const was = (text: string) => (before === null ? undefined : `before: ${text}`);
  const counted = lower === upper ? countText(count) : `≈ ${countText(count)}`;
  const facts: [name: string, value: string, note: string | undefined][] = [
    ["Rank", rankText(item), before ? was(rankText(before)) : undefined],
    [
      "Count",
      counted,
      lower === upper ? was(countText(before?.count ?? 0)) : boundsText(lower, upper),
    ],
    ["Share", percentText(share), `of ${countText(total)}`],
    ["First seen", seen(firstSeen), undefined],
    ["Last seen", seen(lastSeen), undefined],
  ];
  const { text, isCertain } = standingCertainty(item);
  return (
    <>
      <dl class="item-facts">
        {facts.map(([name, value, note]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {value}
              {note !== undefined && <span class="fact-note">{note}</span>}
            </dd>
          </div>
        ))}
      </dl>
      <p class="item-certainty" data-certain={isCertain ? "yes" : "no"}>
        {text}
      </p>
    </>
  );
}

/** `+12`, `−3`, `±0`. */
function gapText(gap: number): string {
  const sign = gap > 0 ? "+" : gap < 0 ? "−" : "±";
  return `${sign}${countText(Math.abs(gap))}`;
}

interface NeighboursProps {
  item: Item;
  onOpen: (eventId: string) => void;
}

/** The items right before and after, each with how far it is away. */
export function Neighbours({ item, onOpen }: NeighboursProps) {
  const { above, below } = item.neighbours;
  if (above.length + below.length === 0) return null;
  const own = { eventId: item.eventId, label: item.label, count: item.count, rank: item.rank };
  const rows = [...above, own, ...below];
  return (
    <section class="neighbours" aria-label="Neighbours">
      <h3>Next to it</h3>
      <ol>
        {rows.map(({ eventId, label = eventId, count, rank }) => {
          const isOwn = eventId === item.eventId;
          return (
            <li key={eventId} aria-current={isOwn ? "true" : undefined}>
              <span class="neighbour-rank">{rank}</span>
              {isOwn ? (
                <strong dir="auto">{label}</strong>
              ) : (
                <button type="button" class="plain" dir="auto" onClick={() => onOpen(eventId)}>
                  {label}
                </button>
              )}
              <span class="neighbour-count">{countText(count)}</span>
              <span class="neighbour-gap">{isOwn ? "" : gapText(count - item.count)}</span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
