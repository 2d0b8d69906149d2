/**
 * What this process alone is at, of several over a lake: one goes on with what another has left,
 * and leaves alone what another is at. What is claimed goes with the session in PostgreSQL, should
 * that or the process end; so whatever is done must be safe from one who believes that it still
 * has it.
 */

/** Has others know what this process is at. */
export interface Claims {
  /** Takes something for this process alone; whether it did, or had before. */
  claim(name: string): Promise<boolean>;
  /** Gives back what it had taken, if it had. */
  release(name: string): Promise<void>;
}

/** Claims of one kind, by their numbers or ids. */
export class Claimed<Id extends number | string> {
  readonly #kind: string;
  readonly #claims: Claims | undefined;
  readonly #held = new Set<Id>();

  /** Without `claims` there are no other processes. */
  constructor(kind: string, claims?: Claims) {
    this.#kind = kind;
    this.#claims = claims;
  }

  has(id: Id): boolean {
    return this.#held.has(id);
  }

  /** Whether this process has it now. `before` runs with the claim, before it counts as held. */
  async take(id: Id, before?: () => Promise<void>): Promise<boolean> {
    if ((await this.#claims?.claim(`${this.#kind} ${id}`)) === false) return false;
    await before?.();
    this.#held.add(id);
    return true;
  }

  /** From now on anyone may take those that are over; of a failure the session's end does it. */
  async letGo(isOver: (id: Id) => boolean = () => true): Promise<void> {
    for (const id of [...this.#held].filter(isOver)) {
      this.#held.delete(id);
      await this.#claims?.release(`${this.#kind} ${id}`).catch(() => undefined);
    }
  }
}
