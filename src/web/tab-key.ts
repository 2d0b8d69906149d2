/**
 * This tab's key. It is kept in sessionStorage alone: gone with the tab, not in other tabs nor,
 * as a cookie would be, sent by the browser on its own. An address may bring one (`#key=…`), from
 * where it is removed before anything else happens; what is behind `#` is sent to nobody.
 */
import { isKey } from "../client/transport.ts";
import { KeyGate, type KeyStorage } from "./key-gate.ts";

function tabStorage(): KeyStorage | null {
  try {
    return sessionStorage;
  } catch {
    // Closed to an embedded page, maybe: the key is good until the page is left, then.
    return null;
  }
}

/** The key in the part of an address behind `#`: null where there is none meant. */
export function keyOfHash(hash: string): string | null {
  return hash.startsWith("#key=") ? new URLSearchParams(hash.slice(1)).get("key") : null;
}

/** The one gate of the page. */
export const gate = new KeyGate({
  storage: tabStorage(),
  // Called as a method of anything else, a browser's own fetch refuses.
  fetch: (...request) => fetch(...request),
});

/** Takes the key out of the address; whether there was one. */
function takeKey(): boolean {
  const key = keyOfHash(location.hash);
  if (key === null) return false;
  history.replaceState(history.state, "", location.pathname + location.search);
  if (!isKey(key)) return false;
  gate.give(key);
  return true;
}

takeKey();
addEventListener("hashchange", () => {
  // Nothing of what another key has shown stays.
  if (takeKey()) location.reload();
});

/** Forgets the key, and with it all that the page holds. */
export function forgetKey(): void {
  gate.forget();
  location.reload();
}
