// Commands about a data folder's store, given the options of a store in a lake.
import { expect, it } from "vitest";
import { runIo } from "./support/cli-io.ts";
import { temporaryFolder } from "./support/service.ts";

const environment = {
  RANKSTREAM_STORE: "ducklake:postgres:host=127.0.0.1 password=secret",
  RANKSTREAM_DATA: "/tmp/lake",
  RANKSTREAM_EXTENSION_DIRECTORY: "/tmp/extensions",
};

it.each([
  ["verify", ["verify"]],
  ["restore", ["restore", "--to", "latest"]],
  ["backup --offline", ["backup", "--offline"]],
])("%s refuses a lake, and says so", async (name, args) => {
  const folder = temporaryFolder();
  const own = { ...environment, RANKSTREAM_DATA_DIR: folder };
  const { code, error } = await runIo(args, { environment: own });
  expect(code, error).toBe(2);
  expect(error).toContain(`store: ${name} expected local, got ducklake:…`);
  expect(error).not.toContain("secret");
});
