// What can go wrong at each step, as functions for the stage: `(response, right) => unknown`. A fault strikes once; what
// comes after it is well again. Each row says how its case may end.

/** Answers by hand. */
const says = (status, text, headers = {}) => (response) => {
  response.writeHead(status, headers);
  response.end(text);
};

/** Faults of a connection and of an answer, for anything that is asked over HTTP. */
export const WIRE = {
  hang: () => {},
  reset: (response) => void response.destroy(),
  "hangs up in the middle": (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "4000" });
    response.write('{"success":true,"isValid":true,', () => response.destroy());
  },
  429: says(429, "{}", { "retry-after": "86400" }),
  500: says(500, '{"error":"oops"}'),
  503: says(503, ""),
  redirect: (response, _, one) => says(307, "", { location: one?.elsewhere ?? "http://127.0.0.1:1/" })(response),
  html: says(200, "<html><title>oops</title>"),
  empty: says(200, ""),
  "wrong schema": says(200, '{"isValid":"true","success":"true","transaction":1,"network":null}', { "content-type": "application/json" }),
  "an array": says(200, "[]"),
  large: (response) => says(200, `{"isValid":true,"success":true,"more":"${"x".repeat(400_000)}"}`)(response),
  "another encoding": says(200, Buffer.from([0xff, 0xfe, 0x7b, 0x7d])),
  twice: async (response, right) => says(200, JSON.stringify(await right()).repeat(2))(response),
};

/** The same fault once the server has done what it was asked. */
export const afterwards = (fault) => async (response, right, one) => {
  const said = await right();
  return fault(response, () => said, one);
};

/** Says something else than what is right. */
const lies = (change) => async (_, right) => {
  const said = await right();
  return { ...said, ...change(said) };
};

/** Says something without doing anything. */
const claims = (said) => (_response, _right, one) => ({ payer: one.payer, network: "eip155:84532", transaction: "", ...said });

const OTHER = `0x${"77".repeat(20)}`;
const HASH = `0x${"ab".repeat(32)}`;

/** A facilitator's lies about a settlement that it made. */
export const LIES_AFTER = {
  "another payer": lies(() => ({ payer: OTHER })),
  "another network": lies(() => ({ network: "eip155:1" })),
  "no transaction": lies(() => ({ transaction: "" })),
  "a zero transaction": lies(() => ({ transaction: `0x${"0".repeat(64)}` })),
  "no hash": lies(() => ({ transaction: "abc" })),
  "another amount": lies(() => ({ amount: "1" })),
  "failed, the nonce is used": lies(() => ({ success: false, transaction: "", errorReason: "invalid_exact_evm_nonce_already_used" })),
  "failed, nobody knows why": lies(() => ({ success: false, transaction: "", errorReason: "unexpected_settle_error" })),
  "failed, in its own words": lies(() => ({ success: false, transaction: "", errorReason: "oops" })),
  "failed, without a transaction": lies(() => ({ success: false, transaction: "", errorReason: "invalid_exact_evm_transaction_failed" })),
  "failed, without a reason": lies(() => ({ success: false, transaction: "", errorReason: undefined })),
  pending: lies(() => ({ success: false, errorReason: "settlement_pending" })),
};

/** A facilitator's lies about a settlement that it never made. */
export const LIES_BEFORE = {
  "success of another payer": claims({ success: true, transaction: HASH, payer: OTHER }),
  "success on another network": claims({ success: true, transaction: HASH, network: "eip155:1" }),
  "success without a transaction": claims({ success: true }),
  "success with a zero transaction": claims({ success: true, transaction: `0x${"0".repeat(64)}` }),
  "success of another amount": claims({ success: true, transaction: HASH, amount: "1" }),
  "pending without a transaction": claims({ success: false, errorReason: "settlement_pending" }),
};

/** What an origin does wrong. Whatever it does is marked as failed where it said so itself. */
const answers = (status, headers = {}, body = "sorry") => (response, _right, _one, execution) => {
  execution.failed = status >= 300;
  response.writeHead(status, headers);
  response.end(status === 204 || status === 304 ? undefined : body);
};
const LONG = "served ".padEnd(100_000, "x");

export const ORIGIN = {
  404: { act: answers(404), says: 404 },
  500: { act: answers(500), says: 500 },
  503: { act: answers(503), says: 503 },
  302: { act: answers(302, { location: "http://127.0.0.1:1/" }), says: 302 },
  304: { act: answers(304), says: 304 },
  reset: { act: (response) => response.destroy(), lost: true },
  "hangs up in a body of known length": {
    act: (response) => {
      response.writeHead(200, { "content-length": "5000" });
      response.write("served in par", () => response.destroy());
    },
    lost: true,
  },
  "dribbles a body of known length": {
    act: async (response, _right, one) => {
      const body = "served drop by drop";
      response.writeHead(200, { "content-length": String(body.length) });
      for (const letter of body) {
        response.write(letter);
        await one.beat();
      }
      response.end();
    },
  },
  "dribbles without a length": {
    act: async (response, _right, one) => {
      response.writeHead(200);
      for (const piece of ["served ", "drop ", "by ", "drop"]) {
        response.write(piece);
        await one.beat();
      }
      response.end();
    },
    unkept: true,
  },
  "more than is kept": { act: (response) => void response.writeHead(200, { "content-length": String(LONG.length) }).end(LONG), unkept: true },
  "nothing, with 204": { act: answers(204), bodyless: true },
};
