import { defineConfig } from "vitest/config";
import { lakeTestMsMax } from "./test/support/time-bounds.ts";

const testMsMax = process.env["RANKSTREAM_TEST_STORE"] === "ducklake" ? lakeTestMsMax : 60_000;

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
