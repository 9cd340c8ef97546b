// What is made of the log for people and their tables. It says nothing that its entries do not say; loaded when it is asked
// for.

/** The columns of the table. */
const COLUMNS = [
  "seq", "at", "event", "owner", "task", "id", "origin", "url", "network", "asset", "symbol", "amount", "tokens", "payTo", "payer",
  "validBefore", "status", "success", "consistent", "transaction", "code", "reason", "previous", "hash",
];

/** A field of the table. What a server says may come to stand in one, so none is read as a formula. */
function field(value) {
  if (value === undefined) return "";
  const text = String(value);
  const guard = /^[=+\-@\t\r]/.test(text) ? "'" : "";
  return typeof value === "number" ? text : `"${guard}${text.replaceAll('"', '""')}"`;
}

/** The log as a table (RFC 4180). */
export function csv(entries) {
  const line = (entry) => COLUMNS.map((column) => field(entry[column])).join(",");
  return [COLUMNS.join(","), ...entries.map(line), ""].join("\r\n");
}

const DAY = 86_400;

/**
 * What was sent, by day, origin and asset. `amount` is what may have moved: everything that was sent and was not proved unused
 * by the chain. `confirmed` is what servers said they have settled, or the chain did; not what the chain contradicts.
 */
export function summary(entries) {
  const quotes = new Map();
  const rows = new Map();
  const add = (id, change) => {
    const quote = quotes.get(id);
    if (quote?.row) change(quote.row, quote);
  };
  for (const entry of entries) {
    const { id, event } = entry;
    if (event === "reserved" || event === "approved") quotes.set(id, { ...quotes.get(id), ...entry });
    const quote = quotes.get(id);
    if (event === "sent" && quote && !quote.row) {
      const day = new Date(Math.floor(entry.at / DAY) * DAY * 1000).toISOString().slice(0, 10);
      const key = [day, quote.origin, quote.network, quote.asset].join(" ");
      const { origin, network, asset, symbol } = quote;
      const row = rows.get(key) ?? { day, origin, network, asset, symbol, payments: 0, amount: 0n, confirmed: 0n };
      rows.set(key, row);
      quote.row = row;
      add(id, (row) => ((row.payments += 1), (row.amount += BigInt(quote.amount))));
    } else if ((event === "receipt" && entry.success && entry.consistent) || ["settled", "confirmed", "contradicted"].includes(event)) {
      add(id, (row, of) => {
        const now = event !== "contradicted";
        if (now !== (of.confirmed ?? false)) row.confirmed += now ? BigInt(of.amount) : -BigInt(of.amount);
        of.confirmed = now;
      });
    } else if (event === "released") {
      add(id, (row, of) => {
        row.payments -= 1;
        row.amount -= BigInt(of.amount);
        of.row = undefined;
      });
    }
  }
  const told = ({ amount, confirmed, ...row }) => ({ ...row, amount: String(amount), confirmed: String(confirmed) });
  return [...rows.values()].map(told);
}
