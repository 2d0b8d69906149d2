import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configNames } from "../src/config.ts";
import { makeTerminal, runIo } from "./support/cli-io.ts";
import { temporaryFolder } from "./support/service.ts";

const file = join(temporaryFolder(), "rankstream.json");
writeFileSync(file, JSON.stringify({ workers: 2, bodyBytesMax: "1 MiB" }));
const environment = {
  RANKSTREAM_PORT: "9000",
  RANKSTREAM_REDIS_URL: "redis://me:secret@cache:6379",
  RANKSTREAM_KAFKA_SASL_PASSWORD: "secret",
  RANKSTREAM_URL: "http://elsewhere",
  RANKSTREAM_PROT: "1",
};
const check = (args: string[], given = {}) =>
  runIo(["config", "check", ...args], { environment, ...given });

describe("rankstream config check", () => {
  it("says where each value is from, those that were set first, and no password", async () => {
    const { code, out, error } = await check(["--config", file, "--host", "::1"]);
    expect(code).toBe(0);
    expect(error).toBe(
      'warning: RANKSTREAM_PROT is set, but is no option. Did you mean "RANKSTREAM_PORT"?\n',
    );
    const lines = out.split("\n").map((line) => line.split(/ {2,}/));
    expect(lines.slice(0, 8)).toEqual([
      ["option", "value", "from"],
      ["host", "::1", "--host"],
      ["port", "9000", "RANKSTREAM_PORT"],
      ["kafkaSaslPassword", "***", "RANKSTREAM_KAFKA_SASL_PASSWORD"],
      ["workers", "2", `the file ${file}`],
      ["bodyBytesMax", "1 MiB", `the file ${file}`],
      ["redisUrl", "redis://me:***@cache:6379", "RANKSTREAM_REDIS_URL"],
      ["httpServer", "fastify", "default"],
    ]);
    expect(lines).toHaveLength(configNames.length + 2);
    expect(out + error).not.toContain("secret");
  });

  it("says the same as JSON", async () => {
    const { code, out } = await check(["--config", file, "--json"]);
    const { valid, values, warnings } = JSON.parse(out);
    expect([code, valid, warnings.length]).toEqual([0, true, 1]);
    expect(Object.keys(values).sort()).toEqual([...configNames].sort());
    expect(values.bodyBytesMax).toEqual({ value: 1_048_576, from: `the file ${file}` });
    expect(values.host).toEqual({ value: "127.0.0.1", from: "default" });
    expect(out).not.toContain("secret");
  });

  it("tells each fault, and exits with 2", async () => {
    const args = ["--port", "x", "--log", "paper", "--workers", "0"];
    const problems = [
      'port: expected an integer 0..65535, got "x" (from --port)',
      'log: expected one of embedded, kafka, got "paper" (from --log)',
      'workers: expected an integer 1..64, got "0" (from --workers)',
    ];
    const { code, out, error } = await check([...args, "--json"], { environment: {} });
    expect([code, JSON.parse(out)]).toEqual([2, { valid: false, problems }]);
    expect(error).toBe(problems.map((problem) => `error: ${problem}\n`).join(""));
    const together = await check(["--upstream", "http://a:1", "--body-bytes-max", "2 GiB"]);
    expect(together.code).toBe(2);
    expect(
      (await check(["--upstream", "x", "--live-origins", "y"])).error.split("\n"),
    ).toHaveLength(3);
  });

  it("is coloured on a terminal, as NO_COLOR and FORCE_COLOR say", async () => {
    const isPainted = async (env: Record<string, string>, args: string[], isOut: boolean) => {
      const given = { environment: env, terminal: makeTerminal(80, isOut) };
      return (await check(args, given)).out.includes("\u001b[");
    };
    expect(await isPainted({}, [], true)).toBe(true);
    expect(await isPainted({}, [], false)).toBe(false);
    expect(await isPainted({}, ["--no-color"], true)).toBe(false);
    expect(await isPainted({ NO_COLOR: "1" }, [], true)).toBe(false);
    expect(await isPainted({ FORCE_COLOR: "1", NO_COLOR: "1" }, [], false)).toBe(true);
    expect(await isPainted({ FORCE_COLOR: "0" }, [], true)).toBe(false);
  });
});
