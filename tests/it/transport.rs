//! The HTTP transport: one value has one text, and limits come before work.

use serde_json::json;
use x402_core::error::Code;
use x402_core::transport::http::{self, MAX_PAYMENT_HEADER};
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::json::Verbatim;
use x402_core::types::payload::{PaymentPayload, PaymentPayloadV1};
use x402_core::types::required::Version;

use crate::support::{header, payment, requirements};

#[test]
fn headers_are_standard_base64_of_utf8() {
    assert_eq!(http::encode("é€😀"), "w6nigqzwn5iA");
    let decode = |text: &str| http::decode(text, 100, Code::InvalidPayload);
    assert_eq!(decode("eyJ9").unwrap(), "{\"}");
    assert_eq!(decode("YQ==").unwrap(), "a");
    assert_eq!(decode("YQ").unwrap(), "a");
    // S-035, S-036, S-037: another alphabet, unused bits, space, comma, misplaced padding, bytes that are not UTF-8.
    for bad in ["eyJ-", "YR==", "Y Q=", "YQ==\n", "YQ==,YQ==", "=YQ=", "YQ===", "Y", "/w==", "YQ%3D%3D"] {
        assert_eq!(decode(bad).unwrap_err().code(), Code::InvalidPayload, "{bad}");
    }
    // S-040: the limit comes before the decoding.
    assert_eq!(decode(&"A".repeat(101)).unwrap_err().code(), Code::TooLarge);
}

#[test]
fn a_payment_survives_its_header_to_the_byte() {
    let payment = payment(&requirements());
    let read = http::read_payment(&header(&payment), Version::V2).unwrap();
    let (name, value) = http::payment_header(&read);
    assert_eq!(name, "payment-signature");
    let again = http::decode(&value, MAX_PAYMENT_HEADER, Code::InvalidPayload).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&again).unwrap(), payment);
    assert!(again.contains(&payment["accepted"].to_string()));
}

#[test]
fn versions_keep_to_their_headers() {
    let v2 = header(&payment(&requirements()));
    assert_eq!(http::read_payment(&v2, Version::V1).unwrap_err().code(), Code::InvalidX402Version);
    for version in [json!(0), json!(3), json!(-1), json!("2"), json!(null), json!(2.5)] {
        let mut other = payment(&requirements());
        other["x402Version"] = version;
        let code = http::read_payment(&header(&other), Version::V2).unwrap_err().code();
        assert!([Code::InvalidX402Version, Code::InvalidPayload].contains(&code), "{other}");
    }
}

#[test]
fn version_1_writes_ascii() {
    let payload = Verbatim::parse(r#"{"note":"é😀"}"#, Code::InvalidPayload).unwrap();
    let payment = PaymentPayload::V1(PaymentPayloadV1 {
        x402_version: 1,
        scheme: "exact".into(),
        network: "base".into(),
        payload,
    });
    let (name, value) = http::payment_header(&payment);
    assert_eq!(name, "x-payment");
    let text = http::decode(&value, 1000, Code::InvalidPayload).unwrap();
    assert!(text.contains(r#"{"note":"\u00e9\ud83d\ude00"}"#), "{text}");
}

#[test]
fn settlements_are_read_whatever_else_they_hold() {
    let settled = SettleResponse::settled("0xabc".into(), "0xdef".into(), "eip155:84532".into());
    let (name, value) = http::settlement_header(&settled, Version::V2);
    assert_eq!(name, "payment-response");
    assert_eq!(http::read_settlement(&value).unwrap(), settled);
    let foreign =
        json!({ "success": true, "transaction": "0x1", "network": "base", "payer": null, "requirements": {} });
    assert_eq!(http::read_settlement(&http::encode(&foreign.to_string())).unwrap().payer, None);
    for bad in ["", "!", "e30=", &http::encode(r#"{"success":"true","transaction":"","network":""}"#)] {
        assert_eq!(http::read_settlement(bad).unwrap_err().code(), Code::InvalidPaymentResponse, "{bad}");
    }
}

#[test]
fn terms_come_from_the_header_before_the_body() {
    let v2 = json!({ "x402Version": 2, "accepts": [requirements()] }).to_string();
    let v1 = json!({ "x402Version": 1, "accepts": [], "error": "pay" }).to_string();
    let read = http::read_payment_required(Some(&http::encode(&v2)), Some(&v1)).unwrap();
    assert_eq!((read.version, read.offers.len()), (Version::V2, 1));
    assert_eq!(http::read_payment_required(None, Some(&v1)).unwrap().version, Version::V1);
    // A version 2 object is not read from a body, nor anything from nothing.
    assert_eq!(http::read_payment_required(None, Some(&v2)).unwrap_err().code(), Code::InvalidX402Version);
    assert_eq!(http::read_payment_required(None, None).unwrap_err().code(), Code::InvalidPaymentRequired);
    let huge = " ".repeat(http::MAX_BODY + 1);
    assert_eq!(http::read_payment_required(None, Some(&huge)).unwrap_err().code(), Code::TooLarge);
}
