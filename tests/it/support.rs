//! What several tests need: vectors, a gate, and payments signed with anvil's first key.

use serde_json::{Value, json};
use x402_core::error::Code;
use x402_core::evm::hex;
use x402_core::evm::signature::SecretKey;
use x402_core::scheme::exact::evm::{Payload, Terms, authorize};
use x402_core::server::config::Config;
use x402_core::server::gate::Gate;
use x402_core::transport::http;
use x402_core::types::json::{Message, Verbatim};
use x402_core::types::payload::PaymentPayload;
use x402_core::types::required::{Offer, Version};
use x402_core::types::time::UnixSeconds;

/// The first account of anvil's mnemonic.
pub(crate) const PAYER_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// The second: the relayer.
pub(crate) const RELAYER_KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
/// The third: who is paid.
pub(crate) const PAY_TO: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
/// Base Sepolia's USDC.
pub(crate) const USDC: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
/// A time of no significance.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// A vector file of `tests/vectors`.
pub(crate) fn vector(text: &str) -> Value {
    serde_json::from_str(text).expect("a vector file is JSON")
}

/// A string of a vector.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}"))
}

/// The secrets of the test gate.
pub(crate) fn secrets(name: &str) -> Option<String> {
    match name {
        "RELAYER" => Some(RELAYER_KEY.into()),
        "TOKEN" => Some("sixteen characters".into()),
        _ => None,
    }
}

/// A configuration that is valid; tests change it.
pub(crate) fn config() -> Value {
    json!({
        "publicOrigin": "https://api.example.com",
        "origin": { "url": "https://origin.example.net" },
        "payTo": PAY_TO,
        "networks": { "eip155:84532": { "rpc": ["http://127.0.0.1:8545"], "facilitator": "embedded", "relayer": "secret:RELAYER" } },
        "default": "free",
        "facilitatorApi": { "prefix": "/facilitator", "token": "secret:TOKEN" },
        "routes": [
            { "match": "GET /api/health", "free": true },
            { "match": "GET /api/paid", "price": "$0.01", "description": "A word", "mimeType": "application/json" },
            { "match": "POST /api/paid", "price": "$0.05" },
            { "match": "GET /api/item/:id", "price": "$0.02" },
            { "match": "/files/*", "price": "1 USDC" },
            { "match": "GET /public/*", "free": true },
        ],
    })
}

/// The gate of a configuration.
pub(crate) fn gate(config: &Value) -> Gate {
    Gate::new(Config::read(&config.to_string(), &secrets).unwrap()).unwrap()
}

/// The offer of a JSON text.
pub(crate) fn offer(requirements: &Value) -> Offer {
    let verbatim = Verbatim::parse(&requirements.to_string(), Code::InvalidPaymentRequired).unwrap();
    Offer::read(verbatim, Version::V2, Code::InvalidPaymentRequired).unwrap()
}

/// The requirements that the test gate asks for on `GET /api/paid`.
pub(crate) fn requirements() -> Value {
    json!({
        "scheme": "exact", "network": "eip155:84532", "amount": "10000", "asset": USDC, "payTo": PAY_TO,
        "maxTimeoutSeconds": 300, "extra": { "name": "USDC", "version": "2" },
    })
}

/// A payment's JSON, honestly made for these requirements at [`NOW`].
pub(crate) fn payment(requirements: &Value) -> Value {
    let offer = offer(requirements);
    let terms = Terms::read(&offer.terms).unwrap();
    let key = SecretKey::parse(PAYER_KEY).unwrap();
    let authorization = authorize(&terms, key.address(), NOW, 600, [7; 32]).unwrap();
    let digest = authorization.typed_data(terms.domain).digest();
    let signature = key.sign(&digest).to_bytes().to_vec();
    let payload: Value = serde_json::from_str(&Payload { authorization, signature }.write()).unwrap();
    json!({ "x402Version": 2, "payload": payload, "accepted": requirements })
}

/// The same payment after its payload was changed and signed anew.
pub(crate) fn signed_with(requirements: &Value, change: impl Fn(&mut Value)) -> Value {
    let mut payment = payment(requirements);
    change(&mut payment["payload"]["authorization"]);
    let payload = Verbatim::parse(&payment["payload"].to_string(), Code::InvalidPayload).unwrap();
    let authorization = Payload::read(&payload).unwrap().authorization;
    let domain = Terms::read(&offer(requirements).terms).unwrap().domain;
    let digest = authorization.typed_data(domain).digest();
    let signature = SecretKey::parse(PAYER_KEY).unwrap().sign(&digest);
    payment["payload"]["signature"] = hex::encode(&signature.to_bytes()).into();
    payment
}

/// A payment as the facilitator reads it.
pub(crate) fn read_payment(payment: &Value) -> PaymentPayload {
    PaymentPayload::read(&payment.to_string()).unwrap()
}

/// A payment as a header.
pub(crate) fn header(payment: &Value) -> String {
    http::encode(&payment.to_string())
}
