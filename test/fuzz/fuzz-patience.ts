// What is load and what is a hang: a connection may come late on a busy machine, a reply may not
// stay away.

/** One attempt; the kernel asks again after 1, 3 and 7 s by itself. */
export const connectMsMax = 10_000;
const connectTriesMax = 12;
/** Nothing of the request was sent when one of these came. */
const notConnected = new Set(["UND_ERR_CONNECT_TIMEOUT", "ETIMEDOUT"]);

/**
 * Sends until there was a connection, `onRetry` before each further try; what comes after that,
 * and a refusal to connect, is thrown at once.
 */
export async function patiently<T>(send: () => Promise<T>, onRetry: () => void): Promise<T> {
  for (let left = connectTriesMax - 1; ; left--) {
    try {
      return await send();
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!notConnected.has(code) || left === 0) throw error;
      onRetry();
    }
  }
}
