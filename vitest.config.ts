import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: many tests wait for services, so that three files at a time keep both busy.
    maxWorkers: 3,
    pool: "forks",
  },
});
