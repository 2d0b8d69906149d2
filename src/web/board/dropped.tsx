/** Who was on the board in the period before and is not any more. */
import type { DroppedItem } from "../../client/replies.ts";
import { countText } from "../words.ts";

/** Named at once; the rest is counted. */
const namedMax = 20;

function standing({ rank, count }: DroppedItem): string {
  return rank === null
    ? "now without any"
    : `now rank ${countText(rank)} with ${countText(count)}`;
}

interface DroppedProps {
  items: readonly DroppedItem[];
  onOpen: (eventId: string) => void;
}

/** The items that dropped out; nothing where none did. */
export function Dropped({ items, onOpen }: DroppedProps) {
  if (items.length === 0) return null;
  return (
    <section id="dropped" class="card" aria-labelledby="dropped-title">
      <h2 id="dropped-title">Dropped out since the period before</h2>
      <ul>
        {items.slice(0, namedMax).map((item) => (
          <li key={item.eventId}>
            <button type="button" class="name" dir="auto" onClick={() => onOpen(item.eventId)}>
              {item.label ?? item.eventId}
            </button>{" "}
            <span class="soft">
              {`was rank ${item.previousRank} with ${countText(item.previousCount)}, `}
              {standing(item)}
            </span>
          </li>
        ))}
      </ul>
      {items.length > namedMax && <p class="hint">{`and ${items.length - namedMax} more`}</p>}
    </section>
  );
}
