import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import {
  ItemCounter,
  type ItemCounterOptions,
  itemCounterDefaults,
  itemType,
} from "../../src/kernel/item-counter.ts";
import { itemIds } from "../../src/kernel/item-region.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { layout } from "../../src/kernel/layout.ts";
import { loadKernelModule } from "../../src/kernel/module.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import { compileKernel } from "../../src/kernel/source.ts";
import { OracleSketch, oracleRowHash } from "../oracles/sketch-cells.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { root } from "../support/source-tree.ts";
import { builds, idOf, itemNumbers, streamShapes } from "./sketch-support.ts";

const wasmPath = `${root}/build/kernel/kernel.wasm`;

function truthOf(ids: readonly string[], counts: readonly number[]): Map<string, number> {
  const truth = new Map<string, number>();
  ids.forEach((id, i) => {
    truth.set(id, (truth.get(id) ?? 0) + counts[i]!);
  });
  return truth;
}

/** What a counter's answers must fulfil, whatever it was fed. */
function holdAgainst(counter: ItemCounter, truth: Map<string, number>): void {
  const top = counter.top(layout.CANDIDATES_MAX);
  const found = new Map(top.items.map((item) => [item.id, item]));
  for (const { id, lower, upper } of top.items) {
    const count = truth.get(id)!;
    if (!(lower <= count && count <= upper)) throw new Error(`${id}: ${lower} ${count} ${upper}`);
  }
  for (const [id, count] of truth) {
    if (counter.estimate(id) < count) throw new Error(`estimate of ${id} under ${count}`);
    if (!found.has(id) && count > top.outside) throw new Error(`${id} outside has ${count}`);
  }
  const best = [...truth].sort((a, b) => b[1] - a[1]).map(([id]) => id);
  const certain = top.items.slice(0, top.certain).map(({ id }) => id);
  expect(certain).toEqual(best.slice(0, top.certain));
}

describe.each(builds)("item counter (%s)", (build) => {
  test.each(streamShapes)("bounds hold and what is certain is so: %s", async (shape) => {
    const random = randomFromEnvironment(`item counter ${shape}`);
    const options = { depth: 3, widthLog2: 9, candidatesMax: 40 };
    const counter = await ItemCounter.open(loadKernelModule(build), options);
    expect(counter.top(5)).toEqual({ items: [], certain: 0, outside: 0 });
    // More than one part of the region that carries ids to the kernel.
    const ids = itemNumbers(random, shape, 40_000, 2000).map(idOf);
    const counts = ids.map(() => random.pick([1, 1, 1, 7]));
    counter.add(ids.slice(0, 30_000), counts.slice(0, 30_000));
    counter.add(ids.slice(30_000), counts.slice(30_000));
    const truth = truthOf(ids, counts);
    holdAgainst(counter, truth);
    expect(counter.candidates().total).toBe(counts.reduce((sum, count) => sum + count, 0));
    expect(counter.top(3).items).toEqual(counter.top(40).items.slice(0, 3));
    counter.reset();
    expect(counter.candidates()).toEqual({ items: [], outside: 0, total: 0 });
    expect(counter.cells.every((cell) => cell === 0)).toBe(true);
  });

  test("it is exact and certain where everything fits", async () => {
    const counter = await ItemCounter.open(loadKernelModule(build));
    counter.add(["b", "a", "b", "ü", "b", "a"]);
    const item = (id: string, count: number) => ({ id, lower: count, upper: count });
    expect(counter.top(10)).toEqual({
      items: [item("b", 3), item("a", 2), item("ü", 1)],
      certain: 3,
      outside: 0,
    });
    counter.add(["ü"]);
    expect(counter.top(10).certain).toBe(1);
  });

  test("its cells are the oracle's, and places says where", async () => {
    const random = randomFromEnvironment("item counter cells");
    for (const depth of [1, 4, 8]) {
      const options: ItemCounterOptions = {
        depth,
        widthLog2: 5,
        candidatesMax: 3,
        seed: { low: random.uint32(), high: random.uint32() },
      };
      const sketchOptions = { depth, widthLog2Max: 5, seed: options.seed };
      const bytes = ItemCounter.memoryBytes(options) + Sketch.memoryBytes(sketchOptions);
      const kernel = await Kernel.load(await loadKernelModule(build), bytes);
      for (let round = 0; round < 2; round++) {
        const counter = new ItemCounter(kernel, options);
        const oracle = new OracleSketch(depth, 32);
        for (const id of itemNumbers(random, "zipf 1.0", 300, 50).map(idOf)) {
          const hash = oracleRowHash(itemType, id, options.seed.low, options.seed.high);
          const before = counter.cells.slice();
          const least = Math.min(...counter.places(id).map((x, row) => before[row * 32 + x]!));
          counter.add([id]);
          expect(oracle.add(hash, 1)).toBe(least + 1);
          expect(counter.estimate(id)).toBe(least + 1);
        }
        expect([...counter.cells]).toEqual(oracle.cells);
        // The memory it had serves again.
        kernel.clear();
      }
    }
  });
});

test("ids that no event may have are refused, and options that no sketch has", async () => {
  const module = await loadKernelModule();
  const counter = await ItemCounter.open(module);
  expect(() => counter.add(["x".repeat(513)])).toThrow(/id 0 from byte 0 to 513/);
  expect(() => counter.addBlock({ ...itemIds(["a", "b"]), counts: Uint32Array.of(1) })).toThrow(
    /1 counts for 2 items/,
  );
  await expect(ItemCounter.open(module, { depth: 9 })).rejects.toThrow(RangeError);
  await expect(ItemCounter.open(module, { widthLog2: 3 })).rejects.toThrow(RangeError);
  await expect(ItemCounter.open(module, { candidatesMax: 0 })).rejects.toThrow(RangeError);
  expect(itemCounterDefaults.depth).toBe(4);
});

test("the kernel is compiled from a module, bytes, a reply or an address", async () => {
  const bytes = readFileSync(wasmPath);
  const module = await compileKernel(bytes);
  expect(await compileKernel(module)).toBe(module);
  const server = createServer((request, reply) => {
    if (request.url !== "/kernel.wasm") return reply.writeHead(404).end();
    // Not application/wasm, as hosts that know no better say.
    return reply.setHeader("content-type", "application/octet-stream").end(bytes);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const own = new Uint8Array(bytes).buffer;
    const reply = fetch(`${url}/kernel.wasm`);
    for (const source of [own, reply, `${url}/kernel.wasm`, new URL(`${url}/kernel.wasm`)]) {
      const counter = await ItemCounter.open(source, { widthLog2: 6 });
      counter.add(["a", "a"]);
      expect(counter.estimate("a")).toBe(2);
    }
    await expect(compileKernel(`${url}/other.wasm`)).rejects.toThrow(/other\.wasm, got HTTP 404/);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
  await expect(compileKernel(pathToFileURL(wasmPath))).rejects.toThrow(/read the file and give/);
  await expect(compileKernel(new Uint8Array(8))).rejects.toThrow(WebAssembly.CompileError);
});
