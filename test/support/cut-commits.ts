// A way to PostgreSQL on which the answer to a COMMIT gets lost after PostgreSQL gave it, a COMMIT
// is held up, or the connection ends in the middle of a read.
import type { AddressInfo } from "node:net";
import { createServer, connect as dial, type Socket } from "node:net";
import { afterAll } from "vitest";
import { catalogParts } from "../../src/model-lake.ts";

const closing = new Set<() => void>();

/** Registered by whoever imports this file. */
afterAll(() => {
  for (const close of closing) close();
});

export interface CutCommits {
  /** libpq's text of the way. */
  catalog: string;
  /** The next COMMIT's answer ends its connection instead of arriving. */
  cutNext(): void;
  /** The next question for rows that lie in PostgreSQL ends its connection. */
  cutNextRead(): void;
  /** The next COMMIT of rows stays on its way, and whatever comes after it on its connection. */
  holdNext(): void;
  /** So many were cut or held. */
  cuts(): number;
}

/** Leads to the server of `catalog`, which listens on loopback. */
export async function startCutCommits(catalog: string): Promise<CutCommits> {
  const { host, port, user, dbname } = catalogParts(catalog);
  const sockets = new Set<Socket>();
  let isArmed = false;
  let isHolding = false;
  let cutsReads = false;
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = dial(Number(port), host);
    const ends = [client, upstream];
    for (const end of ends) {
      sockets.add(end);
      end.on("error", () => undefined);
      end.on("close", () => ends.forEach((one) => void one.destroy()));
    }
    let [isHeld, hasWritten] = [false, false];
    client.on("data", (bytes) => {
      if (isHolding && hasWritten && bytes.includes("COMMIT")) {
        [isHolding, isHeld] = [false, true];
        cuts++;
      }
      if (bytes.includes("INSERT INTO")) hasWritten = true;
      else if (bytes.includes("COMMIT")) hasWritten = false;
      if (cutsReads && bytes.includes("SELECT") && bytes.includes("ducklake_inlined_data_")) {
        cutsReads = false;
        cuts++;
        client.destroy();
      } else if (!isHeld) upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      // The command's tag: by now it is committed.
      if (isArmed && bytes.includes("COMMIT\0")) {
        isArmed = false;
        cuts++;
        client.destroy();
      } else client.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.add(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const own = (server.address() as AddressInfo).port;
  return {
    catalog: `host=127.0.0.1 port=${own} user=${user} dbname=${dbname}`,
    cutNext: () => {
      isArmed = true;
    },
    cutNextRead: () => {
      cutsReads = true;
    },
    holdNext: () => {
      isHolding = true;
    },
    cuts: () => cuts,
  };
}
