// Where raw events' files may lie: tests of what is above run over each place, unchanged.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { nodeFiles } from "../../src/files.ts";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { databaseDefaults } from "../../src/store/open-instance.ts";
import { openRawPlace, reachRawPlace } from "../../src/store/open-raw-place.ts";
import type { RawPlace } from "../../src/store/raw-place.ts";
import { findExtensions } from "../../tools/duckdb-extensions.mjs";
import { hasS3, startS3 } from "./s3.ts";
import type { S3Server } from "./s3-server.ts";
import { temporaryFolder } from "./service.ts";

export interface TestPlace {
  place: RawPlace;
  /** Where this machine finds the files of `place`, and may harm them. */
  root: string;
  /** For LocalDatabase.open. */
  options: typeof databaseDefaults;
}

interface Kind {
  name: string;
  isFolder: boolean;
  isShared: boolean;
  /** A place that nothing was written to; `folder` is the database's. */
  make(folder: string): Promise<TestPlace>;
}

/** Tests say how long files are kept. */
async function patient(place: Promise<RawPlace>): Promise<RawPlace> {
  return Object.assign(await place, { keptMsMin: 0 });
}

function reaching(lake: Parameters<typeof reachRawPlace>[1]) {
  const widen = async (connection: DuckDBConnection) => [
    (await reachRawPlace(connection, lake)).directory,
  ];
  return { ...databaseDefaults, widen };
}

/** Whether S3's place can be tested here. */
export function hasS3Place(): boolean {
  return findExtensions() !== undefined && hasS3();
}

/** A place of its own in the server's bucket. */
export async function makeS3Place(server: S3Server): Promise<TestPlace> {
  const prefix = `${randomUUID()}/lake`;
  const lake = {
    dataPath: `s3://${server.bucket}/${prefix}`,
    s3: server.access,
    extensionDirectory: findExtensions()!,
  };
  const root = join(server.folder, server.bucket, prefix);
  return { place: await patient(openRawPlace(lake)), root, options: reaching(lake) };
}

let server: Promise<S3Server> | null = null;

const kinds: Kind[] = [
  {
    name: "a folder of its own",
    isFolder: true,
    isShared: false,
    make: async (folder) => ({
      place: new FolderRawPlace(folder, nodeFiles),
      root: folder,
      options: databaseDefaults,
    }),
  },
  {
    name: "a shared folder",
    isFolder: true,
    isShared: true,
    make: async () => {
      const root = temporaryFolder();
      const lake = { dataPath: root, s3: null, extensionDirectory: "" };
      return { place: await patient(openRawPlace(lake)), root, options: reaching(lake) };
    },
  },
  {
    name: "a bucket of S3",
    isFolder: false,
    isShared: true,
    make: async () => {
      server ??= startS3();
      return makeS3Place(await server);
    },
  },
];

/** Those there are on this machine. */
export const rawPlaces = hasS3Place() ? kinds : kinds.slice(0, 2);
