// A store that every tab of an origin shares. A read-write transaction is exclusive among them and durable when it has
// ended, so that no other lock is needed; a tab that is killed in the middle of one has written nothing.

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** The store of this name, which is made if there is none. */
export function indexedDbStore(name = "x402") {
  let opened;

  const open = () => {
    if (opened) return opened;
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("book");
      request.result.createObjectStore("log", { autoIncrement: true });
    };
    opened = settled(request).then((database) => {
      // The browser may close it, and another version may want it: the next update opens it anew.
      const forget = () => (database.close(), (opened = undefined));
      database.onversionchange = forget;
      database.onclose = forget;
      return database;
    });
    opened.catch(() => (opened = undefined));
    return opened;
  };

  return {
    async update(decide) {
      const transaction = (await open()).transaction(["book", "log"], "readwrite", { durability: "strict" });
      const [books, log] = [transaction.objectStore("book"), transaction.objectStore("log")];
      await new Promise((resolve, reject) => {
        let failure;
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(failure ?? transaction.error);
        const asked = books.get("book");
        const last = log.openCursor(null, "prev");
        // Requests are answered in order, and the transaction lives as long as one of its answers is being worked on.
        last.onsuccess = () => {
          try {
            const change = decide(asked.result, last.result?.value);
            if (!change) return;
            books.put(change.book, "book");
            for (const entry of change.entries) log.add(entry);
          } catch (error) {
            failure = error;
            transaction.abort();
          }
        };
      });
    },
    async entries({ from = 1, limit = 2 ** 32 - 1 } = {}) {
      const log = (await open()).transaction("log").objectStore("log");
      return settled(log.getAll(IDBKeyRange.lowerBound(from), Math.min(limit, 2 ** 32 - 1)));
    },
  };
}
