/**
 * Deletes in slices that are under way (table deletes_under_way), and who is at them: of several
 * processes over a lake one goes on with what another has left, and leaves alone what another is
 * at. What a process has claimed goes with its session in PostgreSQL, should it end.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";
import type { EventScope } from "./delete-questions.ts";
import { sqlText } from "./sql.ts";

/** Has others know what this process is at. */
export interface Claims {
  /** Takes something for this process alone; whether it did, or had before. */
  claim(name: string): Promise<boolean>;
  release(name: string): Promise<void>;
}

export interface DeleteLeft {
  id: number;
  /** What is left of it. */
  scope: EventScope;
}

export class DeletesUnderWay {
  readonly #claims: Claims | undefined;
  readonly #held = new Set<string>();

  /** Without `claims` there are no other processes. */
  constructor(claims?: Claims) {
    this.#claims = claims;
  }

  /** All there are, whoever is at them, in the order of their making. */
  async list(connection: DuckDBConnection): Promise<DeleteLeft[]> {
    const rows = await rowsOf(connection, "SELECT * FROM deletes_under_way ORDER BY delete_id");
    return rows.map((row) => ({
      id: Number(row["delete_id"]),
      scope: {
        eventType: String(row["event_type"]),
        eventId: row["event_id"] === null ? null : String(row["event_id"]),
        from: Number(row["from_ms"]),
        to: Number(row["to_ms"]),
      },
    }));
  }

  /** Takes one for this process; false where another is at it. */
  async claim(id: number): Promise<boolean> {
    const name = `delete ${id}`;
    if ((await this.#claims?.claim(name)) === false) return false;
    this.#held.add(name);
    return true;
  }

  /** From now on anyone may go on with what is left. */
  async letGo(): Promise<void> {
    const held = [...this.#held];
    this.#held.clear();
    for (const name of held) await this.#claims?.release(name).catch(() => undefined);
  }

  /** Keeps what is left of it, in the delete's transaction; null: nothing is. */
  async note(connection: DuckDBConnection, id: number, rest: EventScope | null): Promise<void> {
    await connection.run(`DELETE FROM deletes_under_way WHERE delete_id = ${id}`);
    if (rest === null) return;
    const eventId = rest.eventId === null ? "NULL" : sqlText(rest.eventId);
    await connection.run(`INSERT INTO deletes_under_way VALUES (${id},
      ${sqlText(rest.eventType)}, ${eventId}, ${rest.from}, ${rest.to})`);
  }
}
