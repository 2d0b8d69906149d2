// The truth about the demo's flights: the file itself, counted by plain SQL for every question,
// in a DuckDB of its own.
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { type BoardQuestion, boardOf, type TrueBoard } from "./board-oracle.ts";

const packages = join(import.meta.dirname, "..", "..", "node_modules");
export const flightsFile = join(packages, "vega-datasets", "data", "flights-3m.parquet");
export const flightTypes = ["flight_to", "flight_route"] as const;

/** Of each flight its two events. Minutes are all the file knows. */
function eventsSql(flights: string): string {
  return `SELECT 'flight_to' AS event_type, destination AS event_id, time_ms, row
    FROM ${flights}
    UNION ALL SELECT 'flight_route', origin || '-' || destination, time_ms, row
    FROM ${flights}`;
}

export class FlightOracle {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  static async #open(): Promise<FlightOracle> {
    const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
    const oracle = new FlightOracle(instance, await instance.connect());
    await oracle.#connection.run(`CREATE VIEW flights AS
      SELECT origin, destination, epoch_ms(date) AS time_ms, file_row_number AS row
      FROM read_parquet('${flightsFile}', file_row_number = true)`);
    return oracle;
  }

  /** Of every flight, as the demo imports them. */
  static async ofAll(): Promise<FlightOracle> {
    const oracle = await FlightOracle.#open();
    await oracle.#connection.run(`CREATE VIEW events AS ${eventsSql("flights")}`);
    return oracle;
  }

  /**
   * Of one flight in `every`, by `seed`; half of them with seconds and milliseconds made up. Each
   * event has its `place` in an order that has nothing to do with time.
   */
  static async ofSome(every: number, seed: number): Promise<FlightOracle> {
    const oracle = await FlightOracle.#open();
    const some = `(SELECT origin, destination, row,
        time_ms + CASE WHEN hash(row, ${seed}, 1) % 2 = 0 THEN 0
          ELSE (hash(row, ${seed}, 2) % 60000)::BIGINT END AS time_ms
      FROM flights WHERE hash(row, ${seed}, 3) % ${every} = 0)`;
    await oracle.#connection.run(`CREATE TABLE events AS
      SELECT event_type, event_id, time_ms,
        row_number() OVER (ORDER BY hash(row, event_type, ${seed}), row, event_type) - 1 AS place
      FROM (${eventsSql(some)})`);
    return oracle;
  }

  async #rows(sql: string): Promise<unknown[][]> {
    return (await this.#connection.runAndReadAll(sql)).getRows();
  }

  /** The most events that one minute has, both types together. */
  async busiestMinute(): Promise<number> {
    const [row] = await this.#rows(`SELECT max(n)::INTEGER FROM
      (SELECT count(*) AS n FROM events GROUP BY time_ms // 60000)`);
    return Number(row![0]);
  }

  /** What `ofSome` chose as NDJSON, in order of place. */
  async batches(eventsMax: number): Promise<{ body: string; byType: Record<string, number> }[]> {
    const rows = await this.#rows(`SELECT
        string_agg('{"eventId":"' || event_id || '","eventType":"' || event_type ||
          '","timestamp":' || time_ms || '}', chr(10) ORDER BY place),
        count(*) FILTER (event_type = 'flight_to')::INTEGER,
        count(*) FILTER (event_type = 'flight_route')::INTEGER
      FROM events GROUP BY place // ${eventsMax} ORDER BY place // ${eventsMax}`);
    return rows.map(([body, to, route]) => ({
      body: String(body),
      byType: { flight_to: Number(to), flight_route: Number(route) },
    }));
  }

  async board(question: BoardQuestion): Promise<TrueBoard> {
    const { eventTypes, from, to } = question;
    const rows = await this.#rows(`SELECT event_id, count(*)::INTEGER FROM events
      WHERE event_type IN (${eventTypes.map((name) => `'${name}'`).join(", ")})
        AND time_ms >= ${from} AND time_ms < ${to}
      GROUP BY event_id`);
    return boardOf(new Map(rows.map(([id, count]) => [String(id), Number(count)])), question);
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}
