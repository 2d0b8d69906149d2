// The stream of the upgrade fixtures, and what is asked about it: the same every time.

/** Epoch ms: within the months of the stream nothing is rolled up by the clock's leave. */
const start = Date.UTC(2026, 9, 5, 10);
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** mulberry32: numbers from 0 to below 1. */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const countries = ["DE", "PE", "JP"];

function eventsOf(seed, count, from, span) {
  const random = randomOf(seed);
  return Array.from({ length: count }, () => {
    // Few heavy items, many light ones.
    const item = Math.floor(300 * random() ** 3);
    const user = Math.floor(40 * random());
    return {
      eventId: `song ${item}`,
      eventType: random() < 0.8 ? "play" : "visit",
      timestamp: from + Math.floor(random() * span),
      userId: `user-${user}`,
      sessionId: `session-${user}-${Math.floor(3 * random())}`,
      metadata: { country: countries[user % 3], 'plan "a"': String(user % 2) },
      ...(random() < 0.1 && { weight: 1 + Math.floor(9 * random()) }),
    };
  });
}

/** Events that go straight to a Parquet file: many, and nearly all alike. */
function plainEvents(count) {
  return Array.from({ length: count }, (_, i) => ({
    eventId: `page ${i % 7}`,
    eventType: "visit",
    timestamp: start + Math.floor(i / 100) * 1000,
  }));
}

/** Batches that are counted, in order; with keys of both kinds. */
export function batches() {
  return [
    { key: "producer/1", events: plainEvents(33_000) },
    { key: "free key", events: eventsOf(1, 500, start, 3 * hour) },
    { key: "producer/2", events: eventsOf(2, 500, start + day, 2 * hour) },
    { events: eventsOf(3, 200, start - 40 * day, 30 * day) },
  ];
}

/** Comes after its minutes are sealed. */
export function lateBatch() {
  return { events: eventsOf(4, 100, start, 3 * hour) };
}

/** In the log only, when the program is killed. */
export function uncounted() {
  return { key: "producer/3", events: eventsOf(5, 150, start + 2 * day, hour) };
}

/** Paths of questions about all of it. */
export function askedOf() {
  const iso = (ms) => new Date(ms).toISOString();
  const within = (from, to) => `from=${iso(from)}&to=${iso(to)}`;
  const ranges = [
    "timeRange=all",
    within(start, start + 3 * hour),
    within(start + 17 * minute + 500, start + day + 31 * minute + 250),
    within(start - 60 * day, start),
  ];
  const boards = ["play", "visit", "play,visit"].flatMap((eventType) =>
    ranges.flatMap((range) =>
      ["exact", "approx"].map(
        (mode) => `/leaderboard?eventType=${eventType}&${range}&mode=${mode}&k=25`,
      ),
    ),
  );
  const narrowed = ["by=users", "userId=user-7", "sessionId=session-7-1", "filter.country=PE"].map(
    (part) => `/leaderboard?eventType=play&timeRange=all&${part}`,
  );
  return [
    ...boards,
    ...narrowed,
    `/items/play/song%200?${within(start - 60 * day, start + 3 * day)}`,
    `/items/play/song%203?${within(start - 60 * day, start + 3 * day)}`,
    `/trending?eventType=play&${within(start + day, start + 2 * day)}`,
    `/event-types/play/series?${within(start, start + 3 * hour)}&step=hour`,
    "/event-types",
    `/export?eventType=play&${within(start + day, start + 3 * day)}`,
  ];
}
