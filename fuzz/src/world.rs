//! The fixed shop every target stands in: one gate, one payer, one genuine payment per price.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x402_core::client::call::Call;
use x402_core::client::choose::choose;
use x402_core::client::intent::{Intent, Quote};
use x402_core::client::policy::Policy;
use x402_core::evm::signature::SecretKey;
use x402_core::facilitator::{Checked, SettleCall};
use x402_core::server::config::Config;
use x402_core::server::gate::{Answer, Facts, Gate, Step};
use x402_core::transport::http;
use x402_core::types::json::Message;
use x402_core::types::payload::PaymentPayload;
use x402_core::types::required::Version;
use x402_core::types::time::UnixSeconds;

pub const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
pub const RELAYER_KEY: [u8; 32] = [0x22; 32];
pub const TOKEN: &str = "a token of the shop";

/// Everything that is not sold is free: the configuration with the most to lose.
pub const CONFIG: &str = r#"{
  "publicOrigin": "https://shop.example",
  "origin": { "url": "https://origin.example" },
  "payTo": "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
  "networks": {
    "eip155:84532": { "rpc": ["secret:RPC_URL"], "facilitator": "embedded", "relayer": "secret:RELAYER_KEY" },
    "eip155:8453": { "facilitator": [{ "url": "https://facilitator.example", "headers": { "authorization": "secret:TOKEN" } }] }
  },
  "default": "free",
  "routes": [
    { "match": "GET /free", "free": true },
    { "match": "/api/paid", "price": "$0.01", "description": "A quote", "mimeType": "application/json" },
    { "match": "/api/item/:id", "price": { "amount": "20000" }, "networks": ["eip155:84532"], "maxTimeoutSeconds": 60 },
    { "match": "GET /api/dear", "price": "$0.09" },
    { "match": "/all/free/*", "free": true },
    { "match": "/all/*", "price": "$0.03" }
  ],
  "cors": { "origins": ["*"] },
  "facilitatorApi": { "prefix": "/facilitator", "token": "secret:TOKEN" }
}"#;

pub fn secret(name: &str) -> Option<String> {
    match name {
        "RPC_URL" => Some("http://127.0.0.1:8545".into()),
        "RELAYER_KEY" => Some("22".repeat(32)),
        "TOKEN" => Some(TOKEN.into()),
        _ => None,
    }
}

pub fn gate() -> &'static Gate {
    static GATE: OnceLock<Gate> = OnceLock::new();
    GATE.get_or_init(|| Gate::new(Config::read(CONFIG, &secret).unwrap()).unwrap())
}

pub fn payer() -> SecretKey {
    SecretKey::from_bytes(&[0x11; 32]).unwrap()
}

/// A payment this shop's payer really signed.
pub struct Genuine {
    pub path: &'static str,
    pub v2: String,
    pub v1: String,
    /// What settles it: nothing else may ever be sent to the chain.
    pub call: SettleCall,
    pub checked: Checked,
    pub quote: Quote,
}

/// The payments for both sold paths.
pub fn genuine() -> &'static [Genuine; 2] {
    static GENUINE: OnceLock<[Genuine; 2]> = OnceLock::new();
    GENUINE.get_or_init(|| ["/api/paid", "/api/item/7"].map(pay))
}

/// The 402 for a path.
pub fn unpaid(path: &str) -> Answer {
    let step = gate().admit(&Facts { method: "GET", path, ..Facts::default() }, NOW);
    let Step::Answer(answer) = step else { panic!("{path} is free") };
    answer
}

pub fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|header| header.name == name).map(|header| &*header.value)
}

fn pay(path: &'static str) -> Genuine {
    let answer = unpaid(path);
    let policy = Policy { v1: true, ..Policy::default() };
    let sign = |header: Option<&str>, body: Option<&str>| {
        let url = ["https://shop.example", path].concat();
        let required = http::read_payment_required(header, body).unwrap();
        let choice = choose(&required, &policy, &Call::default(), &url, &url).unwrap();
        let intent = Intent::new(&required, choice, &policy, payer().address(), NOW, [0x77; 32], &url).unwrap();
        let signature = payer().sign(&intent.typed_data.digest());
        let quote = intent.quote.clone();
        (intent.seal(&signature.to_bytes()).unwrap(), quote)
    };
    let (v2, quote) = sign(header(&answer, http::PAYMENT_REQUIRED), None);
    let (v1, _) = sign(None, Some(&answer.body));
    let checked = admitted(path, &v2);
    let call = checked.call();
    assert_eq!(call, admitted(path, &v1).call());
    Genuine { path, v2: v2.write(), v1: v1.write(), call, checked, quote }
}

fn admitted(path: &str, payment: &PaymentPayload) -> Checked {
    let (_, value) = http::payment_header(payment);
    let value = Some(value.as_str());
    let facts = match payment.version() {
        Version::V2 => Facts { method: "GET", path, payment_signature: value, ..Facts::default() },
        Version::V1 => Facts { method: "GET", path, x_payment: value, ..Facts::default() },
    };
    match gate().admit(&facts, NOW) {
        Step::Pay(sale) => sale.checked,
        other => panic!("a genuine payment is not taken: {other:?}"),
    }
}

pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

pub fn unbase64(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}
