/** What grew. */
import { useEffect, useState } from "preact/hooks";
import type { Trending } from "../client/replies.ts";
import { client } from "./service.ts";
import { queryOf, type ShownView } from "./view-state.ts";
import { countText } from "./words.ts";

/** What grew beyond chance, in the view's range. */
export function TrendingView({ view }: { view: ShownView }) {
  const [trending, setTrending] = useState<Trending | null>(null);
  const { mode: _mode, compare: _compare, ...query } = queryOf(view);
  const question = JSON.stringify(query);
  useEffect(() => {
    const asking = new AbortController();
    client.trending(JSON.parse(question), asking.signal).then(setTrending, () => null);
    return () => asking.abort();
  }, [question]);
  return (
    <ol class="card" aria-label="Trending">
      {trending?.results.map(({ eventId, label, previousCount, count }) => (
        <li key={eventId}>
          {label ?? eventId}: {countText(previousCount)} → {countText(count)}
        </li>
      ))}
    </ol>
  );
}
