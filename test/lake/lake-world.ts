// Many processes over one lake and one topic, each on a host of its own where hosts can be had,
// behind HAProxy; whoever dies is started again, as a supervisor does.
import { setTimeout as sleep } from "node:timers/promises";
import type { LakePlace } from "../../src/model-lake.ts";
import { kafkaFlags } from "../kafka/kafka-world.ts";
import { freePort } from "../support/free-port.ts";
import type { Host, HostNetwork } from "../support/host-network.ts";
import { lakeEnvironment } from "../support/lake-place.ts";
import type { Random } from "../support/random.ts";
import {
  type RankstreamProcess,
  type StartOptions,
  startRankstream,
  temporaryFolder,
} from "../support/service.ts";
import { StormDiary } from "./storm-diary.ts";
import { StormLoad } from "./storm-load.ts";
import { StormProgress } from "./storm-progress.ts";
import { StormProxy } from "./storm-proxy.ts";

/** A member that stands still so long is given up by its group. */
export const sessionTimeoutMs = 6000;
/** On a busy machine an exact answer may take long, and is not to become a job. */
const patient = { RANKSTREAM_EXACT_TIMEOUT_MS: "60000" };
const partitions = 6;
/** Whoever can't start because something is away tries again for so long. */
const startMsMax = 600_000;
const startAgainMs = 500;
const loopback = "127.0.0.1";
const refusedPart = /"a part was refused"/g;

export type Role = "edge" | "ingest" | "query";
const counts: Readonly<Record<Role, number>> = Object.freeze({ edge: 2, ingest: 3, query: 2 });

/** Where a process is, or may be: it comes back to the same address and folder. */
export interface Seat {
  role: Role;
  /** What PostgreSQL knows its sessions by, too. */
  name: string;
  address: string;
  port: number;
  host: Host | null;
  folder: string;
  process: RankstreamProcess | null;
  /** Nobody is about to start it again. */
  isFree: boolean;
}

export interface LakeWorldOptions {
  random: Random;
  place: LakePlace;
  /** Of the broker. */
  kafka: string;
  topic: string;
  /** Null: all is on loopback. */
  network: HostNetwork | null;
}

export class LakeWorld {
  readonly diary = new StormDiary();
  readonly seats: Seat[] = [];
  load!: StormLoad;
  progress!: StormProgress;
  proxy!: StormProxy;
  /** Starts that were tried again, since something was away. */
  startsAgain = 0;
  /** Processes that a busy machine didn't let stop in time. */
  slowStops = 0;
  /** Parts that processes handed over too late, and the store refused. */
  refusedParts = 0;
  readonly #options: LakeWorldOptions;

  constructor(options: LakeWorldOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { random, place, kafka, topic, network } = this.#options;
    for (const role of ["ingest", "edge", "query"] as const) {
      for (let i = 0; i < counts[role]; i++) await this.#addSeat(role);
    }
    const [first, ...others] = this.seats;
    // The first counting process by itself: it makes the lake.
    await this.start(first!);
    const backends = { edges: this.#addresses("edge"), queries: this.#addresses("query") };
    this.proxy = await StormProxy.start(network?.address ?? loopback, backends);
    await Promise.all(others.map((seat) => this.start(seat)));
    this.progress = await StormProgress.start(place, kafka, topic, this.diary);
    this.load = new StormLoad(this.proxy.url, random, this.diary);
    await this.serving();
  }

  /** Those with a process. */
  working(role: Role): Seat[] {
    return this.seats.filter((seat) => seat.role === role && seat.process !== null);
  }

  any(role: Role): Seat {
    return this.#options.random.pick(this.working(role));
  }

  /** Resolves once HAProxy sends requests to all edges and all who answer. */
  serving(): Promise<void> {
    return this.proxy.serving({ edges: counts.edge, queries: counts.query });
  }

  /** Resolves once all serve, and what was sent before is counted. */
  async settled(): Promise<void> {
    await this.serving();
    await this.progress.settled();
  }

  /** The seat of who does the maintenance. Rejects while nobody does. */
  async leader(): Promise<Seat> {
    const name = await this.progress.leader();
    const seat = this.working("ingest").find((one) => one.name === name);
    if (seat === undefined) throw new Error(`${name} is leader, and gone`);
    return seat;
  }

  /** One more counting process. */
  async join(): Promise<void> {
    const free = this.seats.find(({ role, isFree }) => role === "ingest" && isFree);
    await this.start(free ?? (await this.#addSeat("ingest")));
  }

  /** kill -9; to be started again, or freed. */
  async kill(seat: Seat): Promise<void> {
    const own = seat.process!;
    seat.process = null;
    await own.kill();
    this.#look(own);
  }

  /** SIGTERM; throws where it ends otherwise than too late. To be started again, or freed. */
  async end(seat: Seat): Promise<void> {
    const own = seat.process!;
    seat.process = null;
    await own.stop().catch((error: Error) => {
      if (!error.message.includes("the stop took too long")) throw error;
      this.slowStops++;
    });
    this.#look(own);
  }

  /** Others may join in its place. */
  free(seat: Seat): void {
    seat.isFree = true;
  }

  /** Tries again while something is away. */
  async start(seat: Seat): Promise<void> {
    seat.isFree = false;
    for (const deadline = Date.now() + startMsMax; ; this.startsAgain++) {
      try {
        seat.process = await startRankstream(this.#startOptions(seat));
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
      await sleep(startAgainMs);
    }
  }

  async close(): Promise<void> {
    await this.progress.end();
    for (const { process } of this.seats) if (process !== null) this.#look(process);
  }

  /** The end of what each process said, for a failure's message. */
  outputs(): string {
    const said = this.working("edge").concat(this.working("ingest"), this.working("query"));
    return said.map(({ name, process }) => `${name}: ${process!.output()}\n`).join("");
  }

  #look({ stdout }: RankstreamProcess): void {
    this.refusedParts += stdout.match(refusedPart)?.length ?? 0;
  }

  async #addSeat(role: Role): Promise<Seat> {
    const host = this.#options.network?.host() ?? null;
    const number = this.seats.filter((seat) => seat.role === role).length;
    const seat = {
      role,
      name: `${role}-${number}`,
      address: host?.address ?? loopback,
      port: await freePort(),
      host,
      folder: temporaryFolder(),
      process: null,
      isFree: false,
    };
    this.seats.push(seat);
    return seat;
  }

  #addresses(role: Role): string[] {
    const own = this.seats.filter((seat) => seat.role === role);
    return own.map(({ address, port }) => `${address}:${port}`);
  }

  #startOptions({ role, name, address, port, host, folder }: Seat): StartOptions {
    const { place, kafka, topic } = this.#options;
    const catalog = `${place.catalog} application_name=${name}`;
    const flags = ["--role", role, "--workers", "1", "--host", address, "--open-access", "on"];
    flags.push(...kafkaFlags(kafka, topic), "--partitions", String(partitions));
    flags.push("--kafka-session-timeout-ms", String(sessionTimeoutMs));
    return {
      args: flags,
      env: { ...patient, ...(role !== "edge" && lakeEnvironment({ ...place, catalog })) },
      port,
      dataDir: folder,
      readyMsMax: startMsMax,
      wrapper: host?.wrapper ?? [],
    };
  }
}
