/** Compiles the kernel from whatever the caller has of it: in Node, browsers and workers alike. */

/** The `.wasm` as a compiled module, as bytes, as a reply that brings them, or as an address. */
export type KernelSource = WebAssembly.Module | BufferSource | Response | URL | string;

async function fetched(address: URL | string): Promise<Response> {
  if (String(address).startsWith("file:")) {
    throw new TypeError(
      `kernel: expected an address that fetch can read, got ${address}; ` +
        "read the file and give its bytes",
    );
  }
  return fetch(address);
}

/**
 * The compiled module; a module is given back as it is, and can be posted to other threads.
 * An address is fetched, whatever content type its host gives it. Throws TypeError for a `file:`
 * address, Error when the reply isn't 2xx, CompileError when the bytes are no module.
 */
export async function compileKernel(
  source: KernelSource | Promise<KernelSource>,
): Promise<WebAssembly.Module> {
  const given = await source;
  if (given instanceof WebAssembly.Module) return given;
  if (ArrayBuffer.isView(given) || given instanceof ArrayBuffer) {
    return WebAssembly.compile(given);
  }
  const reply = given instanceof Response ? given : await fetched(given);
  if (!reply.ok) {
    throw new Error(`kernel: expected the .wasm at ${reply.url}, got HTTP ${reply.status}`);
  }
  return WebAssembly.compile(await reply.arrayBuffer());
}
