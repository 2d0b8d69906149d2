/** A place for backups in memory, with a clock of its own, that can fail at any change. */
import type { Destination, StoredObject } from "../../src/backup/destination.ts";

export class MemoryDestination implements Destination {
  readonly address = "memory";
  readonly objects = new Map<string, { bytes: Buffer; modifiedAt: number }>();
  /** Epoch ms. */
  now = 0;
  /** So many changes are made, then each throws: what a kill in the midst leaves. */
  changesLeft = Number.POSITIVE_INFINITY;
  changes = 0;

  async get(name: string): Promise<Buffer | null> {
    return this.objects.get(name)?.bytes ?? null;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    this.#change();
    this.objects.set(name, { bytes: Buffer.from(bytes), modifiedAt: this.now });
  }

  async create(name: string, bytes: Uint8Array): Promise<boolean> {
    if (this.objects.has(name)) return false;
    await this.put(name, bytes);
    return true;
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    for (const [name, { bytes, modifiedAt }] of [...this.objects]) {
      if (name.startsWith(prefix)) yield { name, bytes: bytes.length, modifiedAt };
    }
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) {
      this.#change();
      this.objects.delete(name);
    }
  }

  async settle(): Promise<void> {}

  async close(): Promise<void> {}

  #change(): void {
    if (this.changesLeft <= 0) throw new Error("killed");
    this.changesLeft--;
    this.changes++;
  }
}
