//! `payment`: a payment header of any bytes, through the decoder and through the whole of the gate's admission.
//!
//! Input: a byte of choices, then the header (raw, or as the JSON it encodes).

use x402_core::error::Code;
use x402_core::server::gate::{Answer, Facts, Gate, Step};
use x402_core::transport::http;
use x402_core::types::payload::PaymentPayload;
use x402_core::types::required::Version;

use super::Bytes;
use super::world::{NOW, base64, gate, genuine, header, unbase64};

/// Choice bits of the first byte.
pub const V1: u8 = 1;
pub const RAW: u8 = 2;
pub const ITEM: u8 = 4;
const BOTH: u8 = 8;
const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "PROPFIND"];

pub fn payment(data: &[u8]) -> bool {
    let mut bytes = Bytes(data);
    let choices = bytes.byte();
    let text = bytes.text();
    let value = if choices & RAW == 0 { base64(&text) } else { text };
    let version = if choices & V1 == 0 { Version::V2 } else { Version::V1 };
    decoded(&value, version);

    let of = &genuine()[usize::from(choices & ITEM != 0)];
    let method = METHODS[usize::from(choices >> 4) % METHODS.len()];
    let mut facts = Facts { method, path: of.path, ..Facts::default() };
    let both = choices & BOTH != 0;
    if version == Version::V2 || both {
        facts.payment_signature = Some(&value);
    }
    if version == Version::V1 || both {
        facts.x_payment = Some(&value);
    }
    match gate().admit(&facts, NOW) {
        Step::Answer(answer) => {
            refused(&answer, of.path, method == "HEAD");
            false
        }
        Step::Pay(sale) => {
            assert!(!both, "two payments are not one");
            assert_eq!(sale.checked.call(), of.call, "only what the payer signed may be settled");
            assert_eq!(sale.path, of.path);
            if let PaymentPayload::V2(v2) = &sale.payment {
                // What another facilitator will be sent says in every reading what was offered.
                let accepted: serde_json::Value = serde_json::from_str(&strip_raw(v2.accepted.as_str())).unwrap();
                assert_eq!(accepted["extra"]["name"], "USDC");
                assert_eq!(accepted["extra"]["version"], "2");
            }
            assert_eq!(sale.offer.terms.pay_to, "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC");
            let gate: &Gate = gate();
            for code in [Code::ExactEvmNonceUsed, Code::ExactEvmInsufficientBalance] {
                refused(&gate.refused(&sale, code), of.path, method == "HEAD");
            }
            let pending = gate.pending(&sale, String::new());
            assert_eq!(pending.status, 503);
            clean(&pending);
            true
        }
        Step::Forward(_) | Step::Facilitator(_) | Step::Own(_) | Step::Enter(_) => panic!("a paid path is not paid"),
    }
}

/// What was read can be written and read again.
fn decoded(value: &str, version: Version) {
    let Ok(payment) = http::read_payment(value, version) else { return };
    assert_eq!(payment.version(), version);
    let (name, again) = http::payment_header(&payment);
    assert_eq!(name, if version == Version::V2 { http::PAYMENT_SIGNATURE } else { http::X_PAYMENT });
    assert!(value.len() <= http::MAX_PAYMENT_HEADER);
    // Escaping for version 1 may make a text longer than what is read.
    if again.len() <= http::MAX_PAYMENT_HEADER {
        let reread = http::read_payment(&again, version).expect("our own header is readable");
        assert_eq!(http::payment_header(&reread).1, again);
    }
}

/// The text with serde_json's own key made an ordinary one, as it is to every other reader.
fn strip_raw(text: &str) -> String {
    text.replace("$serde_json::private::RawValue", "ordinary")
}

/// A refusal says why by a code of ours and repeats nothing of what was sent.
fn refused(answer: &Answer, path: &str, head: bool) {
    assert!([400, 402, 431].contains(&answer.status), "{answer:?}");
    clean(answer);
    assert!(header(answer, "cache-control").is_some_and(|value| value.contains("no-store")));
    if answer.status == 402 {
        let terms = unbase64(header(answer, http::PAYMENT_REQUIRED).expect("a 402 has terms"));
        let terms: serde_json::Value = serde_json::from_str(&terms).unwrap();
        assert!(Code::parse(terms["error"].as_str().unwrap()).is_some());
        assert_eq!(terms["resource"]["url"], ["https://shop.example", path].concat());
    } else {
        assert!(header(answer, http::PAYMENT_REQUIRED).is_none());
    }
    if head && answer.status == 402 {
        assert_eq!(answer.body, "");
    } else {
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert!(Code::parse(body["error"].as_str().unwrap()).is_some());
    }
}

/// Header values that no client or proxy can read as more than one header.
pub fn clean(answer: &Answer) {
    for header in &answer.headers {
        let plain = header.value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        assert!(plain, "{header:?}");
    }
}
