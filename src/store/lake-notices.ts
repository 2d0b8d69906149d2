/**
 * What processes that share a lake tell each other, through PostgreSQL (LISTEN, NOTIFY): that
 * something was committed, and that somebody waits until offsets are. A notice may be lost with
 * its connection: nobody relies on one, whoever waits looks for himself now and then.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import type { LakePlace } from "../model-lake.ts";
import { openCatalogClient } from "./catalog-client.ts";

export type Notice = { kind: "committed" } | { kind: "wanted"; offsets: number[] };

const againMs = 1000;
/** A notice that is not taken for so long is given up. */
const tellMsMax = 5000;
/** PostgreSQL takes less than 8000 bytes a notice. */
const noticeBytesMax = 7900;

function textOf(notice: Notice): string {
  return notice.kind === "committed" ? "committed" : `wanted ${notice.offsets.join(",")}`;
}

/** What both say. */
function joined(before: Notice | undefined, notice: Notice): Notice {
  if (notice.kind === "committed" || before?.kind !== "wanted") return notice;
  const offsets = notice.offsets.map((offset, p) => Math.max(offset, before.offsets[p] ?? 0));
  return { ...notice, offsets };
}

function parse(payload: string | undefined): Notice | null {
  if (payload === "committed") return { kind: "committed" };
  const offsets = /^wanted (\d+(?:,\d+)*)$/.exec(payload ?? "")?.[1];
  return offsets === undefined
    ? null
    : { kind: "wanted", offsets: offsets.split(",").map(Number) };
}

export class LakeNotices {
  readonly #place: LakePlace;
  readonly #onNotice: (notice: Notice) => void;
  #client: Client | null = null;
  #isClosed = false;
  /** What is to be told, by its kind. */
  readonly #due = new Map<Notice["kind"], Notice>();
  #sending: Promise<void> | null = null;
  #lost: () => void = () => undefined;
  readonly #listening: Promise<void>;

  constructor(place: LakePlace, onNotice: (notice: Notice) => void) {
    this.#place = place;
    this.#onNotice = onNotice;
    this.#listening = this.#listen();
  }

  /** Tells the others, and this process; where there is no connection, nobody. */
  tell(notice: Notice): void {
    if (this.#client === null) return;
    this.#due.set(notice.kind, joined(this.#due.get(notice.kind), notice));
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null;
    });
  }

  /** A client is asked one thing after another. */
  async #send(): Promise<void> {
    for (const [kind, notice] of this.#due) {
      this.#due.delete(kind);
      const payload = textOf(notice);
      if (payload.length > noticeBytesMax) continue;
      const own = [this.#channel, payload];
      await this.#client?.query("SELECT pg_notify($1, $2)", own).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#lost();
    await this.#listening;
  }

  get #channel(): string {
    return `rankstream_${this.#place.schema}`.slice(0, 63);
  }

  async #listen(): Promise<void> {
    while (!this.#isClosed) {
      const lost = new Promise<void>((resolve) => {
        this.#lost = resolve;
      });
      try {
        const client = await openCatalogClient(this.#place.catalog, () => this.#lost(), {
          queryMsMax: tellMsMax,
        });
        client.on("end", () => this.#lost());
        client.on("notification", ({ payload }) => {
          const notice = parse(payload);
          if (notice !== null) this.#onNotice(notice);
        });
        await client.query(`LISTEN "${this.#channel}"`);
        this.#client = client;
        // What was told before nobody heard.
        this.#onNotice({ kind: "committed" });
        await lost;
        this.#client = null;
        await client.end().catch(() => undefined);
      } catch {
        // Looked for again below; commits and questions say themselves what they miss.
      }
      if (!this.#isClosed) await Promise.race([sleep(againMs), lost]);
    }
  }
}
