import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AppendFile, type Files, nodeFiles } from "../src/files.ts";
import { PowerLoss, PowerLossDisk, sectorBytes } from "./support/power-loss.ts";
import { Random, randomFromEnvironment } from "./support/random.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rankstream-files-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const names = ["a", "b", "c"];

/** One random operation; what it returned or threw, as text. */
async function operate(files: Files, root: string, random: Random): Promise<string> {
  const path = join(root, random.pick(names));
  const other = join(root, random.pick(names));
  const size = random.int(0, 3000);
  const chunks = Array.from({ length: random.int(0, 5) }, () => random.bytes(random.int(0, 900)));
  const kind = random.int(0, 7);
  try {
    if (kind === 0) return `${await files.list(root)}`;
    if (kind === 1) return `${await files.size(path)}`;
    if (kind === 2) return Buffer.from(await files.read(path, size, 500)).toString("hex");
    if (kind === 3) return `${await files.truncate(path, size)}`;
    if (kind === 4) return `${await files.rename(path, other)}`;
    if (kind === 5) return `${await files.remove(path)}`;
    const file: AppendFile = await files.openAppend(path);
    await file.append(chunks);
    await file.sync();
    await file.close();
    return `${file.size}`;
  } catch (error) {
    return `${(error as NodeJS.ErrnoException).code}`;
  }
}

describe("the real disk", () => {
  test("and the model of one agree on every operation", async () => {
    const random = randomFromEnvironment("files differential");
    for (let round = 0; round < 20; round++) {
      const root = join(folder, `round-${round}`, "deep");
      await nodeFiles.makeFolder(root);
      await nodeFiles.makeFolder(root);
      const disk = new PowerLossDisk();
      for (let step = 0; step < 40; step++) {
        const seed = random.uint32();
        const real = await operate(nodeFiles, root, new Random(seed));
        expect(await operate(disk, root, new Random(seed))).toBe(real);
      }
      await nodeFiles.syncFolder(root);
    }
  });

  test("takes more buffers than one writev does, and a missing folder is empty", async () => {
    const path = join(folder, "many");
    const file = await nodeFiles.openAppend(path);
    await file.append(Array.from({ length: 2500 }, (_, i) => Buffer.from([i & 255, i >> 8])));
    await file.sync();
    await file.close();
    await nodeFiles.syncFile(path);
    const bytes = await nodeFiles.read(path, 0, 10_000);
    expect(bytes.length).toBe(5000);
    for (let i = 0; i < 2500; i++) expect(bytes[2 * i]! + 256 * bytes[2 * i + 1]!).toBe(i);
    expect(await nodeFiles.list(join(folder, "missing"))).toEqual([]);
    expect(await nodeFiles.size(join(folder, "missing"))).toBeNull();
  });
});

describe("a power loss", () => {
  /** How often each distinct outcome was seen over many crashes of the same history. */
  async function outcomes(
    history: (disk: PowerLossDisk) => Promise<void>,
    look: (disk: PowerLossDisk) => Promise<string>,
  ): Promise<Set<string>> {
    const random = randomFromEnvironment("power loss outcomes");
    const seen = new Set<string>();
    for (let crash = 0; crash < 300; crash++) {
      const disk = new PowerLossDisk();
      await history(disk);
      seen.add(await look(disk.crash(random)));
    }
    return seen;
  }

  async function written(disk: PowerLossDisk, sync: boolean, syncName: boolean): Promise<void> {
    const file = await disk.openAppend("/d/x");
    await file.append([Buffer.alloc(sectorBytes, "a"), Buffer.alloc(sectorBytes, "b")]);
    if (sync) await file.sync();
    if (syncName) await disk.syncFolder("/d");
  }

  async function content(disk: PowerLossDisk): Promise<string> {
    if ((await disk.size("/d/x")) === null) return "gone";
    const text = Buffer.from(await disk.read("/d/x", 0, 4096)).toString("latin1");
    return text.replaceAll("\0", "0").replace(/(.)\1+/g, "$1");
  }

  test("spares what was synced with its name", async () => {
    expect(await outcomes((disk) => written(disk, true, true), content)).toEqual(new Set(["ab"]));
  });

  test("may take a name that was not synced", async () => {
    const seen = await outcomes((disk) => written(disk, true, false), content);
    expect(seen).toEqual(new Set(["ab", "gone"]));
  });

  test("tears what was not synced, in any pattern of sectors", async () => {
    const seen = await outcomes((disk) => written(disk, false, true), content);
    expect(seen).toEqual(new Set(["", "a", "ab", "0", "0b", "a0"]));
  });

  test("of the process alone spares what was written, and a dead disk does nothing", async () => {
    const disk = new PowerLossDisk();
    await written(disk, false, false);
    const file = await disk.openAppend("/d/x");
    const after = disk.kill();
    await expect(file.append([Buffer.from("c")])).rejects.toThrow(PowerLoss);
    expect(await content(after)).toBe("ab");
    const random = randomFromEnvironment("power loss after kill");
    const seen = new Set<string>();
    for (let crash = 0; crash < 100; crash++) seen.add(await content(after.crash(random)));
    expect(seen.has("gone") && seen.has("ab")).toBe(true);
  });

  test("takes an adopted file that was not synced", async () => {
    const adopt = async (disk: PowerLossDisk, sync: boolean) => {
      disk.adopt("/d/x", Buffer.alloc(2 * sectorBytes, "a"));
      if (sync) await disk.syncFile("/d/x");
      await disk.syncFolder("/d");
    };
    expect((await outcomes((disk) => adopt(disk, false), content)).size).toBeGreaterThan(2);
    expect(await outcomes((disk) => adopt(disk, true), content)).toEqual(new Set(["a"]));
  });
});
