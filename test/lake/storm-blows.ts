// What happens to the processes of a storm, and to what they stand on.
import { setTimeout as sleep } from "node:timers/promises";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import type { PostgresServer } from "../support/postgres-server.ts";
import type { Random } from "../support/random.ts";
import type { S3Server } from "../support/s3-server.ts";
import { until } from "../support/until.ts";
import { type LakeWorld, type Seat, sessionTimeoutMs } from "./lake-world.ts";

/** Longer than a session by so much. */
const overMs = 3000;
const outageMsMin = 500;
const outageMsMax = 4000;
const leaderMsMax = 600_000;
/** A busy machine may take long. */
const startMsMax = 600_000;
/** A cut from one server is longer than any session. */
const cutMs = 15_000;

export interface StormServers {
  postgres: PostgresServer;
  s3: S3Server;
  kafka: KafkaBroker;
}

export const lanes = ["edge", "query", "ingest", "leader", "server"] as const;
export type Lane = (typeof lanes)[number];

export interface Blow {
  name: string;
  /** Whom it strikes: blows of different lanes may come at once. */
  lane: Lane;
  needsHosts: boolean;
  /** Leaves as many processes as there were. */
  strike: () => Promise<void>;
}

export function stormBlows(world: LakeWorld, servers: StormServers, random: Random) {
  const killAndStart = async (seat: Seat) => {
    await world.kill(seat);
    await world.start(seat);
  };
  const outage = async (server: { kill(): Promise<void>; start(): Promise<unknown> }) => {
    await server.kill();
    await sleep(random.int(outageMsMin, outageMsMax));
    await until(() => server.start(), startMsMax);
  };
  const cutFor = async ({ host }: Seat, ms: number, port?: number) => {
    if (port === undefined) host!.cut();
    else host!.cutFrom(port);
    try {
      await sleep(ms);
    } finally {
      host!.heal();
    }
  };
  const freeze = async ({ process }: Seat) => {
    process!.child.kill("SIGSTOP");
    try {
      await sleep(sessionTimeoutMs + overMs);
    } finally {
      process!.child.kill("SIGCONT");
    }
  };
  /** Nothing of it is heard any more, and another takes its place. */
  const loseHost = async (seat: Seat) => {
    seat.host!.cut();
    try {
      await world.kill(seat);
      await world.join();
      await world.progress.settled();
    } finally {
      seat.host!.heal();
    }
    world.free(seat);
  };
  const of = (lane: Lane, needsHosts: boolean, name: string, strike: Blow["strike"]) => {
    return { name, lane, needsHosts, strike };
  };
  const overSessionMs = sessionTimeoutMs + overMs;
  const kafkaPort = Number(servers.kafka.address.split(":")[1]);
  return {
    edge: of("edge", false, "kill -9 an edge", () => killAndStart(world.any("edge"))),
    query: of("query", false, "kill -9 a query process", () => killAndStart(world.any("query"))),
    ingest: of("ingest", false, "kill -9 an ingest process", () =>
      killAndStart(world.any("ingest")),
    ),
    leader: of("leader", false, "kill -9 the leader among them", async () =>
      killAndStart(await until(() => world.leader(), leaderMsMax)),
    ),
    end: of("ingest", false, "end an ingest process (SIGTERM)", async () => {
      const seat = world.any("ingest");
      await world.end(seat);
      await world.start(seat);
    }),
    freeze: of("ingest", false, "SIGSTOP an ingest process past its session, SIGCONT", () =>
      freeze(world.any("ingest")),
    ),
    freezeQuery: of("query", false, "the same of a query process", () =>
      freeze(world.any("query")),
    ),
    cut: of("ingest", true, "cut an ingest process off past its session, and back", () =>
      cutFor(world.any("ingest"), overSessionMs),
    ),
    cutStore: of("ingest", true, `cut one from PostgreSQL alone for ${cutMs / 1000} s`, () =>
      cutFor(world.any("ingest"), cutMs, servers.postgres.port),
    ),
    lose: of("ingest", true, "lose an ingest process with its host", () =>
      loseHost(world.any("ingest")),
    ),
    cutKafka: of("query", true, `cut a query process from Kafka for ${cutMs / 1000} s`, () =>
      cutFor(world.any("query"), cutMs, kafkaPort),
    ),
    postgres: of("server", false, "stop PostgreSQL, start it", () => outage(servers.postgres)),
    s3: of("server", false, "stop S3, start it", () => outage(servers.s3)),
    kafka: of("server", false, "stop Kafka, start it", () => outage(servers.kafka)),
  } satisfies Record<string, Blow>;
}

export type BlowName = keyof ReturnType<typeof stormBlows>;

/** So many counting processes join, and as many leave, one after another, over this time. */
export async function rebalances(
  world: LakeWorld,
  random: Random,
  { pairs, ms }: { pairs: number; ms: number },
): Promise<void> {
  const [least, most] = [2, 5];
  const begun = performance.now();
  const left = { join: pairs, leave: pairs };
  const everyMs = ms / (2 * pairs);
  for (let done = 0; done < 2 * pairs; done++) {
    const now = world.working("ingest").length;
    const canJoin = left.join > 0 && now < most;
    const canLeave = left.leave > 0 && now > least;
    const joins = canJoin && (!canLeave || random.chance(0.5));
    if (joins) {
      left.join--;
      await world.join();
    } else {
      left.leave--;
      const leaving = world.any("ingest");
      await world.end(leaving);
      world.free(leaving);
    }
    await sleep(Math.max(0, begun + (done + 1) * everyMs - performance.now()));
  }
}
