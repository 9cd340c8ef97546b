import type { Store } from "./index.js";

/** A store that ends with its process. Of the log it keeps at least the last `kept` entries, default 10 000, and at most twice that. */
export function memoryStore(kept?: number): Store;

/** A store in IndexedDB, which every tab of the origin shares. The name is the database's; default `"x402"`. */
export function indexedDbStore(name?: string): Store;

/**
 * A store in a Durable Object's storage, for a payer that lives in that object. Its class should have SQLite storage: the other kind
 * takes values of 128 kB, which a book with many payments under `Idempotency-Key`s may exceed; it fails closed then.
 */
export function durableObjectStore(storage: {
  get(keys: string[]): Promise<Map<string, any>>;
  get(key: string): Promise<any>;
  put(entries: Record<string, unknown>): Promise<void>;
  list(options: { prefix: string; start: string; limit?: number }): Promise<Map<string, any>>;
}): Store;
