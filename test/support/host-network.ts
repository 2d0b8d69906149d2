// Hosts of a test: network namespaces of Linux on a bridge that no card is attached to, so that
// whatever runs in one can be cut off from the others as by a pulled cable: nothing is refused,
// nothing is said, packets are gone. Needs root, `ip` and `iptables`.
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { promisify } from "node:util";

const commandMsMax = 10_000;
/** Of what RFC 1918 leaves free, and nobody uses by default. */
const networks = "10.213";

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: "pipe", timeout: commandMsMax });
}

/** Of processes that were killed and removed nothing. */
function removeLeft(): void {
  const listed = execFileSync("ip", ["-o", "link"], { encoding: "utf8", timeout: commandMsMax });
  for (const [, name, pid, number] of listed.matchAll(/^\d+: (rs(\d+)(n\d+)?)[@:]/gm)) {
    if (existsSync(`/proc/${pid}`)) continue;
    run("ip", "link", "del", name!);
    if (number !== undefined) run("ip", "netns", "del", name!);
  }
}

export class Host {
  readonly address: string;
  /** A command with its arguments that executes what follows them on this host. */
  readonly wrapper: string[];
  readonly #name: string;
  readonly #bridge: string;

  constructor(name: string, bridge: string, address: string) {
    this.address = address;
    this.wrapper = ["ip", "netns", "exec", name];
    this.#name = name;
    this.#bridge = bridge;
    run("ip", "netns", "add", name);
    run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name);
    run("ip", "link", "set", name, "master", bridge, "up");
    run("ip", "-n", name, "addr", "add", `${address}/24`, "dev", "eth0");
    for (const link of ["eth0", "lo"]) run("ip", "-n", name, "link", "set", link, "up");
  }

  /** Pulls its cable, until `heal`. */
  cut(): void {
    run("ip", "link", "set", this.#name, "nomaster");
  }

  /** Loses what goes to this port of any host, and what comes from there, until `heal`. */
  cutFrom(port: number): void {
    const drop = (chain: string, end: string) =>
      run(...this.#iptables, "-A", chain, "-p", "tcp", end, String(port), "-j", "DROP");
    drop("OUTPUT", "--dport");
    drop("INPUT", "--sport");
  }

  heal(): void {
    run("ip", "link", "set", this.#name, "master", this.#bridge);
    run(...this.#iptables, "-F");
  }

  /** Whatever still runs there keeps the namespace, without its cable. */
  remove(): void {
    run("ip", "link", "del", this.#name);
    run("ip", "netns", "del", this.#name);
  }

  get #iptables(): [string, ...string[]] {
    return ["ip", "netns", "exec", this.#name, "iptables", "-w"];
  }
}

export class HostNetwork {
  /** Where this process is, and servers for all hosts may listen. */
  readonly address: string;
  readonly #bridge: string;
  readonly #prefix: string;
  readonly #hosts: Host[] = [];

  private constructor() {
    this.#prefix = `${networks}.${process.pid % 256}`;
    this.#bridge = `rs${process.pid}`;
    this.address = `${this.#prefix}.1`;
  }

  /** A network of its own, or why there can be none here. */
  static async open(): Promise<HostNetwork | string> {
    if (process.platform !== "linux") return "hosts are network namespaces of Linux";
    const network = new HostNetwork();
    try {
      removeLeft();
      network.#build();
      await network.#check();
      return network;
    } catch (error) {
      network.remove();
      const [reason] = (error as Error).message.trim().split("\n").slice(-1);
      return `hosts need Linux, root, ip and iptables: ${reason}`;
    }
  }

  #build(): void {
    run("ip", "link", "add", this.#bridge, "type", "bridge");
    run("ip", "addr", "add", `${this.address}/24`, "dev", this.#bridge);
    run("ip", "link", "set", this.#bridge, "up");
  }

  /** Whether one host reaches this process, and may lose packets. */
  async #check(): Promise<void> {
    const server = createServer((socket) => socket.end());
    server.listen(0, this.address);
    try {
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const host = this.host();
      const connect = `require("node:net").connect(${port}, "${this.address}").resume()`;
      const [command, ...args] = [...host.wrapper, process.execPath, "-e", connect];
      await promisify(execFile)(command!, args, { timeout: commandMsMax });
      host.cutFrom(port);
      host.heal();
    } finally {
      server.close();
    }
  }

  host(): Host {
    const number = this.#hosts.length + 2;
    const name = `${this.#bridge}n${number}`;
    const host = new Host(name, this.#bridge, `${this.#prefix}.${number}`);
    this.#hosts.push(host);
    return host;
  }

  remove(): void {
    for (const host of this.#hosts.splice(0)) host.remove();
    try {
      run("ip", "link", "del", this.#bridge);
    } catch {
      // It could not be made.
    }
  }
}
