// What processes that share a lake tell each other, and how PostgreSQL is asked.
import { expect, it, onTestFinished } from "vitest";
import { LakeCatalog } from "../../src/store/lake-catalog.ts";
import { LakeNotices, type Notice } from "../../src/store/lake-notices.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { until } from "../support/until.ts";
import { Member } from "./lake-member.ts";

const msMax = 120_000;

it.skipIf(!hasLake())(
  "are told one after another, and lose none that others wait for",
  {
    timeout: msMax,
  },
  async () => {
    const place = (await startLake()).placeInFolder();
    const member = await Member.open(place);
    onTestFinished(() => member.database.close());
    // `pg` says once a process that a client is asked while it is asked something else.
    const warnings: string[] = [];
    const onWarning = ({ message }: Error) => warnings.push(message);
    process.on("warning", onWarning);
    onTestFinished(() => void process.off("warning", onWarning));

    const heard: Notice[] = [];
    const notices = new LakeNotices(place, (notice) => heard.push(notice));
    onTestFinished(() => notices.close());
    // The first word is its own, that it listens.
    await until(async () => expect(heard.length).toBe(1), msMax);
    for (let i = 1; i <= 50; i++) {
      notices.tell({ kind: "wanted", offsets: i % 2 === 0 ? [i, 0] : [0, i] });
      notices.tell({ kind: "committed" });
    }
    const catalog = new LakeCatalog(place);
    onTestFinished(() => catalog.close());
    await Promise.all(Array.from({ length: 10 }, () => catalog.latest()));
    await until(async () => {
      expect(heard.filter(({ kind }) => kind === "committed").length).toBeGreaterThan(1);
      expect(heard).toContainEqual({ kind: "wanted", offsets: [50, 49] });
    }, msMax);
    // Of a hundred words few are said: the latest of each kind says all.
    expect(heard.length).toBeLessThan(20);
    expect(warnings.filter((text) => text.includes("client.query()"))).toEqual([]);
  },
);
