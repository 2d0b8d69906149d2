/** What one process has copied anew, all others that share the store tell of in their answers. */
import { afterEach, expect, it } from "vitest";
import { regionTypeName } from "../../src/model-regions.ts";
import { RegionDesk } from "../../src/region/desk.ts";
import type { RegionFollower } from "../../src/region/follower.ts";
import type { KeptTable } from "../../src/store/changes.ts";
import type { KeptRegion, RegionReset } from "../../src/store/region-questions.ts";
import type { Store } from "../../src/store/store.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { until } from "../support/until.ts";

const waitMsMax = 20_000;
const at = 1_700_000_000_000;
const desks: RegionDesk[] = [];

/** What processes share: states and resets, and word of each change. */
class Shared {
  state: string | null = null;
  resets: RegionReset[] = [];
  /** Names of the types that are kept. */
  types: string[] = [];
  readonly #listeners: ((table: KeptTable) => void)[] = [];

  tell(): void {
    for (const listener of this.#listeners) listener("meta");
  }

  store() {
    const regions = {
      states: async (): Promise<KeptRegion[]> => [
        { region: "us", state: this.state, resets: [...this.resets] },
      ],
      putState: async ({ state }: { state: string }) => {
        this.state = state;
        this.tell();
        return null;
      },
      beginGeneration: async ({ from }: { from: number }) => {
        const after = this.resets.length;
        const reset = { generation: after + 1, after, from };
        this.resets.unshift(reset);
        this.tell();
        return reset;
      },
    };
    const onRows = (listener: (table: KeptTable) => void) => void this.#listeners.push(listener);
    const eventTypes = async () => this.types.map((name) => ({ name }));
    return { regions, eventTypes, shares: { onRows } } as unknown as Store & {
      shares: { onRows: typeof onRows };
    };
  }

  async desk(follow: (() => RegionFollower) | null): Promise<RegionDesk> {
    const desk = await RegionDesk.open({
      own: "eu",
      peers: [{ name: "us", address: "http://127.0.0.1:1" }],
      lagMsMax: 60_000,
      intervalMs: 200,
      store: this.store(),
      follow,
      isMine: () => follow !== null,
      settle: async () => undefined,
      logger: silentLogger,
    });
    desks.push(desk);
    return desk;
  }
}

afterEach(async () => {
  await Promise.all(desks.splice(0).map((desk) => desk.close()));
});

const throughOf = (desk: RegionDesk) => desk.standings()[0]!.completeThrough;
const reads = (desk: RegionDesk, through: number | null) =>
  until(async () => expect(throughOf(desk)).toBe(through), waitMsMax);

it("tells of it until who follows has it again, in every process and over its end", async () => {
  const shared = new Shared();
  const kept = { completeThrough: at, candidatesAsOf: at, generation: 0, state: "following" };
  shared.state = JSON.stringify(kept);
  const [asked, other] = [await shared.desk(null), await shared.desk(null)];
  expect([throughOf(asked), throughOf(other)]).toEqual([at, at]);
  await asked.resync("us", { from: at - 60_000, to: at });
  expect(throughOf(asked)).toBe(at - 60_000);
  await reads(other, at - 60_000);
  // Of the state before the delete nothing is believed, whoever keeps it, and after a start.
  shared.state = JSON.stringify({ ...kept, completeThrough: at + 60_000 });
  shared.tell();
  const started = await shared.desk(null);
  for (const desk of [asked, other, started]) await reads(desk, at - 60_000);
  shared.state = JSON.stringify({ ...kept, generation: 2, completeThrough: at + 120_000 });
  shared.tell();
  for (const desk of [asked, other, started]) await reads(desk, at + 120_000);
});

it("is known to who follows, though another process was asked for it", async () => {
  const shared = new Shared();
  shared.state = JSON.stringify({ completeThrough: at, candidatesAsOf: at, generation: 0 });
  const round = async () => ({ isMore: false, added: 0, refusal: null });
  const follower = { round, forget: () => undefined } as unknown as RegionFollower;
  const [asked, following] = [await shared.desk(null), await shared.desk(() => follower)];
  expect(throughOf(following)).toBe(at);
  await asked.resync("us", null);
  await reads(following, null);
});

it("lacks a type that is deleted as a whole, whatever a round meanwhile found", async () => {
  const shared = new Shared();
  shared.types = ["play", regionTypeName("us", "play")];
  const kept = { completeThrough: at, candidatesAsOf: at, generation: 0, state: "following" };
  shared.state = JSON.stringify(kept);
  const desk = await shared.desk(null);
  const done = desk.duringDelete("play", 0, async () => {
    expect(throughOf(desk)).toBe(null);
    shared.state = JSON.stringify({ ...kept, generation: 1 });
    shared.tell();
    await reads(desk, at);
    shared.types = [];
    return "done";
  });
  expect(await done).toBe("done");
  await reads(desk, null);
  // Of another nothing is kept, and nothing goes.
  shared.state = JSON.stringify({ ...kept, generation: 2 });
  shared.tell();
  await reads(desk, at);
  await desk.duringDelete("view", 0, async () => undefined);
  expect(throughOf(desk)).toBe(at);
});
