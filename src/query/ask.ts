/** How a question of whatever kind is answered beside others. */
import type { ReadControl } from "../store/store.ts";

export interface AskControl extends ReadControl {
  /** Time for the whole of it, in ms; default the engine's `exactTimeoutMs`. */
  budgetMs?: number | undefined;
  /** Path and query of the question as it came, for those who pass it on. */
  address?: string | undefined;
  /** Of the HTTP request, for those who pass the question on. */
  requestId?: string | undefined;
  /** Whoever asks has the answer before and would rather wait for the new one. */
  isPatient?: boolean | undefined;
}
