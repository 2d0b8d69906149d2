// The events that the examples of /openapi.json are of.

/** Plays by day of November 2026, and by song; each by a user of its own, a minute apart. */
const playsByDay: Readonly<Record<number, Record<string, number>>> = {
  22: { song_1: 2, song_2: 3, song_3: 1 },
  23: { song_1: 4, song_2: 2, song_4: 1 },
  24: { song_1: 3, song_2: 4, song_3: 9 },
};

export const sampleEvents = Object.entries(playsByDay).flatMap(([day, songs]) =>
  Object.entries(songs).flatMap(([eventId, plays]) =>
    Array.from({ length: plays }, (_, i) => ({
      eventId,
      eventType: "song_play",
      timestamp: new Date(Date.UTC(2026, 10, Number(day), 10, i)).toISOString(),
      userId: `user_${i}`,
      metadata: { country: i % 2 === 0 ? "DE" : "FR" },
    })),
  ),
);
