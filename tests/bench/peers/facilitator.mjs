// A facilitator that answers at once and always yes: what is left is the gate's own work. It is a Worker in the same
// workerd, so both sides reach it at the same price.
const json = (value) => new Response(JSON.stringify(value), { headers: { "content-type": "application/json" } });

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/supported") {
      return json({ kinds: [{ x402Version: 2, scheme: "exact", network: "eip155:84532" }], extensions: [], signers: {} });
    }
    const { paymentPayload, paymentRequirements } = await request.json();
    const payer = paymentPayload.payload.authorization.from;
    if (pathname === "/verify") return json({ isValid: true, payer });
    const transaction = paymentPayload.payload.authorization.nonce; // any 32 bytes, a different one each time
    return json({ success: true, payer, transaction, network: paymentRequirements.network });
  },
};
