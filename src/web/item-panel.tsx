/** One item of a board. */
import { useEffect, useState } from "preact/hooks";
import type { Item } from "../client/replies.ts";
import { client } from "./service.ts";
import { rangeQueryOf, type ShownView } from "./view-state.ts";
import { countText } from "./words.ts";

interface ItemPanelProps {
  eventType: string;
  eventId: string;
  view: ShownView;
  onClose: () => void;
}

/** Where the item stands in the view's range. */
export function ItemPanel({ eventType, eventId, view, onClose }: ItemPanelProps) {
  const [item, setItem] = useState<Item | null>(null);
  const range = JSON.stringify(rangeQueryOf(view));
  useEffect(() => {
    const asking = new AbortController();
    setItem(null);
    client.item(eventType, eventId, JSON.parse(range), asking.signal).then(setItem, () => null);
    return () => asking.abort();
  }, [eventType, eventId, range]);
  return (
    <aside class="card" aria-label={eventId}>
      <h2>{item?.label ?? eventId}</h2>
      <p>{item === null ? "…" : `${countText(item.count)}, rank ${item.rank ?? "none"}`}</p>
      <button type="button" onClick={onClose}>
        Close
      </button>
    </aside>
  );
}
