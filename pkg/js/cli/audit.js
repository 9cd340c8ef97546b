// `x402-wasm audit`: what was quoted, decided, signed and paid, from the log beside the budgets.
import { createPayer, generatePrivateKey } from "x402-wasm";

import { help as limits, options, payerOptions } from "./limits.js";
import { plain, print, tell, Usage, words } from "./terminal.js";

export const help = `x402-wasm audit list        what happened, a line each
x402-wasm audit verify      whether the log is whole and nobody has changed it
x402-wasm audit summary     what was paid, by day and origin
x402-wasm audit spent       what is left of the budgets that --budget names
x402-wasm audit reconcile   asks the nodes of --rpc what became of the payments that they were not asked about
x402-wasm audit export      all of it, as NDJSON or with --format csv

${limits}`;

export async function run(args) {
  const { values, positionals: [what = "list", ...more] } = words(args, { ...options, format: { type: "string" } }, help);
  if (more.length > 0) throw new Usage(`there is nothing to do with ${more[0]}`, help);
  // The log is read without the key that pays.
  const payer = await createPayer({ ...payerOptions(values), wallet: { privateKey: generatePrivateKey() } });
  switch (what) {
    case "list":
      for (const entry of await payer.audit.entries()) print(line(entry));
      return 0;
    case "verify": {
      const entries = await payer.audit.verify();
      tell(`The log is whole: ${entries} entries, none changed.`);
      return 0;
    }
    case "summary":
      for (const row of await payer.audit.summary()) print(JSON.stringify(row));
      return 0;
    case "spent":
      print(JSON.stringify(await payer.spent()));
      return 0;
    case "reconcile":
      print(JSON.stringify(await payer.reconcile()));
      return 0;
    case "export": {
      const { format = "ndjson" } = values;
      if (!["ndjson", "csv"].includes(format)) throw new Usage(`there is no format ${format}: say ndjson or csv`, help);
      process.stdout.write(await payer.audit.export(format));
      return 0;
    }
    default:
      throw new Usage(`there is no audit ${what}`, help);
  }
}

const line = ({ at, event, origin, url, tokens, symbol, code, transaction, id }) =>
  [new Date(at * 1000).toISOString(), event, tokens && `${tokens} ${symbol ?? ""}`.trim(), url ?? origin, code, transaction, id]
    .filter((part) => part !== undefined && part !== "")
    .map(plain)
    .join("  ");
