// What commands are given of a process, without one: what they write is kept.
import { Readable, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { CliIo } from "../../src/cli-io.ts";
import { runCli } from "../../src/cli-program.ts";

/** An io whose members are those given; the rest does nothing. */
export function makeIo(given: Partial<CliIo> = {}): CliIo {
  return {
    version: "1.2.3",
    nodeVersion: "22.0.0",
    environment: {},
    writeOut: () => undefined,
    writeError: () => undefined,
    output: new Writable({ write: (_chunk, _encoding, done) => done() }),
    input: Readable.from([]),
    onSignal: () => undefined,
    exit: () => undefined,
    kill: () => undefined,
    freeBytes: async () => 2 ** 40,
    startService: () => Promise.reject(new Error("no service here")),
    ...given,
  };
}

/** A terminal of this width. */
export function makeTerminal(columns = 80, isOut = true) {
  return { isOut, isError: false, columns, rows: 24, onResize: () => undefined };
}

/** Runs a command to its end: its exit code and what it wrote. `output` counts as stdout. */
export async function runIo(args: readonly string[], given: Partial<CliIo> = {}) {
  const seen = { out: "", error: "" };
  // A piece may end within a character.
  const decoder = new StringDecoder("utf8");
  const io = makeIo({
    writeOut: (text) => {
      seen.out += text;
    },
    writeError: (text) => {
      seen.error += text;
    },
    output: new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        seen.out += decoder.write(chunk);
        done();
      },
    }),
    ...given,
  });
  const code = await runCli(args, io);
  return { code, ...seen };
}
