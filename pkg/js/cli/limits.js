// The limits that a command line sets, as the payer's policy has them.
import { home, Usage } from "./terminal.js";

export const options = {
  wallet: { type: "string" },
  max: { type: "string" },
  budget: { type: "string", multiple: true },
  network: { type: "string", multiple: true },
  "pay-to": { type: "string", multiple: true },
  v1: { type: "boolean" },
  store: { type: "string" },
  owner: { type: "string" },
  task: { type: "string" },
  rpc: { type: "string", multiple: true },
};

export const help = `  --max PRICE          the most for this request, such as '$0.10' (which it is when nothing is said)
  --budget MAX/TIME    such as '$2/day', 'hour', 'week', 'month', 'task', 'ever' or seconds; as often as you like
  --network NAME       such as eip155:8453; only these
  --pay-to ADDRESS     only these
  --v1                 also servers of x402 version 1
  --wallet FILE        the keystore (default ~/.x402/wallet.json), unless X402_PRIVATE_KEY holds a key
  --store FILE         where budgets and the log are kept (default ~/.x402/book)
  --owner TEXT, --task TEXT   who answers for the payment and what for, for the log
  --rpc NETWORK=URL    a node that is asked whether there is enough, and what became of the payment
`;

/** A budget of the command line. */
function budget(text) {
  const at = text.lastIndexOf("/");
  if (at < 1) throw new Usage(`a budget looks like '$2/day', not ${text}`);
  const per = text.slice(at + 1);
  return { max: text.slice(0, at), per: /^\d+$/.test(per) ? Number(per) : per };
}

/** What `createPayer` takes, but for the wallet. */
export function payerOptions(values) {
  const rpc = Object.fromEntries((values.rpc ?? []).map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new Usage(`a node looks like eip155:8453=https://…, not ${pair}`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  }));
  return {
    policy: {
      ...(values.max !== undefined && { maxPerPayment: values.max }),
      ...(values.budget && { budgets: values.budget.map(budget) }),
      ...(values.network && { networks: values.network }),
      ...(values["pay-to"] && { payTo: values["pay-to"] }),
      ...(values.v1 && { v1: true }),
    },
    store: { file: values.store ?? home("book") },
    rpc,
    ...(values.owner !== undefined && { owner: values.owner }),
    ...(values.task !== undefined && { task: values.task }),
  };
}
