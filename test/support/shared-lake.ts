// The PostgreSQL and the S3 server that a whole run of tests shares: its main process starts them
// for the first file that asks, and ends them.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { PostgresServer } from "./postgres-server.ts";
import type { S3Server } from "./s3-server.ts";

/** What processes of their own need to know of them. */
export interface LakeServers {
  /** libpq's text. */
  postgres: string;
  s3: {
    endpoint: string;
    bucket: string;
    credentials: { accessKeyId: string; secretAccessKey: string };
  };
}

const running: { postgres: PostgresServer | null; s3: S3Server | null } = {
  postgres: null,
  s3: null,
};
let servers: Promise<LakeServers> | null = null;

/** Starts them; a second call finds the first's. */
export function sharedLakeServers(): Promise<LakeServers> {
  servers ??= startShared();
  return servers;
}

/** What others are told of these two. */
export function lakeServersOf(postgres: PostgresServer, s3: S3Server): LakeServers {
  const { endpoint, bucket, credentials } = s3;
  return { postgres: postgres.address, s3: { endpoint, bucket, credentials } };
}

async function startShared(): Promise<LakeServers> {
  const [{ startedPostgres }, { startedS3 }] = await Promise.all([
    import("./postgres-server.ts"),
    import("./s3-server.ts"),
  ]);
  const postgres = await startedPostgres();
  running.postgres = postgres;
  const s3 = await startedS3();
  running.s3 = s3;
  return lakeServersOf(postgres, s3);
}

/** Answers every request with where they are, as JSON. */
export async function serveSharedLake(): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((_request, response) => {
    sharedLakeServers().then(
      (found) => response.end(JSON.stringify(found)),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.close();
    server.closeAllConnections();
    await Promise.all([running.postgres?.remove(), running.s3?.remove()]);
    Object.assign(running, { postgres: null, s3: null });
    servers = null;
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
