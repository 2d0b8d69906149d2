/**
 * When a program or a page may be about to end, and when it is back. The one place in the client
 * that looks at what it runs in.
 */

export interface LeavingHooks {
  /** The page may be gone after this call: what is to be sent must be sent now. */
  onHide(): void;
  /** It is shown again, or the network is back. */
  onReturn(): void;
  /** A Node process has nothing left to do; what is begun here keeps it alive. */
  onIdle(): void;
}

interface NodeProcess {
  versions?: { node?: string };
  on(name: "beforeExit", act: () => void): void;
  off(name: "beforeExit", act: () => void): void;
}

/** Null in browsers, and where a bundler put something of that name. */
function nodeProcess(): NodeProcess | null {
  const { process } = globalThis as unknown as { process?: NodeProcess };
  return typeof process?.versions?.node === "string" ? process : null;
}

/** Node, or what is like it: long-lived, few of them, and without a limit on kept-alive bytes. */
export function isServer(): boolean {
  return nodeProcess() !== null;
}

/** Neither a page nor Node knows of a network that is away for certain, but a page may. */
export function isOffline(): boolean {
  return typeof navigator === "object" && navigator.onLine === false;
}

/** Listens; the function returned ends it. */
export function listenForLeaving(hooks: LeavingHooks): () => void {
  const undo: (() => void)[] = [];
  const listen = (target: EventTarget, name: string, act: () => void) => {
    target.addEventListener(name, act);
    undo.push(() => target.removeEventListener(name, act));
  };
  if (typeof document === "object" && typeof window === "object") {
    listen(document, "visibilitychange", () => {
      if (document.visibilityState === "hidden") hooks.onHide();
      else hooks.onReturn();
    });
    // Where a page is left without having been hidden first.
    listen(window, "pagehide", () => hooks.onHide());
    listen(window, "pageshow", () => hooks.onReturn());
    listen(window, "online", () => hooks.onReturn());
  }
  const node = nodeProcess();
  if (node !== null) {
    node.on("beforeExit", hooks.onIdle);
    undo.push(() => node.off("beforeExit", hooks.onIdle));
  }
  return () => {
    for (const each of undo.splice(0)) each();
  };
}
