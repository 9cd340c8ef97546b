//! The HTTP transport (`transports-v2/http.md`, `transports-v1/http.md`): header names, encodings, limits.
//!
//! Version 2 carries base64 of UTF-8 JSON in three headers. Version 1 asks in the response body and pays in
//! `X-PAYMENT`; its reference writes base64 of Latin-1, so what is written here for version 1 is ASCII.

use alloc::string::String;

use serde::Serialize;

use crate::error::{Code, Error, Result};
use crate::transport::base64;
use crate::types::facilitator::SettleResponse;
use crate::types::json::{self, Message};
use crate::types::payload::PaymentPayload;
use crate::types::required::{PaymentRequired, Version};

/// Server to client: the terms, version 2.
pub const PAYMENT_REQUIRED: &str = "payment-required";
/// Client to server: the payment, version 2.
pub const PAYMENT_SIGNATURE: &str = "payment-signature";
/// Server to client: the settlement, version 2.
pub const PAYMENT_RESPONSE: &str = "payment-response";
/// Client to server: the payment, version 1.
pub const X_PAYMENT: &str = "x-payment";
/// Server to client: the settlement, version 1.
pub const X_PAYMENT_RESPONSE: &str = "x-payment-response";

/// Bytes of a payment header that are read; longer ones are refused before decoding.
pub const MAX_PAYMENT_HEADER: usize = 16 * 1024;
/// Bytes of a `PAYMENT-REQUIRED` or `PAYMENT-RESPONSE` header that are read.
pub const MAX_RESPONSE_HEADER: usize = 64 * 1024;
/// Bytes of a version 1 body, or of a facilitator's message, that are read.
pub const MAX_BODY: usize = 64 * 1024;

/// Encodes a JSON text for a header.
pub fn encode(text: &str) -> String {
    base64::encode(text.as_bytes())
}

/// Decodes a header to its JSON text.
///
/// # Errors
/// `too_large` beyond `limit` bytes; `code` when it is not standard base64 of UTF-8.
pub fn decode(header: &str, limit: usize, code: Code) -> Result<String> {
    if header.len() > limit {
        return Err(Code::TooLarge.into());
    }
    let bytes = base64::decode(header).ok_or_else(|| Error::new(code, "not standard base64"))?;
    String::from_utf8(bytes).map_err(|_| Error::new(code, "not UTF-8"))
}

/// Reads the terms of a 402: the `PAYMENT-REQUIRED` header if there is one, else a version 1 body.
///
/// # Errors
/// `invalid_payment_required`, `invalid_x402_version` or `too_large`.
pub fn read_payment_required(header: Option<&str>, body: Option<&str>) -> Result<PaymentRequired> {
    const CODE: Code = Code::InvalidPaymentRequired;
    match (header, body) {
        (Some(header), _) => {
            let text = decode(header, MAX_RESPONSE_HEADER, CODE)?;
            PaymentRequired::read(&text, Version::V2)
        }
        (None, Some(body)) if body.len() > MAX_BODY => Err(Code::TooLarge.into()),
        (None, Some(body)) => PaymentRequired::read(body, Version::V1),
        (None, None) => Err(Error::new(CODE, "neither a PAYMENT-REQUIRED header nor a body")),
    }
}

/// Reads a payment header. `PAYMENT-SIGNATURE` must hold version 2 and `X-PAYMENT` version 1.
///
/// # Errors
/// `invalid_payload`, `invalid_x402_version` or `too_large`.
pub fn read_payment(header: &str, version: Version) -> Result<PaymentPayload> {
    let text = decode(header, MAX_PAYMENT_HEADER, Code::InvalidPayload)?;
    let payment = PaymentPayload::read(&text)?;
    if payment.version() == version { Ok(payment) } else { Err(Code::InvalidX402Version.into()) }
}

/// The request header that carries this payment: its name and value.
pub fn payment_header(payment: &PaymentPayload) -> (&'static str, String) {
    match payment.version() {
        Version::V2 => (PAYMENT_SIGNATURE, encode(&payment.write())),
        Version::V1 => (X_PAYMENT, encode(&ascii(&payment.write()))),
    }
}

/// The response header that carries this settlement: its name and value.
pub fn settlement_header(settlement: &SettleResponse, version: Version) -> (&'static str, String) {
    let text = settlement.write();
    match version {
        Version::V2 => (PAYMENT_RESPONSE, encode(&text)),
        Version::V1 => (X_PAYMENT_RESPONSE, encode(&ascii(&text))),
    }
}

/// Reads a settlement header of either version.
///
/// # Errors
/// `invalid_payment_response` or `too_large`.
pub fn read_settlement(header: &str) -> Result<SettleResponse> {
    let text = decode(header, MAX_RESPONSE_HEADER, Code::InvalidPaymentResponse)?;
    SettleResponse::read(&text, Code::InvalidPaymentResponse)
}

/// Encodes any message of ours for a header.
pub fn encode_message<T: Serialize + ?Sized>(message: &T) -> String {
    encode(&json::write(message))
}

/// The same JSON with every character beyond ASCII escaped.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units).iter() {
                json::escape(*unit, &mut out);
            }
        }
    }
    out
}
