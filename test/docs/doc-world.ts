// Runs a page's commands as its reader would: in bash, in a folder of the page's own, with the
// built program as `rankstream` and a real service where the page says http://127.0.0.1:8080.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Block } from "../support/markdown.ts";
import { root, temporaryFolder } from "../support/service.ts";

const commandMsMax = 60_000;
const readyLine = /^Rankstream is ready on (http:\/\/\S+)$/m;
const starts = /^(?:[A-Z_]+=\S+ )*(?:rankstream|npm) start\b/;
const continued = /^((?:rankstream|npm) start\b.*) \\\n */gm;

/**
 * Answers of 400 and above fail a block: readers would be told of a fault, too. What goes on
 * without end (-N) is read for a while.
 */
const curlFunction = `
curl() {
  local seconds=50 ended=0
  case " $* " in *" -N "*) seconds=3 ;; esac
  command curl --silent --show-error --fail-with-body --max-time $seconds --write-out '\\n' "$@" ||
    ended=$?
  [ $ended = 28 ] && [ $seconds = 3 ] || return $ended
}
`;

/** `start` takes a free port and a folder of its own; other commands go to the test's service. */
function programScript(folder: string): string {
  const node = `exec '${process.execPath}' '${join(root, "build", "cli.js")}'`;
  return `#!/bin/bash
case "$1" in
  start|demo) ${node} "$@" --port 0 --data-dir "$(mktemp -d '${folder}/data-XXXXXX')" ;;
  import|top|snapshot|export|item|types|tail|send|doctor|users) ${node} "$@" --url "$DOC_URL" ;;
  *) ${node} "$@" ;;
esac
`;
}

/** What a page writes that stands for something else in the test: text or pattern → text. */
export type StandIns = ReadonlyMap<string, string>;

export class DocWorld {
  readonly folder = temporaryFolder();
  readonly url: string;
  readonly #standIns: Map<string, string>;
  readonly #env: NodeJS.ProcessEnv;

  constructor(url: string, standIns: StandIns = new Map(), env: NodeJS.ProcessEnv = {}) {
    this.url = url;
    const place = new URL(url).host;
    this.#standIns = new Map([
      ...standIns,
      ["node build/cli.js", "rankstream"],
      ["http://127.0.0.1:8080", url],
      ["ws://127.0.0.1:8080", `ws://${place}`],
    ]);
    const programs = join(this.folder, ".programs");
    mkdirSync(programs);
    writeFileSync(join(programs, "rankstream"), programScript(this.folder));
    chmodSync(join(programs, "rankstream"), 0o755);
    mkdirSync(join(this.folder, "node_modules"));
    symlinkSync(root, join(this.folder, "node_modules", "rankstream"));
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("RANKSTREAM_"));
    this.#env = {
      ...Object.fromEntries(own),
      PATH: `${programs}${delimiter}${process.env["PATH"]}`,
      DOC_URL: url,
      ...env,
    };
  }

  /** Of what runs in it. */
  get environment(): NodeJS.ProcessEnv {
    return this.#env;
  }

  /** From now on `shown` stands for `real`. */
  standIn(shown: string, real: string): void {
    this.#standIns.set(shown, real);
  }

  /** The text with what stands for something replaced. */
  real(text: string): string {
    return [...this.#standIns].reduce((done, [shown, own]) => done.replaceAll(shown, own), text);
  }

  /** The block as a file of the page's folder; its path. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, `${this.real(text)}\n`);
    return path;
  }

  /** Runs a block of commands; what they wrote to stdout. Throws where one of them fails. */
  async runShell({ text }: Block): Promise<string> {
    let output = "";
    let waiting: string[] = [];
    const flush = async () => {
      if (waiting.length > 0) output += await this.#bash(waiting.join("\n"));
      waiting = [];
    };
    const whole = this.real(text).replaceAll(continued, "$1 ");
    for (const line of whole.split("\n")) {
      if (!starts.test(line) || line.includes(" --help")) {
        waiting.push(line);
        continue;
      }
      await flush();
      output += await this.#untilReady(
        line.replace(/^npm start(?: --(?= ))?/, "rankstream start"),
      );
    }
    await flush();
    return output;
  }

  /** Runs a block of JavaScript as a module that can import "rankstream/client". */
  runScript({ text, line }: Block): Promise<string> {
    const path = this.write(`block-${line}.mjs`, text);
    return this.#run(process.execPath, [path]);
  }

  #bash(commands: string): Promise<string> {
    return this.#run("bash", ["-c", `set -euo pipefail\n${curlFunction}\n${commands}`]);
  }

  async #run(program: string, args: string[]): Promise<string> {
    const child = spawn(program, args, {
      cwd: this.folder,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: commandMsMax,
      killSignal: "SIGKILL",
    });
    let out = "";
    let error = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      error += text;
    });
    const [code, signal] = await once(child, "close");
    if (code === 0) return out;
    throw new Error(`ended with ${code ?? signal}\nstdout:\n${out}\nstderr:\n${error}`);
  }

  /** Runs a command that stays until it is ready, then ends it; how it stops is tested apart. */
  async #untilReady(command: string): Promise<string> {
    const child = spawn("bash", ["-c", `exec env ${command}`], {
      cwd: this.folder,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: commandMsMax,
      killSignal: "SIGKILL",
    });
    const closed = once(child, "close");
    let out = "";
    let error = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      if (readyLine.test(out)) child.kill("SIGKILL");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      error = (error + text).slice(-10_000);
    });
    const [code, signal] = await closed;
    if (readyLine.test(out)) return out;
    throw new Error(
      `${command}\nended with ${code ?? signal}\nstdout:\n${out}\nstderr:\n${error}`,
    );
  }
}
