import { defineConfig } from "vitest/config";

/** A store in a lake commits in tens of milliseconds, and some tests commit a thousand times. */
const testMsMax = process.env["RANKSTREAM_TEST_STORE"] === "ducklake" ? 300_000 : 60_000;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: testMsMax,
    hookTimeout: testMsMax,
    // Two cores: many tests wait for services, so that three files at a time keep both busy.
    maxWorkers: 3,
    pool: "forks",
  },
});
