/** Reads the kernel's .wasm file (Node only). */
import { readFile } from "node:fs/promises";

/** "simd" is the default; "scalar" is for hosts without v128. Same source, same answers. */
export type KernelBuild = "simd" | "scalar";

/** The compiled kernel module, from the build output beside or (from sources) above this file. */
export async function loadKernelModule(build: KernelBuild = "simd"): Promise<WebAssembly.Module> {
  const name = build === "simd" ? "kernel.wasm" : "kernel.scalar.wasm";
  const folder = import.meta.url.endsWith(".ts") ? "../../build/kernel/" : "./";
  return WebAssembly.compile(await readFile(new URL(folder + name, import.meta.url)));
}
