/**
 * Deletes in slices that are under way (table deletes_under_way), and which this process is at. Of
 * two that both believe that they are, one commits each slice.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { Claimed, type Claims } from "./claimed.ts";
import { rowsOf } from "./database.ts";
import type { EventScope } from "./delete-questions.ts";
import { sqlText } from "./sql.ts";

export interface DeleteLeft {
  id: number;
  /** What is left of it. */
  scope: EventScope;
}

export class DeletesUnderWay {
  readonly #mine: Claimed<number>;

  /** Without `claims` there are no other processes. */
  constructor(claims?: Claims) {
    this.#mine = new Claimed("delete", claims);
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
  claim(id: number): Promise<boolean> {
    return this.#mine.take(id);
  }

  /** From now on anyone may go on with what is left. */
  letGo(): Promise<void> {
    return this.#mine.letGo();
  }

  /**
   * Keeps what is left of it, in the delete's transaction; null: nothing is. `from`: where what
   * was left so far begins, null of a new one. Throws `store_failed` where another process has
   * come further meanwhile.
   */
  async note(
    connection: DuckDBConnection,
    id: number,
    rest: EventScope | null,
    from: number | null,
  ): Promise<void> {
    if (from !== null) {
      const { rowsChanged } = await connection.run(
        `DELETE FROM deletes_under_way WHERE delete_id = ${id} AND from_ms = ${from}`,
      );
      if (rowsChanged !== 1) {
        throw new RankstreamError("store_failed", "another process goes on with this delete");
      }
    }
    if (rest === null) return;
    const eventId = rest.eventId === null ? "NULL" : sqlText(rest.eventId);
    await connection.run(`INSERT INTO deletes_under_way VALUES (${id},
      ${sqlText(rest.eventType)}, ${eventId}, ${rest.from}, ${rest.to})`);
  }
}
