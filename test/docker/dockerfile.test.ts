// docker/Dockerfile and what it copies: read here, built and tried by image.test.ts.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { bundledPackages, completed } from "../../docker/sbom.mjs";
import { freePort } from "../support/free-port.ts";
import { root } from "../support/service.ts";
import { readTree } from "../support/source-tree.ts";
import { readDocker } from "./compose-files.ts";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
/** Instructions, each on one line, without comments. */
const instructions = readDocker("Dockerfile")
  .replaceAll(/^\s*#.*\n/gm, "")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n")
  .filter((line) => line !== "");

function valuesOf(instruction: string): string[] {
  return instructions
    .filter((line) => line.startsWith(`${instruction} `))
    .map((line) => line.slice(instruction.length + 1).trim());
}

/** Instructions of the last stage: what the image is. */
const runtime = instructions.slice(instructions.findLastIndex((line) => /^FROM /.test(line)));

describe("docker/Dockerfile", () => {
  it("has the stages that it copies from", () => {
    const stages = valuesOf("FROM").map((line) => line.split(" AS ")[1]);
    expect(stages).toEqual(["build", "production", "sbom", "runtime"]);
    for (const line of instructions) {
      const from = /--from=(\w+)/.exec(line)?.[1];
      if (from !== undefined) expect(stages).toContain(from);
    }
    expect(valuesOf("FROM").every((line) => /^(\$\{NODE_IMAGE\}|build) /.test(line))).toBe(true);
  });

  it("copies files that there are, and that the context has", () => {
    const ignored = readFileSync(join(root, ".dockerignore"), "utf8").split("\n");
    expect(ignored.filter((line) => !line.startsWith("#"))[0]).toBe("*");
    const isSent = (path: string) => {
      return ignored.some((line) => line === `!${path}` || path.startsWith(`${line.slice(1)}/`));
    };
    for (const line of valuesOf("COPY")) {
      const words = line.split(" ").filter((word) => !word.startsWith("--"));
      if (line.includes("--from=") || words[0] === ".") continue;
      for (const path of words.slice(0, -1)) {
        expect(existsSync(join(root, path)), path).toBe(true);
        expect(isSent(path), path).toBe(true);
      }
    }
    for (const line of ignored.filter((each) => each.startsWith("!"))) {
      expect(existsSync(join(root, line.slice(1))), line).toBe(true);
    }
  });

  it("runs node itself, as a user by number, on loopback's outside, with a health check", () => {
    expect(runtime).toContain("USER 10001:10001");
    expect(runtime).toContain('ENTRYPOINT ["node", "/app/build/cli.js"]');
    expect(runtime).toContain('CMD ["demo", "--open-access", "on"]');
    expect(runtime.some((line) => /^HEALTHCHECK .*"\/app\/healthcheck.mjs"/.test(line))).toBe(
      true,
    );
    expect(runtime).toContain("VOLUME /data");
    // After it nothing runs as root.
    const after = runtime.slice(runtime.indexOf("USER 10001:10001"));
    expect(after.some((line) => /^(RUN|COPY|ADD) /.test(line))).toBe(false);
  });

  it("is labelled with this version", () => {
    expect(valuesOf("ARG")).toContain(`VERSION=${manifest.version}`);
    for (const label of ["version", "revision", "licenses", "source", "created"]) {
      expect(runtime.join("\n")).toContain(`org.opencontainers.image.${label}=`);
    }
    expect(runtime.join("\n")).toContain(`image.licenses="${manifest.license}"`);
  });
});

describe("the bill of materials", () => {
  it("names every package whose code is put into the pages", () => {
    const sources = readTree("src/web").filter(({ path }) => !path.endsWith(".d.ts"));
    const imported = sources.flatMap(({ text }) =>
      [...text.matchAll(/from "((?:@[\w-]+\/)?[\w-]+)[/"]/g)].map(([, name]) => name!),
    );
    const copied = readFileSync(join(root, "tools", "bundles.mjs"), "utf8");
    const named = [...copied.matchAll(/from: `([\w-]+)\//g)].map(([, name]) => name!);
    expect([...new Set([...imported, ...named])].sort()).toEqual([...bundledPackages].sort());
  });

  it("adds Node, the bundled packages and the flights to what npm lists", () => {
    const own = { "bom-ref": "rankstream@1", name: "app" };
    const listed = { "bom-ref": "ws@8", name: "ws", version: "8" };
    const document = {
      metadata: { component: own },
      components: [listed],
      dependencies: [
        { ref: own["bom-ref"], dependsOn: ["ws@8"] },
        { ref: "ws@8", dependsOn: [] },
      ],
    };
    const whole = completed(document, join(root, "node_modules"), process.versions);
    expect(whole.metadata.component.name).toBe("rankstream");
    const names = whole.components.map(({ name }) => name);
    expect(names).toEqual(["ws", "node", ...bundledPackages, "flights-3m.parquet"]);
    for (const name of bundledPackages) {
      const part = whole.components.find((each) => each.name === name)!;
      expect(part.version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(part["licenses"]).toEqual([{ license: { id: expect.any(String) } }]);
    }
    const refs = whole.components.map((part) => part["bom-ref"]);
    expect(whole.dependencies[0]!.dependsOn).toEqual(refs);
    expect(whole.dependencies.map(({ ref }) => ref).sort()).toEqual(
      ["rankstream@1", ...refs].sort(),
    );
  });
});

describe("the health check", () => {
  const script = join(root, "docker", "healthcheck.mjs");
  let status = 200;
  const server = createServer((request, response) => {
    response.statusCode = request.url === "/health/ready" ? status : 404;
    response.end("words");
  });

  afterAll(() => {
    server.close();
  });

  async function check(port: number): Promise<{ code: number | null; out: string }> {
    const env = { ...process.env, RANKSTREAM_PORT: `${port}`, RANKSTREAM_TLS_CERT: "none" };
    const child = spawn(process.execPath, [script], { env, stdio: ["ignore", "pipe", 2] });
    let out = "";
    child.stdout!.on("data", (text) => {
      out += text;
    });
    const [code] = await once(child, "close");
    return { code, out };
  }

  it("is good where the service says that it is ready, and bad where not", async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    expect(await check(port)).toEqual({ code: 0, out: "words\n" });
    status = 503;
    expect(await check(port)).toEqual({ code: 1, out: "words\n" });
    const unused = await check(await freePort());
    expect(unused).toEqual({ code: 1, out: expect.stringContaining("ECONNREFUSED") });
  });
});
