/** The demo's entry: loads the kernel that lies beside this file, and shows the page. */
import { render } from "preact";
import { App } from "./app.tsx";
import { Lab, type LabShape } from "./lab.ts";
import { Player } from "./player.ts";
import { firstShape } from "./stream-form.tsx";
import { madeStream } from "./streams.ts";

/** Small enough that cells are shared from the first hundred updates on. */
const labShape: Readonly<LabShape> = { depth: 4, widthLog2: 5, candidatesMax: 15 };
/** So that something is to be seen. */
const updatesFirst = 200;

/** The SIMD build where the browser can, else the scalar one: same source, same answers. */
async function loadLab(): Promise<Lab> {
  const at = (name: string) => new URL(name, import.meta.url);
  try {
    return await Lab.load(at("./kernel.wasm"), labShape);
  } catch (error) {
    if ((error as Error).name !== "CompileError") throw error;
    return Lab.load(at("./kernel.scalar.wasm"), labShape);
  }
}

const main = document.getElementById("demo")!;
try {
  const lab = await loadLab();
  const first = () => madeStream(firstShape);
  const player = new Player(lab, first());
  player.step(updatesFirst);
  main.textContent = "";
  render(<App player={player} first={first} />, main);
} catch (error) {
  main.append(`The kernel could not be loaded: ${(error as Error).message}`);
  throw error;
}
