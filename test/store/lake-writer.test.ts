// What is taken for a lost race, which is tried again, and what is not.
import { describe, expect, it } from "vitest";
import { isConflict } from "../../src/store/lake-writer.ts";

describe("a conflict", () => {
  it("is what DuckLake and PostgreSQL call so, and nothing that merely names one", () => {
    const head =
      "TransactionContext Error: Failed to commit: Failed to commit DuckLake transaction.";
    for (const said of [
      'Transaction conflict - attempting to delete from table with index "7" - but another',
      'ERROR:  duplicate key value violates unique constraint "ducklake_snapshot_pkey"',
      "ERROR:  could not serialize access due to concurrent update",
    ]) {
      expect(isConflict(new Error(`${head}\n${said}`)), said).toBe(true);
    }
    for (const said of [
      'Constraint Error: value "conflict of interest" is too long',
      "Binder Error: ON CONFLICT clause not yet supported for insertion into DuckLake table",
      `${head}\nFailed to execute query "COMMIT": server closed the connection unexpectedly`,
    ]) {
      expect(isConflict(new Error(said)), said).toBe(false);
    }
  });
});
