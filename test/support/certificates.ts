// Certificates of a test's own, made by openssl: an authority, and pairs that it has signed.
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Agent } from "undici";
import { temporaryFolder } from "./service.ts";

const run = promisify(execFile);
const toolMsMax = 20_000;
const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const ownNames = "subjectAltName=DNS:localhost,IP:127.0.0.1";

/** Paths of PEM files. */
export interface Pair {
  cert: string;
  key: string;
}

export class Authority {
  readonly folder = temporaryFolder();
  readonly ca = join(this.folder, "ca.pem");
  readonly #caKey = join(this.folder, "ca.key");

  static async make(): Promise<Authority> {
    const made = new Authority();
    const out = ["-keyout", made.#caKey, "-out", made.ca];
    await made.#openssl("req", "-x509", ...curve, ...out, "-subj", "/CN=test authority");
    return made;
  }

  /** Of 127.0.0.1 and localhost, unless `names` says otherwise, good for `days`. */
  async sign(name: string, days = 30, names = ownNames): Promise<Pair> {
    const at = (ending: string) => join(this.folder, `${name}.${ending}`);
    const request = ["-keyout", at("key"), "-out", at("csr"), "-subj", `/CN=${name}`];
    await this.#openssl("req", ...curve, ...request);
    writeFileSync(at("ext"), names);
    const signer = ["-CA", this.ca, "-CAkey", this.#caKey, "-CAcreateserial"];
    const out = ["-in", at("csr"), "-out", at("pem"), "-extfile", at("ext")];
    await this.#openssl("x509", "-req", ...signer, ...out, "-days", `${days}`);
    return { cert: at("pem"), key: at("key") };
  }

  /** For undici: believes this authority alone, and shows `own` where it is asked. */
  agent(own?: Pair): Agent {
    const pair = own && { cert: readFileSync(own.cert), key: readFileSync(own.key) };
    return new Agent({ connect: { ca: readFileSync(this.ca), ...pair } });
  }

  async #openssl(...args: string[]): Promise<void> {
    await run("openssl", args, { timeout: toolMsMax, cwd: this.folder });
  }
}
