// Where the payer's book and its log are kept. A store has two functions: `update(decide)`, which hands the book and the
// log's last entry to `decide` and writes what it answers, exclusively and durably; and `entries({ from, limit })`. It
// knows nothing of what they say. Nothing is written when `decide` answers undefined, or throws.

/** A store that ends with its process. Of its log it keeps at least the last entries, as many as are said, and at most twice that. */
export function memoryStore(kept = 10_000) {
  let book;
  let log = [];
  let first = 1;
  return {
    /** The number of the first entry that is still kept. */
    get begins() {
      return first;
    },
    async update(decide) {
      const change = decide(book, log.at(-1));
      if (!change) return;
      book = change.book;
      log.push(...change.entries);
      if (log.length > 2 * kept) {
        first += log.length - kept;
        log = log.slice(-kept);
      }
    },
    async entries({ from = 1, limit = Infinity } = {}) {
      const start = Math.max(0, from - first);
      return log.slice(start, start + limit);
    },
  };
}
