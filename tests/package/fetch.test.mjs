// The payer's fetch is fetch: arguments, answers, bodies, signals, redirects.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createPayer, X402Error, wrapFetchWithPayment } from "x402-wasm";
import { challenge, honest, offer, payments, serve, terms } from "./lib/seller.mjs";
import { ADDRESS, counting, KEY } from "./lib/signer.mjs";

const seller = await serve(honest());
after(() => seller.stop());
const fresh = () => (seller.requests.length = 0);

test("a paid answer comes back with its receipt, and the payment is the one quoted", async () => {
  fresh();
  const payer = await createPayer({ wallet: { privateKey: KEY } });
  assert.equal(payer.address, ADDRESS);
  const response = await payer.fetch(seller.url);
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "GET ");
  const receipt = payer.receipt(response);
  assert.equal(receipt.success, true);
  assert.equal(receipt.consistent, true);
  assert.deepEqual([receipt.amount, receipt.tokens, receipt.symbol, receipt.payTo], ["10000", "0.01", "USDC", offer().payTo]);
  assert.ok(Object.isFrozen(receipt));
  assert.equal(seller.requests.length, 2);
});

test("what is no 402 of x402 comes back untouched, as the very object that fetch gave", async () => {
  const plain = await serve((request, response) => {
    const status = Number(request.url.slice(1));
    response.writeHead(status, { "content-type": "text/plain" }).end("no terms here");
  });
  let given;
  const wallet = counting();
  const payer = await createPayer({ wallet, fetch: async (...call) => (given = await fetch(...call)) });
  for (const status of [200, 404, 402]) {
    const response = await payer.fetch(`${plain.origin}/${status}`);
    assert.equal(response, given);
    assert.equal(response.status, status);
    assert.equal(await response.text(), "no terms here");
    assert.equal(payer.receipt(response), undefined);
  }
  assert.equal(wallet.signed.length, 0);
  await plain.stop();
});

test("every body that can be sent twice is sent twice", async (t) => {
  const payer = await createPayer({ wallet: { privateKey: KEY } });
  const bytes = new TextEncoder().encode("..bytes..");
  const form = () => {
    const data = new FormData();
    data.append("a", "1");
    data.append("file", new Blob(["file"]), "name.txt");
    return data;
  };
  const bodies = {
    text: "text",
    bytes: bytes.subarray(2, 7),
    buffer: bytes.buffer.slice(0),
    view: new DataView(bytes.buffer, 2, 5),
    blob: new Blob(["blob"], { type: "text/x-blob" }),
    parameters: new URLSearchParams({ a: "1", b: "é" }),
    form: form(),
  };
  for (const [name, body] of Object.entries(bodies)) {
    await t.test(name, async () => {
      fresh();
      const response = await payer.fetch(seller.url, { method: "POST", body });
      assert.equal(response.status, 200);
      const [asked, paid] = seller.requests;
      const plain = ({ headers, body: sent }) => {
        const boundary = headers["content-type"]?.match(/boundary=(.*)$/)?.[1];
        return [headers["content-type"], sent.toString()].map((text) => (boundary ? text.replaceAll(boundary, "-") : text));
      };
      assert.deepEqual(plain(paid), plain(asked));
      assert.ok(paid.body.length > 0);
    });
  }
  await t.test("a Request, with its headers", async () => {
    fresh();
    const request = new Request(seller.url, { method: "PUT", body: "from a Request", headers: { "x-own": "1" } });
    assert.equal(await (await payer.fetch(request)).text(), "PUT from a Request");
    assert.deepEqual(seller.requests.map(({ headers }) => headers["x-own"]), ["1", "1"]);
  });
  await t.test("a Request with an init over it", async () => {
    fresh();
    const request = new Request(seller.url, { method: "PUT", body: "old" });
    assert.equal(await (await payer.fetch(request, { method: "PATCH", body: "new" })).text(), "PATCH new");
  });
  await t.test("a Request as the init", async () => {
    fresh();
    const init = new Request("http://elsewhere.example/", { method: "DELETE", headers: { "x-own": "1" } });
    assert.equal(await (await payer.fetch(seller.url, init)).text(), "DELETE ");
    assert.equal(seller.requests[1].headers["x-own"], "1");
  });
  await t.test("bytes as they were when the call began", async () => {
    fresh();
    const changing = new TextEncoder().encode("before");
    const policy = { approve: () => (changing.fill(120), true) };
    const careful = await createPayer({ wallet: { privateKey: KEY }, policy });
    assert.equal(await (await careful.fetch(seller.url, { method: "POST", body: changing })).text(), "POST before");
  });
});

test("S-282: a stream cannot be sent twice, and nothing is signed; without a 402 it is sent as ever", async () => {
  const wallet = counting();
  const payer = await createPayer({ wallet });
  const stream = () => new Blob(["streamed"]).stream();
  for (const body of [stream(), (async function* () { yield Buffer.from("streamed"); })()]) {
    fresh();
    const call = payer.fetch(seller.url, { method: "POST", body, duplex: "half" });
    await assert.rejects(call, { name: "X402Error", code: "payer_body_not_replayable" });
    assert.equal(seller.requests.length, 1);
  }
  assert.equal(wallet.signed.length, 0);
  const echo = await serve((request, response) => response.end(request.body));
  const response = await payer.fetch(echo.url, { method: "POST", body: stream(), duplex: "half" });
  assert.equal(await response.text(), "streamed");
  await echo.stop();
});

test("a request that carries a payment is refused before it is sent", async () => {
  fresh();
  const payer = await createPayer({ wallet: counting() });
  for (const headers of [{ "Payment-Signature": "x" }, { "x-payment": "x" }, [["PAYMENT-SIGNATURE", "x"]], new Headers({ "X-PAYMENT": "x" })]) {
    await assert.rejects(payer.fetch(seller.url, { headers }), { code: "payer_already_paid" });
    await assert.rejects(payer.fetch(new Request(seller.url, { headers })), { code: "payer_already_paid" });
  }
  assert.equal(seller.requests.length, 0);
});

test("no header is added but the payment's", async () => {
  fresh();
  const payer = await createPayer({ wallet: { privateKey: KEY } });
  await payer.fetch(seller.url, { headers: new Map([["x-own", "1"]]).entries() });
  const [asked, paid] = seller.requests.map(({ headers }) => headers);
  assert.equal(asked["x-own"], "1");
  const { "payment-signature": payment, ...rest } = paid;
  assert.ok(payment);
  assert.deepEqual(rest, asked);
});

test("an aborted signal ends the call with its reason, wherever the call is", async (t) => {
  const never = () => new Promise(() => {});
  const reason = new Error("enough");
  const aborting = async (options, when) => {
    const controller = new AbortController();
    const payer = await createPayer(options(() => controller.abort(reason)));
    await assert.rejects(payer.fetch(when ?? seller.url, { signal: controller.signal }), (error) => error === reason);
  };
  await t.test("before it begins", async () => {
    const payer = await createPayer({ wallet: { privateKey: KEY } });
    await assert.rejects(payer.fetch(seller.url, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
  });
  await t.test("while a person is asked", () =>
    aborting((abort) => ({ wallet: counting(), policy: { approve: () => (abort(), never()) } })));
  await t.test("while a wallet hangs", () => {
    const wallet = { address: ADDRESS };
    return aborting((abort) => ({ wallet: { ...wallet, signTypedData: () => (abort(), never()) } }));
  });
  await t.test("while a provider is asked for its account", () =>
    aborting((abort) => ({ wallet: { request: () => (abort(), never()) } })));
  await t.test("after the wallet signed: nothing is sent", async () => {
    fresh();
    const account = counting();
    await aborting((abort) => ({
      wallet: { address: ADDRESS, signTypedData: async (data) => { const signed = await account.signTypedData(data); abort(); return signed; } },
    }));
    assert.equal(payments(seller).length, 0);
  });
  await t.test("while the paid answer is waited for", async () => {
    let abort;
    const slow = await serve((request, response) => (request.count === 1 ? challenge(response, terms([offer()])) : abort()));
    await aborting((now) => ((abort = now), { wallet: { privateKey: KEY } }), slow.url);
    await slow.stop();
  });
  await t.test("while a body is read that never ends", async () => {
    const endless = await serve((request, response) => response.writeHead(402).write("{"));
    await aborting((abort) => ({
      wallet: counting(), policy: { v1: true },
      fetch: async (...call) => { const response = await fetch(...call); queueMicrotask(abort); return response; },
    }), endless.url);
    await endless.stop();
  });
});

test("calls are independent of each other", async () => {
  fresh();
  const payer = await createPayer({ wallet: { privateKey: KEY } });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => payer.fetch(seller.url, { method: "POST", body: `call ${i}` })));
  assert.deepEqual(await Promise.all(answers.map((answer) => answer.text())), Array.from({ length: 20 }, (_, i) => `POST call ${i}`));
  assert.equal(new Set(payments(seller).map(({ headers }) => headers["payment-signature"])).size, 20);
});

test("the one-line change: a wrapped fetch pays, with a payer or its options", async () => {
  const payer = await createPayer({ wallet: { privateKey: KEY } });
  let sent = 0;
  const counted = (...call) => ((sent += 1), fetch(...call));
  const response = await wrapFetchWithPayment(counted, payer)(seller.url);
  assert.equal(payer.receipt(response).success, true);
  assert.equal((await wrapFetchWithPayment(counted, { wallet: counting() })(seller.url)).status, 200);
  assert.equal(sent, 4);
  await assert.rejects(wrapFetchWithPayment(fetch, {})(seller.url), { code: "payer_invalid_options" });
});

test("the paid request is not redirected, and a redirect on the same origin before the quote is followed", async () => {
  const moved = await serve((request, response) => {
    if (request.url === "/data") return response.writeHead(302, { location: "/moved" }).end();
    if (request.headers["payment-signature"] === undefined) return challenge(response, terms([offer()]));
    return response.writeHead(303, { location: "/after" }).end();
  });
  const payer = await createPayer({ wallet: { privateKey: KEY } });
  const response = await payer.fetch(moved.url);
  assert.equal(response.status, 303);
  assert.deepEqual(moved.requests.map(({ url }) => url), ["/data", "/moved", "/moved"]);
  await assert.rejects(payer.fetch(moved.url, { method: "POST", body: "x" }), { code: "payer_redirected" });
  await moved.stop();
});

test("what fetch itself fails with comes through; a lost paid answer has its own code", async () => {
  const payer = await createPayer({ wallet: { privateKey: KEY } });
  await assert.rejects(payer.fetch("http://127.0.0.1:1/"), TypeError);
  await assert.rejects(payer.fetch("not a url"), TypeError);
  const cutting = await serve((request, response) => (request.count === 1 ? challenge(response, terms([offer()])) : response.destroy()));
  await assert.rejects(payer.fetch(cutting.url, { method: "POST", body: "once" }), (error) => {
    assert.ok(error instanceof X402Error && error instanceof Error);
    assert.deepEqual([error.name, error.code, error.retryable, error.cause], ["X402Error", "payer_network_fault", false, undefined]);
    assert.equal(error.details.quote.amount, "10000");
    return true;
  });
  assert.equal(payments(cutting).length, 1);
  await cutting.stop();
});

test("the steps of a call are told in order, without a signature", async () => {
  const steps = [];
  const payer = await createPayer({ wallet: { privateKey: KEY }, onStep: (step) => { steps.push(step); throw new Error("ignored"); } });
  await payer.fetch(seller.url);
  assert.deepEqual(steps.map(({ step }) => step), ["challenge", "decision", "signed", "sent", "receipt"]);
  for (const [i, { at, call }] of steps.entries()) assert.ok(at >= (steps[i - 1]?.at ?? 0) && call === steps[0].call);
  const signature = JSON.parse(Buffer.from(payments(seller).at(-1).headers["payment-signature"], "base64")).payload.signature;
  assert.equal(JSON.stringify(steps).includes(signature.slice(2, 40)), false);
  await assert.rejects(payer.fetch(seller.url, { method: "POST", body: new Blob(["x"]).stream(), duplex: "half" }));
  assert.deepEqual(steps.slice(5).map(({ step, code }) => [step, code]), [["challenge", undefined], ["refused", "payer_body_not_replayable"]]);
});

test("explain tells what would be paid and why not, without paying", async () => {
  fresh();
  const wallet = counting();
  const payer = await createPayer({ wallet, policy: { maxPerPayment: "$0.005" } });
  const refused = await payer.explain(seller.url);
  assert.deepEqual([refused.wouldPay, refused.reason, refused.offers[0].allowed], [false, "payer_over_cap", false]);
  const rich = await createPayer({ wallet });
  const response = await fetch(seller.url);
  const accepted = await rich.explain(response);
  assert.deepEqual([accepted.wouldPay, accepted.chosen, accepted.offers[0].tokens], [true, 0, "0.01"]);
  assert.equal(accepted.offers[0].maxTimeoutSeconds, offer().maxTimeoutSeconds);
  assert.equal(await response.text(), "{}");
  assert.equal((await rich.explain(new Response("free"))).wouldPay, false);
  assert.equal(wallet.signed.length + payments(seller).length, 0);
});

test("options that are not there are refused, not ignored", async () => {
  const wallet = { privateKey: KEY };
  const wrong = [
    undefined, {}, { wallet: undefined }, { wallet: 5 }, { wallet: "0x01" }, { wallet: {} }, { wallet, store: "disk" }, { wallet, store: {} }, { wallet, owner: 1 }, { wallet, rpc: { "eip155:1": 1 } }, { wallet, redactUrl: "no" }, { wallet, fetch: 1 },
    { wallet, onStep: 1 }, { wallet, policy: 1 }, { wallet, policy: null }, { wallet, policy: { budgets: [{}] } }, { wallet, policy: { budget: [] } }, { wallet, policy: { approve: true } },
    { wallet, policy: { payTo: undefined } }, { wallet, policy: { maxPerPayment: null } }, { wallet, policy: { maxPerPayment: 0.1 } },
    { wallet, policy: { maxPerPayment: "a lot" } }, { wallet, policy: { networks: ["base"] } }, { wallet, policy: { networks: new Set() } },
    { wallet, policy: { maxValiditySeconds: 0 } }, { wallet, policy: { maxValiditySeconds: NaN } }, { wallet, policy: { maxValiditySeconds: 1e400 } },
    { wallet: { address: "0x01", signTypedData() {} } },
  ];
  for (const options of wrong) {
    await assert.rejects(createPayer(options), { name: "X402Error", code: "payer_invalid_options" }, JSON.stringify(options));
  }
  await assert.rejects(createPayer({ wallet: { privateKey: "0x00" } }), { code: "invalid_key" });
});
