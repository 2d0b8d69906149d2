/** What an edge beside others knows of event types. */
import { expect, it } from "vitest";
import { Kernel } from "../src/kernel/kernel.ts";
import { loadKernelModule } from "../src/kernel/module.ts";
import { TypeDictionary } from "../src/kernel/type-dictionary.ts";
import { regionTypeName } from "../src/model-regions.ts";
import { learnTypes } from "../src/service-edge.ts";
import type { Touched } from "../src/store/changes.ts";

const roomMax = 16;

it("gives types that others counted their places among those there may be", async () => {
  const memoryBytes = TypeDictionary.memoryBytes(roomMax) + 65_536;
  const kernel = await Kernel.load(await loadKernelModule(), memoryBytes);
  const types = new TypeDictionary(kernel, roomMax);
  types.indexOf("own");
  types.limit(4);
  let tell: (version: number, touched: readonly Touched[]) => void = () => undefined;
  const onChange = (listener: typeof tell) => {
    tell = listener;
  };
  learnTypes({ onChange }, types);
  const copied = regionTypeName("us", "play");
  const span = { from: 0, to: 1 };
  tell(
    1,
    [copied, "own", copied].map((eventType) => ({ eventType, ...span })),
  );
  expect(types.size).toBe(2);
  tell(2, [{ eventType: "of another edge", ...span }]);
  expect(types.indexOf("last")).toBe(3);
  expect(types.indexOf("one too many")).toBeNull();
  expect(types.indexOf(copied)).toBe(1);
});
