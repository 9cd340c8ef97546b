//! The payer's decisions: what is refused is never signed, and what is signed is exactly the offer.

use serde_json::{Value, json};
use x402_core::client::call::Call;
use x402_core::client::choose::{Choice, choose};
use x402_core::client::intent::Intent;
use x402_core::client::policy::Policy;
use x402_core::client::receipt::receipt;
use x402_core::error::Code;
use x402_core::evm::signature::SecretKey;
use x402_core::facilitator::{self, Rules};
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::json::{Message, Verbatim};
use x402_core::types::required::{Offer, PaymentRequired, Version};

use crate::support::{NOW, PAY_TO, PAYER_KEY, offer, requirements};

const URL: &str = "https://api.example.com/api/paid?q=1";

fn terms(accepts: &[Value]) -> PaymentRequired {
    let text = json!({
        "x402Version": 2, "resource": { "url": "https://api.example.com/api/paid" }, "accepts": accepts,
        "extensions": { "bazaar": { "info": {}, "schema": {} } },
    });
    PaymentRequired::read(&text.to_string(), Version::V2).unwrap()
}

fn chosen(accepts: &[Value], policy: &Value) -> Result<Choice, Code> {
    let policy = Policy::read(&policy.to_string()).map_err(|error| error.code())?;
    choose(&terms(accepts), &policy, &Call::default(), URL, URL).map_err(|error| error.code())
}

fn with(pointer: &str, value: Value) -> Value {
    let mut changed = requirements();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

fn intent(accepts: &[Value]) -> Intent {
    let required = terms(accepts);
    let choice = choose(&required, &Policy::default(), &Call::default(), URL, URL).unwrap();
    let from = SecretKey::parse(PAYER_KEY).unwrap().address();
    Intent::new(&required, choice, &Policy::default(), from, NOW, [7; 32], URL).unwrap()
}

#[test]
fn the_cheapest_allowed_offer_is_chosen() {
    // S-263; equal dollars in eighteen decimals compare as such.
    let cheap = with("/amount", json!("1"));
    let choice = chosen(&[requirements(), cheap, requirements()], &json!({})).unwrap();
    assert_eq!(choice.terms.amount.to_string(), "1");
    let first = chosen(&[requirements(), requirements()], &json!({})).unwrap();
    assert_eq!(first.offer.verbatim.as_str(), offer(&requirements()).verbatim.as_str());
}

#[test]
fn caps_are_exact() {
    // S-261: the default cap is ten cents, to the unit.
    assert!(chosen(&[with("/amount", json!("100000"))], &json!({})).is_ok());
    assert_eq!(chosen(&[with("/amount", json!("100001"))], &json!({})).unwrap_err(), Code::PayerOverCap);
    assert!(chosen(&[with("/amount", json!("100001"))], &json!({ "maxPerPayment": "$0.100001" })).is_ok());
    assert_eq!(
        chosen(&[requirements()], &json!({ "maxPerPayment": "$0.0099999999" })).unwrap_err(),
        Code::PayerOverCap
    );
    assert_eq!(chosen(&[requirements()], &json!({ "maxPerPayment": "0" })).unwrap_err(), Code::PayerOverCap);
    for bad in [
        json!({ "maxPerPayment": "ten" }),
        json!({ "maxPerPayment": 1 }),
        json!({ "maxPerPaymnet": "$1" }),
        json!({ "maxValiditySeconds": 0 }),
        json!([]),
    ] {
        assert_eq!(chosen(&[requirements()], &bad).unwrap_err(), Code::PayerConfig, "{bad}");
    }
}

#[test]
fn offers_outside_the_policy_are_refused() {
    let refused = |accepts: Value, policy: Value| chosen(&[accepts], &policy).unwrap_err();
    // S-265, S-266, S-268, S-269, S-270
    assert_eq!(refused(requirements(), json!({ "networks": ["eip155:8453"] })), Code::PayerNetworkNotAllowed);
    assert_eq!(
        refused(requirements(), json!({ "payTo": ["0x209693Bc6afc0C5328bA36FaF03C514EF312287C"] })),
        Code::PayerPayToNotAllowed
    );
    assert_eq!(refused(with("/maxTimeoutSeconds", json!(0)), json!({})), Code::PayerValidity);
    assert_eq!(refused(with("/extra/name", json!("Evil")), json!({})), Code::PayerDomainMismatch);
    assert_eq!(refused(with("/asset", json!(PAY_TO)), json!({})), Code::PayerAssetNotAllowed);
    assert_eq!(
        refused(with("/asset", json!("0x000000000022D473030F116dDEE9F6B43aC78BA3")), json!({})),
        Code::PayerAssetNotAllowed
    );
    assert_eq!(refused(with("/scheme", json!("upto")), json!({})), Code::UnsupportedScheme);
    assert_eq!(
        refused(with("/extra", json!({ "name": "USDC", "version": "2", "assetTransferMethod": "permit2" })), json!({})),
        Code::UnsupportedScheme
    );
    assert_eq!(refused(with("/extra", json!(null)), json!({})), Code::ExactEvmMissingDomain);
    // S-262, S-265: what cannot be read is not paid either.
    for strange in [
        with("/amount", json!("0xffffff")),
        with("/amount", json!(1)),
        with("/network", json!("eip155:084532")),
        with("/maxTimeoutSeconds", json!("60")),
    ] {
        assert_eq!(refused(strange, json!({})), Code::PayerNothingAcceptable);
    }
    let mixed = chosen(&[with("/scheme", json!("upto")), with("/asset", json!(PAY_TO))], &json!({})).unwrap_err();
    assert_eq!(mixed, Code::PayerNothingAcceptable);
}

#[test]
fn s259_s260_only_the_origin_that_was_asked_is_paid() {
    let policy = Policy::default();
    let code = |asked, answered| {
        choose(&terms(&[requirements()]), &policy, &Call::default(), asked, answered).unwrap_err().code()
    };
    assert_eq!(code("http://api.example.com/", "http://api.example.com/"), Code::PayerInsecure);
    assert_eq!(code("https://api.example.com/", "http://api.example.com/"), Code::PayerInsecure);
    assert_eq!(code("https://api.example.com/", "https://evil.example/"), Code::PayerRedirected);
    assert_eq!(code("https://api.example.com/", "https://api.example.com:8443/"), Code::PayerRedirected);
    choose(&terms(&[requirements()]), &policy, &Call::default(), "http://localhost:1/a", "http://localhost:1/b")
        .unwrap();
}

#[test]
fn s288_version_1_is_paid_only_when_allowed() {
    let offer = json!({
        "scheme": "exact", "network": "base-sepolia", "maxAmountRequired": "10000", "resource": "https://api.example.com/x",
        "description": "", "mimeType": "", "payTo": PAY_TO, "maxTimeoutSeconds": 60,
        "asset": requirements()["asset"], "extra": { "name": "USDC", "version": "2" },
    });
    let text = json!({ "x402Version": 1, "error": "pay", "accepts": [offer] }).to_string();
    let required = PaymentRequired::read(&text, Version::V1).unwrap();
    let code = choose(&required, &Policy::default(), &Call::default(), URL, URL).unwrap_err().code();
    assert_eq!(code, Code::PayerVersionNotAllowed);
    let policy = Policy { v1: true, ..Policy::default() };
    let choice = choose(&required, &policy, &Call::default(), URL, URL).unwrap();
    let key = SecretKey::parse(PAYER_KEY).unwrap();
    let intent = Intent::new(&required, choice, &policy, key.address(), NOW, [7; 32], URL).unwrap();
    let signature = key.sign(&intent.typed_data.digest());
    let payment = intent.seal(&signature.to_bytes()).unwrap();
    assert!(payment.write().contains(r#""network":"base-sepolia""#));
    let offer = Offer::read(required.offers[0].verbatim.clone(), Version::V1, Code::InvalidPayload).unwrap();
    facilitator::check(&payment, &offer, NOW, &Rules::default()).unwrap();
}

#[test]
fn what_is_signed_is_the_offer() {
    let intent = intent(&[requirements()]);
    let document: Value = serde_json::from_str(&intent.typed_data.write()).unwrap();
    assert_eq!(document["primaryType"], "TransferWithAuthorization");
    assert_eq!(
        document["domain"],
        json!({ "name": "USDC", "version": "2", "chainId": 84_532, "verifyingContract": requirements()["asset"] })
    );
    assert_eq!(document["message"]["value"], "10000");
    assert_eq!(document["message"]["to"], PAY_TO);
    assert_eq!(document["message"]["validAfter"], (NOW.0 - 60).to_string());
    assert_eq!(document["message"]["validBefore"], (NOW.0 + 300).to_string());
    assert_eq!(intent.quote.sentence, format!("Pay 0.01 USDC on eip155:84532 to {PAY_TO} for {URL}"));

    let key = SecretKey::parse(PAYER_KEY).unwrap();
    let signature = key.sign(&intent.typed_data.digest());
    let payment = intent.seal(&signature.to_bytes()).unwrap();
    facilitator::check(&payment, &offer(&requirements()), NOW, &Rules::default()).unwrap();
    let written = payment.write();
    assert!(written.contains(&requirements().to_string()), "the offer is echoed");
    assert!(written.contains(r#""bazaar":{"info":{},"schema":{}}"#), "extensions are echoed");
    assert!(written.contains(r#""resource":{"url":"https://api.example.com/api/paid"}"#), "the resource is echoed");
}

#[test]
fn s104_s268_validity_is_capped_and_randomness_is_wanted() {
    let required = terms(&[with("/maxTimeoutSeconds", json!(315_360_000))]);
    let choice = choose(&required, &Policy::default(), &Call::default(), URL, URL).unwrap();
    let from = SecretKey::parse(PAYER_KEY).unwrap().address();
    let intent = Intent::new(&required, choice.clone(), &Policy::default(), from, NOW, [7; 32], URL).unwrap();
    assert_eq!(intent.quote.valid_before, (NOW.0 + 600).to_string());
    // S-104: randomness that is none.
    let error = Intent::new(&required, choice, &Policy::default(), from, NOW, [0; 32], URL).unwrap_err();
    assert_eq!(error.code(), Code::PayerNoRandomness);
}

#[test]
fn s280_large_extensions_are_not_echoed() {
    let text = json!({ "x402Version": 2, "accepts": [requirements()], "extensions": { "x": "y".repeat(20_000) } });
    let required = PaymentRequired::read(&text.to_string(), Version::V2).unwrap();
    let choice = choose(&required, &Policy::default(), &Call::default(), URL, URL).unwrap();
    let key = SecretKey::parse(PAYER_KEY).unwrap();
    let intent = Intent::new(&required, choice, &Policy::default(), key.address(), NOW, [7; 32], URL).unwrap();
    let signature = key.sign(&intent.typed_data.digest());
    assert!(!intent.seal(&signature.to_bytes()).unwrap().write().contains("yyy"));
}

#[test]
fn s285_only_the_payer_s_own_signature_is_sent() {
    let key = SecretKey::parse(PAYER_KEY).unwrap();
    let good = key.sign(&intent(&[requirements()]).typed_data.digest()).to_bytes();
    let mut compact = good[..64].to_vec();
    compact[32] |= (good[64] - 27) << 7;
    let sealed = intent(&[requirements()]).seal(&compact).unwrap();
    assert_eq!(sealed.write(), intent(&[requirements()]).seal(&good).unwrap().write(), "one form leaves");
    let other = SecretKey::parse(crate::support::RELAYER_KEY).unwrap();
    let foreign = other.sign(&intent(&[requirements()]).typed_data.digest()).to_bytes();
    let another = key.sign(&[1; 32]).to_bytes();
    for bad in [&foreign[..], &another[..], &good[..64], &[], &[0; 65], &[1; 200]] {
        let error = intent(&[requirements()]).seal(bad).unwrap_err();
        assert_eq!(error.code(), Code::PayerWalletMismatch);
    }
}

#[test]
fn s277_receipts_are_held_against_what_was_signed() {
    let quote = intent(&[requirements()]).quote;
    let hash = format!("0x{}", "12".repeat(32));
    let good = SettleResponse::settled(quote.payer.to_lowercase(), hash, "eip155:84532".into());
    assert!(receipt(good.clone(), &quote).consistent);
    assert!(receipt(SettleResponse { network: "base-sepolia".into(), ..good.clone() }, &quote).consistent);
    for bad in [
        SettleResponse { transaction: "0xfake".into(), ..good.clone() },
        SettleResponse { network: "eip155:8453".into(), ..good.clone() },
        SettleResponse { payer: Some(PAY_TO.into()), ..good.clone() },
        SettleResponse { amount: Some(1_000_000_u64.into()), ..good },
    ] {
        assert!(!receipt(bad.clone(), &quote).consistent, "{bad:?}");
    }
    let nothing = Verbatim::parse("{}", Code::InvalidPaymentResponse).unwrap();
    assert!(nothing.read::<SettleResponse>(Code::InvalidPaymentResponse).is_err());
}
