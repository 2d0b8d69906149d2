/** Jobs over a scripted engine and a store that is a map: what becomes of them, and when. */
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { RankstreamError } from "../../src/errors.ts";
import type { AskControl } from "../../src/query/ask.ts";
import { Jobs, type JobsOptions } from "../../src/query/jobs.ts";
import type { Asker } from "../../src/query/questions.ts";
import type { SeriesRequest } from "../../src/query/series.ts";
import type { JobRow } from "../../src/store/jobs.ts";
import { silentLogger } from "../../src/telemetry.ts";

type Kept = Map<string, JobRow & { result: string | null }>;

function request(name: string): SeriesRequest {
  const range = { from: 0, to: 1000, effectiveFrom: 0, effectiveTo: 1000, label: "" };
  return { eventType: name, range, step: undefined, timeZone: "UTC", hasDistinct: false };
}

/** Of one process; jobs that another claimed aren't its own. */
function storeOf(kept: Kept, claims = new Map<string, string>(), by = "one") {
  const tells: (() => void)[] = [];
  return {
    tell: () => tells.forEach((one) => void one()),
    loadJobs: async () => [...kept.values()].map(({ result: _, ...row }) => structuredClone(row)),
    putJob: async (row: JobRow & { result: string | null }) => {
      kept.set(row.id, structuredClone(row));
      return null;
    },
    dropJob: async (id: string) => {
      kept.delete(id);
      return null;
    },
    jobResult: async (id: string) => kept.get(id)?.result ?? null,
    claimJob: async (id: string) => {
      const isFree = (claims.get(id) ?? by) === by;
      if (isFree) claims.set(id, by);
      return isFree;
    },
    releaseJob: async (id: string) => {
      if (claims.get(id) === by) claims.delete(id);
      return null;
    },
    shares: {
      maintains: true,
      onRows: (listener: (table: "jobs") => void) => tells.push(() => listener("jobs")),
    },
  };
}

/** Answers a series when the test says so. */
function scripted() {
  const asked: { request: SeriesRequest; control: AskControl; answer: (how: Answer) => void }[] =
    [];
  type Answer = object | Error;
  const no = async (): Promise<never> => {
    throw new Error("not scripted");
  };
  const asker: Asker = {
    leaderboard: no,
    trending: no,
    item: no,
    items: no,
    series: (given, control = {}) =>
      new Promise((resolve, reject) => {
        const stopped = () => reject(new RankstreamError("query_cancelled", "stopped"));
        control.signal?.addEventListener("abort", stopped, { once: true });
        const answer = (how: Answer) => (how instanceof Error ? reject(how) : resolve(how));
        asked.push({ request: given, control, answer });
      }),
  };
  return { asked, asker };
}

async function open(kept: Kept = new Map(), more: Partial<JobsOptions> = {}) {
  const { asked, asker } = scripted();
  const options = { jobsMax: 10, jobTimeoutMs: 5000, jobResultTtlMs: 60_000, ...more };
  const jobs = await Jobs.open({ asker, store: storeOf(kept), logger: silentLogger }, options);
  onTestFinished(() => jobs.stop());
  return { jobs, asked, kept };
}

const soon = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 2000, interval: 1 });

describe("jobs of processes that share a store", () => {
  it("are not taken for forgotten where they were kept while the others' were read", async () => {
    const kept: Kept = new Map();
    const { asked, asker } = scripted();
    const store = storeOf(kept);
    const { loadJobs } = store;
    let answer = () => {};
    let reads = 0;
    const options = { jobsMax: 10, jobTimeoutMs: 60_000, jobResultTtlMs: 60_000 };
    const jobs = await Jobs.open({ asker, store, logger: silentLogger }, options);
    onTestFinished(() => jobs.stop());
    // As of before, and told only after the job was kept.
    store.loadJobs = async () => {
      reads++;
      const rows = await loadJobs();
      await new Promise<void>((resolve) => (answer = resolve));
      return rows;
    };
    let isKept = () => {};
    store.putJob = async (row) => {
      if (!kept.has(row.id)) await new Promise<void>((resolve) => (isKept = resolve));
      kept.set(row.id, structuredClone(row));
      return null;
    };
    const submitting = jobs.submit("series", request("a"));
    await soon(() => expect(jobs.list().length).toBe(1));
    store.tell();
    // Told of twice, it is read anew only after the first answer came.
    store.tell();
    await soon(() => expect(reads).toBe(1));
    isKept();
    const { id } = await submitting;
    await soon(() => expect(asked.length).toBe(1));
    expect(reads).toBe(1);
    answer();
    await soon(() => expect(reads).toBe(2));
    expect(await jobs.get(id)).toMatchObject({ status: "running" });
    expect(asked[0]!.control.signal!.aborted).toBe(false);
    answer();
  });

  it("are run by one, known to all, stopped by any, and taken up where it ended", async () => {
    const kept: Kept = new Map();
    const claims = new Map<string, string>();
    const options = { jobsMax: 10, jobTimeoutMs: 60_000, jobResultTtlMs: 60_000 };
    const open = async (by: string) => {
      const { asked, asker } = scripted();
      const store = storeOf(kept, claims, by);
      const jobs = await Jobs.open({ asker, store, logger: silentLogger }, options);
      onTestFinished(() => jobs.stop());
      return { asked, jobs, store };
    };
    const [one, other] = [await open("one"), await open("other")];
    const { id } = await one.jobs.submit("series", request("a"));
    await soon(() => expect(one.asked.length).toBe(1));
    await soon(() => expect(kept.get(id)!.status).toBe("running"));
    other.store.tell();
    await soon(async () => expect(await other.jobs.get(id)).toMatchObject({ status: "running" }));
    const third = await open("third");
    expect([other.asked, third.asked]).toEqual([[], []]);
    one.asked[0]!.answer({ total: 1 });
    await soon(() => expect(kept.get(id)!.status).toBe("done"));
    other.store.tell();
    await soon(async () => {
      expect(await other.jobs.get(id)).toMatchObject({ status: "done", result: { total: 1 } });
    });
    await soon(() => expect(claims.size).toBe(0));

    const { id: stopped } = await one.jobs.submit("series", request("b"));
    await soon(() => expect(one.asked.length).toBe(2));
    other.store.tell();
    await soon(() => other.jobs.get(stopped));
    await other.jobs.cancel(stopped);
    one.store.tell();
    await soon(() => expect(one.asked[1]!.control.signal!.aborted).toBe(true));
    expect(await one.jobs.get(stopped)).toMatchObject({ status: "cancelled" });
    await soon(() => expect(claims.size).toBe(0));

    // Its process is gone, and its claim with it.
    const { id: left } = await one.jobs.submit("series", request("c"));
    await soon(() => expect(kept.get(left)!.status).toBe("running"));
    await one.jobs.stop();
    claims.delete(left);
    other.store.tell();
    await vi.waitFor(() => expect(other.asked.length + third.asked.length).toBe(1), 30_000);
  });
});

describe("jobs", () => {
  it("run one after another, say how far they are, and keep their results", async () => {
    const { jobs, asked } = await open();
    const first = await jobs.submit("series", request("a"));
    const second = await jobs.submit("series", request("b"));
    await soon(() => expect(asked.length).toBe(1));
    expect(asked[0]!.control).toMatchObject({ budgetMs: 5000, isApart: true });
    asked[0]!.control.onProgress!(0.4);
    asked[0]!.control.onProgress!(0.2);
    expect(await jobs.get(first.id)).toMatchObject({ status: "running", progress: 0.4 });
    expect(await jobs.get(second.id)).toMatchObject({ status: "queued", startedAt: null });
    asked[0]!.answer({ total: 7 });
    await soon(() => expect(asked.length).toBe(2));
    const done = await jobs.get(first.id);
    expect(done).toMatchObject({ status: "done", progress: 1, result: { total: 7 } });
    expect(Date.parse(done.expiresAt!) - Date.parse(done.finishedAt!)).toBe(60_000);
    expect(jobs.list().map(({ status }) => status)).toEqual(["done", "running"]);
  });

  it("of the same question are one, until it is answered", async () => {
    const { jobs, asked } = await open();
    const { id } = await jobs.submit("series", request("a"));
    expect((await jobs.submit("series", request("a"))).id).toBe(id);
    expect((await jobs.submit("series", request("b"))).id).not.toBe(id);
    await soon(() => expect(asked.length).toBe(1));
    asked[0]!.answer({});
    await soon(async () => expect((await jobs.get(id)).status).toBe("done"));
    expect((await jobs.submit("series", request("a"))).id).not.toBe(id);
  });

  it("are stopped, in the queue and under way, and forgotten once they have ended", async () => {
    const { jobs, asked, kept } = await open();
    const first = await jobs.submit("series", request("a"));
    const second = await jobs.submit("series", request("b"));
    await soon(() => expect(asked.length).toBe(1));
    expect((await jobs.cancel(second.id)).status).toBe("cancelled");
    expect((await jobs.cancel(first.id)).status).toBe("cancelled");
    expect(asked[0]!.control.signal!.aborted).toBe(true);
    const third = await jobs.submit("series", request("c"));
    await soon(() => expect(asked.length).toBe(2));
    expect(asked[1]!.request.eventType).toBe("c");
    expect((await jobs.get(first.id)).status).toBe("cancelled");
    await jobs.cancel(first.id);
    await expect(jobs.get(first.id)).rejects.toMatchObject({ code: "job_not_found" });
    expect([...kept.keys()].sort()).toEqual([second.id, third.id].sort());
  });

  it("that fail say why", async () => {
    const { jobs, asked } = await open();
    const late = await jobs.submit("series", request("a"));
    const odd = await jobs.submit("series", request("b"));
    await soon(() => expect(asked.length).toBe(1));
    asked[0]!.answer(new RankstreamError("query_timeout", "not done in 5000 ms"));
    await soon(() => expect(asked.length).toBe(2));
    asked[1]!.answer(new TypeError("secret"));
    await soon(async () => expect((await jobs.get(odd.id)).status).toBe("failed"));
    expect((await jobs.get(late.id)).error).toEqual({
      code: "query_timeout",
      detail: "not done in 5000 ms",
    });
    expect(JSON.stringify(await jobs.get(odd.id))).not.toContain("secret");
  });

  it("are refused beyond their number, and make room when their time is up", async () => {
    let clock = 1_000_000;
    const { jobs, asked } = await open(new Map(), { jobsMax: 1, now: () => clock });
    const { id } = await jobs.submit("series", request("a"));
    await soon(() => expect(asked.length).toBe(1));
    const refused = jobs.submit("series", request("b"));
    await expect(refused).rejects.toMatchObject({ code: "too_many_jobs", retryAfterSeconds: 10 });
    asked[0]!.answer({});
    await soon(async () => expect((await jobs.get(id)).status).toBe("done"));
    clock += 60_000;
    await soon(() => expect(jobs.list()).toEqual([]));
    await jobs.submit("series", request("b"));
  });

  it("are run again by the next start, under the same ids; what is done stays", async () => {
    const { jobs, asked, kept } = await open();
    const done = await jobs.submit("series", request("a"));
    await soon(() => expect(asked.length).toBe(1));
    asked[0]!.answer({ total: 1 });
    const running = await jobs.submit("series", request("b"));
    const queued = await jobs.submit("series", request("c"));
    await soon(() => expect(asked.length).toBe(2));
    await jobs.stop();
    const stopping = jobs.submit("series", request("d"));
    await expect(stopping).rejects.toMatchObject({ code: "shutting_down" });
    const next = await open(kept);
    await soon(() => expect(next.asked.length).toBe(1));
    expect(next.asked[0]!.request).toEqual(request("b"));
    next.asked[0]!.answer({ total: 2 });
    await soon(() => expect(next.asked.length).toBe(2));
    next.asked[1]!.answer({ total: 3 });
    await soon(async () => expect((await next.jobs.get(queued.id)).status).toBe("done"));
    const results = [done, running, queued].map(
      async ({ id }) => (await next.jobs.get(id)).result,
    );
    expect(await Promise.all(results)).toEqual([{ total: 1 }, { total: 2 }, { total: 3 }]);
  });

  it("lose their results when something of their event type is deleted", async () => {
    const { jobs, asked } = await open();
    const ids: string[] = [];
    for (const name of ["a", "b"]) {
      const { id } = await jobs.submit("series", request(name));
      ids.push(id);
      await soon(() => expect(asked.length).toBe(ids.length));
      asked.at(-1)!.answer({});
      await soon(async () => expect((await jobs.get(id)).status).toBe("done"));
    }
    await jobs.dropResults("a");
    expect(jobs.list().map(({ id }) => id)).toEqual([ids[1]]);
  });
});
