//! `payment_required` and `settlement`: what a hostile server can make a payer sign and believe.
//!
//! Input of both: a byte of choices, then a header (raw, or as the JSON it encodes) or a version 1 body.

use std::cmp::Ordering;

use serde_json::Value;
use x402_core::client::call::Call;
use x402_core::client::choose::{Choice, choose, judge};
use x402_core::client::intent::Intent;
use x402_core::client::policy::{Policy, Token};
use x402_core::client::receipt::receipt;
use x402_core::scheme::exact::evm::Terms;
use x402_core::transport::http;
use x402_core::types::asset::{ASSETS, TransferMethod};
use x402_core::types::json::Message;
use x402_core::types::payload::PaymentPayload;
use x402_core::types::required::{MAX_OFFERS, PaymentRequired, Version};

use super::world::{NOW, base64, genuine, payer, unbase64};
use super::{Bytes, digits};

pub const RAW: u8 = 1;
pub const BODY: u8 = 2;
const PINNED: u8 = 4;
const URL: &str = "https://shop.example/api/paid";

pub fn payment_required(data: &[u8]) -> bool {
    let mut bytes = Bytes(data);
    let choices = bytes.byte();
    let text = bytes.text();
    let required = if choices & BODY != 0 {
        http::read_payment_required(None, Some(&text))
    } else if choices & RAW != 0 {
        http::read_payment_required(Some(&text), None)
    } else {
        http::read_payment_required(Some(&base64(&text)), None)
    };
    let Ok(required) = required else { return false };
    assert!(required.offers.len() <= MAX_OFFERS);
    assert_eq!(required.version == Version::V1, choices & BODY != 0);
    if required.version == Version::V1 {
        assert!(
            choose(&required, &Policy::default(), &Call::default(), URL, URL).is_err(),
            "version 1 is off by default"
        );
    }
    for (asked, answered) in [("http://shop.example/", "http://shop.example/"), (URL, "https://evil.example/")] {
        let policy = Policy { v1: true, ..Policy::default() };
        assert!(choose(&required, &policy, &Call::default(), asked, answered).is_err());
    }
    let pinned = r#"{ "maxPerPayment": "$0.05", "networks": ["eip155:84532"], "maxValiditySeconds": 30, "v1": true,
        "payTo": ["0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"] }"#;
    let (policy, cents, seconds) = match choices & PINNED {
        0 => (Policy { v1: true, ..Policy::default() }, "0.10", 600),
        _ => (Policy::read(pinned).unwrap(), "0.05", 30),
    };
    let Ok(choice) = choose(&required, &policy, &Call::default(), URL, URL) else { return false };
    cheapest(&required, &choice, &policy);
    signed(&required, choice, &policy, cents, seconds);
    true
}

/// No other offer that the policy allows costs less.
fn cheapest(required: &PaymentRequired, choice: &Choice, policy: &Policy) {
    let dollars = |of: &Terms, token: &Token| digits::atomic(&of.amount.to_tokens(token.decimals), 18).unwrap();
    let least = dollars(&choice.terms, &choice.asset);
    assert_eq!(choice.price.to_string(), least);
    for (terms, token, _) in
        required.offers.iter().filter_map(|offer| judge(offer, policy, &Call::default()).verdict.ok())
    {
        assert_ne!(digits::compare(&dollars(&terms, &token), &least), Ordering::Less);
    }
}

/// What would be signed, read again from the wallet's document and from the server's own text.
fn signed(required: &PaymentRequired, choice: Choice, policy: &Policy, cents: &str, seconds: u64) {
    let offered: Value = serde_json::from_str(choice.offer.verbatim.as_str()).unwrap();
    let verbatim = choice.offer.verbatim.as_str().to_owned();
    let intent = Intent::new(required, choice, policy, payer().address(), NOW, [0x77; 32], URL).unwrap();
    let document: Value = serde_json::from_str(&intent.typed_data.write()).unwrap();
    let (domain, message) = (&document["domain"], &document["message"]);
    assert_eq!(document["primaryType"], "TransferWithAuthorization");

    let contract = domain["verifyingContract"].as_str().unwrap();
    let asset = ASSETS.iter().find(|asset| asset.chain_id == domain["chainId"] && asset.address == contract);
    let asset = asset.expect("only known assets are signed for");
    assert_eq!(asset.method, TransferMethod::Eip3009);
    assert_eq!((domain["name"].as_str(), domain["version"].as_str()), (Some(asset.name), Some(asset.version)));

    let value = message["value"].as_str().unwrap();
    let cap = digits::atomic(cents, asset.decimals).unwrap();
    assert_ne!(digits::compare(value, &cap), Ordering::Greater, "{value} is above the cap");
    let amount = if required.version == Version::V1 { "maxAmountRequired" } else { "amount" };
    assert_eq!(offered[amount], value);
    let pay_to = message["to"].as_str().unwrap();
    assert!(offered["payTo"].as_str().unwrap().eq_ignore_ascii_case(pay_to));
    if policy.pay_to.is_some() {
        assert_eq!(pay_to, "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC");
        assert_eq!(domain["chainId"], 84_532);
    }
    let time = |key: &str| message[key].as_str().unwrap().parse::<u64>().unwrap();
    assert!(time("validBefore") > NOW.0 && time("validBefore") <= NOW.0 + seconds);
    assert!(time("validAfter") >= NOW.0 - 60 && time("validAfter") < NOW.0);
    assert_eq!(message["from"], payer().address().to_string());

    let signature = payer().sign(&intent.typed_data.digest());
    assert!(intent.clone().seal(&[0; 65]).is_err(), "another signature is not put to it");
    let Ok(payment) = intent.seal(&signature.to_bytes()) else { return };
    let (_, header) = http::payment_header(&payment);
    if let Ok(read) = http::read_payment(&header, required.version)
        && let PaymentPayload::V2(v2) = read
    {
        assert_eq!(v2.accepted.as_str(), verbatim, "the offer is echoed to the byte");
    }
}

pub fn settlement(data: &[u8]) -> bool {
    let mut bytes = Bytes(data);
    let raw = bytes.byte() & RAW != 0;
    let text = bytes.text();
    let header = if raw { text } else { base64(&text) };
    let Ok(settlement) = http::read_settlement(&header) else { return false };
    for version in [Version::V1, Version::V2] {
        let (_, again) = http::settlement_header(&settlement, version);
        if version == Version::V1 {
            assert!(unbase64(&again).is_ascii());
        }
        if again.len() <= http::MAX_RESPONSE_HEADER {
            assert_eq!(http::read_settlement(&again).as_ref(), Ok(&settlement));
        }
    }
    let quote = &genuine()[0].quote;
    let told = receipt(settlement.clone(), quote);
    assert_eq!(told.success, settlement.success);
    let hash = settlement.transaction.strip_prefix("0x").filter(|hash| hash.len() == 64);
    let is_hash =
        |hash: &str| hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && hash.bytes().any(|byte| byte != b'0');
    let named = hash.is_some_and(is_hash);
    assert_eq!(told.transaction, if named { settlement.transaction.as_str() } else { "" });
    let printable = |text: &str| text.len() <= 100 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    assert!(told.error_reason.as_deref().is_none_or(printable));
    assert_eq!((&told.pay_to, &told.amount), (&quote.pay_to, &quote.amount), "what was signed does not change");
    if told.consistent {
        assert!(["eip155:84532", "base-sepolia"].contains(&settlement.network.as_str()));
        let payer = settlement.payer.unwrap_or_else(|| quote.payer.clone());
        assert_eq!(payer.to_lowercase(), quote.payer.to_lowercase());
        if let Some(amount) = settlement.amount {
            assert_ne!(digits::compare(&amount.to_string(), &quote.amount), Ordering::Greater);
        }
        assert!(named || !told.success);
    }
    told.consistent && told.success
}
