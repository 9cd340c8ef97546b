// What the platform takes for a paid request that is written down: the three subrequests and three writes of our gate, in
// as many objects as it has books, and nothing decided, checked, parsed or remembered. It is no gate, it is the floor.
import { DurableObject } from "cloudflare:workers";

const BOOKS = 64;
const TABLES = `CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, due INTEGER NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS due ON records (due); CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, body TEXT NOT NULL)`;
const WRITE = `INSERT INTO records VALUES (?, 1, ?, ?)
  ON CONFLICT (key) DO UPDATE SET due = excluded.due, state = excluded.state, body = excluded.body`;
const RECORD = "r".repeat(1000); // a record and its bill are about as long

/** The facilitator answers what a payment names; this one is any. */
const BODY = JSON.stringify({
  paymentPayload: { payload: { authorization: { from: `0x${"1".repeat(40)}`, nonce: `0x${"1".repeat(64)}` } }, rest: "p".repeat(800) },
  paymentRequirements: { network: "eip155:84532" },
});

async function ask(path) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`https://facilitator.test${path}`, { method: "POST", headers, body: BODY, redirect: "manual" });
  return response.text();
}

export class Book extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec(TABLES);
  }

  write(key, state) {
    this.sql.exec(WRITE, key, state, RECORD);
  }

  claim(key) {
    this.write(key, "claimed");
  }

  async report(key, answer) {
    this.write(key, "settling");
    this.sql.exec("INSERT OR REPLACE INTO answers VALUES (?, ?)", key, answer);
    await ask("/settle");
    this.write(key, "settled");
  }
}

let count = 0;
export default {
  async fetch(request, { BOOK, ORIGIN }) {
    count += 1;
    const book = BOOK.get(BOOK.idFromName(String(count % BOOKS)));
    const key = crypto.randomUUID();
    await book.claim(key);
    await ask("/verify");
    const origin = await ORIGIN.fetch("https://origin.test/quote", { headers: request.headers, redirect: "manual" });
    const answer = await origin.text();
    await book.report(key, answer);
    const headers = new Headers(origin.headers);
    headers.set("payment-response", "settled");
    return new Response(answer, { headers });
  },
};
