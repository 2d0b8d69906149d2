/** The bound on event types, through HTTP and across restarts. */
import { expect, it } from "vitest";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";

const event = (eventType: string) => JSON.stringify({ eventId: "a", eventType });
const batch = (...types: string[]) => types.map(event).join("\n");
/** Only the end of the process brings a checkpoint. */
const rarely = ["--checkpoint-ms", "60000"];

async function totals(service: RankstreamProcess): Promise<Record<string, number>> {
  const board = await service.get("/leaderboard", { eventType: "a", mode: "exact" });
  expect(board.status).toBe(200);
  const { body } = await service.get("/event-types");
  const types: { name: string; total: number }[] = body.eventTypes;
  return Object.fromEntries(types.map(({ name, total }) => [name, total]));
}

it("refuses the line of a type too many, before and after restarts", async () => {
  const dataDir = temporaryFolder();
  const args = ["--event-types-max", "3", ...rarely];
  const first = await startRankstream({ dataDir, args });
  const mixed = batch("a", "b", "a", "c", "d", "b", "é");
  const reply = await first.post(mixed, { key: "producer/1" });
  expect(reply.status).toBe(202);
  expect(reply.body).toMatchObject({ accepted: 5, rejected: 2 });
  expect(reply.body.errors).toEqual(
    [
      [5, "d"],
      [7, "é"],
    ].map(([line, type]) => ({
      line,
      field: "eventType",
      code: "too_many_event_types",
      message: `eventType: expected at most 3 event types (eventTypesMax), got another: ${type}`,
    })),
  );
  const alone = await first.post({ eventId: "a", eventType: "d" });
  expect([alone.status, alone.body.code, alone.body.errors[0].code]).toEqual([
    400,
    "no_valid_events",
    "too_many_event_types",
  ]);
  // Not committed: the types are in the log alone.
  await first.kill();

  const second = await startRankstream({ dataDir, args });
  expect((await second.post(batch("d", "a", "e"))).body).toMatchObject({
    accepted: 1,
    rejected: 2,
    errors: [{ line: 1 }, { line: 3 }],
  });
  expect(await totals(second)).toEqual({ a: 3, b: 2, c: 1 });
  await second.stop();

  // Committed: the types are in the store alone. What is there stays, though the bound is lower.
  const third = await startRankstream({ dataDir, args: ["--event-types-max", "2", ...rarely] });
  expect((await third.post(batch("a", "b", "c", "d"))).body).toMatchObject({
    accepted: 3,
    errors: [{ line: 4 }],
  });
  await third.stop();

  const fourth = await startRankstream({ dataDir, args: ["--event-types-max", "9"] });
  const again = await fourth.post(mixed, { key: "producer/1" });
  expect(again.headers.get("idempotency-replayed")).toBe("true");
  expect(again.body).toMatchObject({
    accepted: 5,
    rejected: 2,
    errors: [{ line: 5 }, { line: 7 }],
  });
  expect((await fourth.post(batch("d", "e", "f"))).body).toMatchObject({ accepted: 3 });
  expect(await totals(fourth)).toEqual({ a: 4, b: 3, c: 2, d: 1, e: 1, f: 1 });
  await fourth.stop();
});
