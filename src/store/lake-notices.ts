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
/** Notices on their way at once; further ones are not sent. */
const sendingMax = 8;
/** PostgreSQL takes less than 8000 bytes a notice. */
const noticeBytesMax = 7900;

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
  #sending = 0;
  #lost: () => void = () => undefined;
  readonly #listening: Promise<void>;

  constructor(place: LakePlace, onNotice: (notice: Notice) => void) {
    this.#place = place;
    this.#onNotice = onNotice;
    this.#listening = this.#listen();
  }

  /** Tells the others, and this process; where there is no connection, nobody. */
  tell(notice: Notice): void {
    const payload =
      notice.kind === "committed" ? "committed" : `wanted ${notice.offsets.join(",")}`;
    const client = this.#client;
    if (client === null || payload.length > noticeBytesMax || this.#sending >= sendingMax) return;
    this.#sending++;
    client
      .query("SELECT pg_notify($1, $2)", [this.#channel, payload])
      .catch(() => undefined)
      .finally(() => {
        this.#sending--;
      });
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
