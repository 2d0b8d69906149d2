/** What grew beyond what chance explains, and what that means. */
import type { Trending, TrendingItem } from "../client/replies.ts";
import { CopyCurl } from "./panels/copy-curl.tsx";
import { expectedText, growthText, growthWords, scoreWords } from "./panels/panel-words.ts";
import { pollMsOf } from "./panels/steps.ts";
import { usePolled } from "./panels/use-polled.ts";
import { rangeText, rollingRanges, spanText } from "./ranges.ts";
import { client } from "./service.ts";
import { queryOf, type ShownView, zoneOf } from "./view-state.ts";
import { countText } from "./words.ts";

interface TrendingViewProps {
  view: ShownView;
  onOpen: (eventId: string) => void;
  /** Goes to a range by name. */
  onRange: (timeRange: string) => void;
}

/** Ranges offered where the one chosen has no events before it. */
const shorterRanges = ["last_3_hours", "last_hour", "last_15_minutes"];

function Row({ item, onOpen }: { item: TrendingItem; onOpen: (eventId: string) => void }) {
  const { eventId, label = eventId, rank, count, expected, score, previousCount } = item;
  const isNew = previousCount === 0;
  const part = Math.min(1, expected / Math.max(1, count));
  return (
    <tr>
      <td class="trend-rank">{rank}</td>
      <th scope="row">
        <button
          type="button"
          class="plain"
          dir="auto"
          title={label === eventId ? undefined : eventId}
          onClick={() => onOpen(eventId)}
        >
          {label}
        </button>
        {isNew && <span class="badge">new</span>}
        <p class="trend-words">{growthWords(item)}</p>
      </th>
      <td class="trend-seen">
        {countText(count)}
        <span class="versus" aria-hidden="true">
          <span style={{ transform: `scaleX(${part})` }} />
        </span>
      </td>
      <td class="trend-expected">{expectedText(expected)}</td>
      <td class="trend-growth">{growthText(item)}</td>
      <td class="trend-score" title={`${scoreWords(score)} evidence`}>
        {score.toFixed(1)}
      </td>
    </tr>
  );
}

function Explanation({ trending }: { trending: Trending }) {
  const { minScore, minCount, previous, total } = trending;
  const totals = `${countText(total)} now and was ${countText(previous.total)} before`;
  return (
    <details class="explanation">
      <summary>What this means</summary>
      <p>
        Each item's share of all events is held against its share in the period before. Expected is
        the count it would have now, had nothing but the total changed, which is {totals}.
      </p>
      <p>
        The score says how sure it is that this is no accident: were it chance alone, a score of 4
        would come about once in 30,000 items, one of 6 once in a billion. Shown are items with a
        score of {minScore} or more and a count of {minCount} or more, the surest first.
      </p>
    </details>
  );
}

function Table({ trending, onOpen }: { trending: Trending; onOpen: (eventId: string) => void }) {
  const heads = ["", "Item", "Seen", "Expected", "Growth", "Score"];
  return (
    <table class="trending">
      <thead>
        <tr>
          {heads.map((words) =>
            words === "" ? (
              <td key={words} />
            ) : (
              <th scope="col" key={words}>
                {words}
              </th>
            ),
          )}
        </tr>
      </thead>
      <tbody>
        {trending.results.map((item) => (
          <Row key={item.eventId} item={item} onOpen={onOpen} />
        ))}
      </tbody>
    </table>
  );
}

function hasNothingBefore({ previous, total }: Trending): boolean {
  return previous.total === 0 && total > 0;
}

/** What else to look at, where nothing lies before. */
function Shorter({ view, onRange }: Pick<TrendingViewProps, "view" | "onRange">) {
  const others = rollingRanges.filter(
    ([value]) => shorterRanges.includes(value) && value !== view.timeRange,
  );
  return (
    <p class="shorter">
      A shorter range may have something before it:{" "}
      {others.map(([value, words]) => (
        <button key={value} type="button" onClick={() => onRange(value)}>
          {words}
        </button>
      ))}
    </p>
  );
}

/** How many grew, and against what. */
function Summary({ trending, view }: { trending: Trending; view: ShownView }) {
  const { found, results, previous } = trending;
  const zone = zoneOf(view);
  const range = rangeText(view, zone);
  const span = spanText(previous, zone);
  const items = found === 1 ? "1 item" : `${countText(found)} items`;
  const shown = results.length < found ? `, the first ${results.length} shown` : "";
  const none = hasNothingBefore(trending)
    ? "Nothing to compare with: the period before has no events"
    : "Nothing grew beyond what chance explains";
  return (
    <p class="trending-summary">
      {found === 0 ? none : `${items} grew beyond what chance explains${shown}`}
      <span>
        {range}, against the period before: {span}
      </span>
    </p>
  );
}

/** What grew in the view's range, asked again every few seconds. */
export function TrendingView({ view, onOpen, onRange }: TrendingViewProps) {
  const { mode: _mode, compare: _compare, ...query } = queryOf(view);
  const question = JSON.stringify(query);
  const { value: trending, error } = usePolled<Trending>({
    about: question,
    question,
    everyMs: pollMsOf(view),
    ask: (signal) => client.trending(query as never, signal),
  });
  return (
    <section id="trending" aria-label="Trending" aria-busy={trending === null && error === null}>
      {error !== null && (
        <p class="panel-problem" role="alert">
          {error.message}
        </p>
      )}
      {trending === null && error === null && <p class="note">Comparing …</p>}
      {trending !== null && (
        <>
          <Summary trending={trending} view={view} />
          {hasNothingBefore(trending) && <Shorter view={view} onRange={onRange} />}
          {trending.results.length > 0 && (
            <div class="card trending-card">
              <Table trending={trending} onOpen={onOpen} />
            </div>
          )}
          <Explanation trending={trending} />
          <CopyCurl path={`/trending?${new URLSearchParams(flat(query))}`} />
        </>
      )}
    </section>
  );
}

/** A query's pairs, several of a name where it has several values. */
function flat(query: Record<string, string | string[]>): [string, string][] {
  return Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, value]),
  );
}
