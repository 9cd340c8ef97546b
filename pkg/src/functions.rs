//! The protocol as functions on text: decode and encode of each message, hash, recover, verify.

use alloc::string::String;
use wasm_bindgen::prelude::*;
use x402_core::client::request::read_terms;
use x402_core::error::{Code, Error};
use x402_core::evm::eip712::TypedData;
use x402_core::evm::hex;
use x402_core::evm::keccak::Bytes32;
use x402_core::evm::signature::Signature;
use x402_core::scheme::exact::evm::{Rules, Terms, check, read_authorization};
use x402_core::transport::http::{self, MAX_BODY, MAX_RESPONSE_HEADER};
use x402_core::types::facilitator::{SettleResponse, VerifyResponse};
use x402_core::types::json::{Message, Verbatim};
use x402_core::types::payload::PaymentPayload;
use x402_core::types::required::{Offer, PaymentRequired, Version};
use x402_core::types::time::UnixSeconds;

use crate::boundary::{clock, json_text, parsed, text, whole};
use crate::fault::{because, fault};

/// UTF-16 units of a message that is read.
pub(crate) const MAX_MESSAGE: usize = MAX_BODY;

/// Reads a `PAYMENT-REQUIRED` header, or the JSON body of a version 1 402.
#[wasm_bindgen(js_name = decodePaymentRequired)]
pub fn decode_payment_required(value: &JsValue) -> Result<JsValue, JsValue> {
    const CODE: Code = Code::InvalidPaymentRequired;
    let text = text(value, MAX_RESPONSE_HEADER, CODE)?;
    read_terms(&text).map_err(fault)?;
    let is_body = text.trim_start().starts_with('{');
    let message = if is_body { text } else { http::decode(&text, MAX_RESPONSE_HEADER, CODE).map_err(fault)? };
    Ok(parsed(&message))
}

/// Writes a `PAYMENT-REQUIRED` header.
#[wasm_bindgen(js_name = encodePaymentRequired)]
pub fn encode_payment_required(message: &JsValue) -> Result<String, JsValue> {
    let text = json_text(message, MAX_MESSAGE, Code::InvalidPaymentRequired)?;
    PaymentRequired::read(&text, Version::V2).map_err(fault)?;
    Ok(http::encode(&text))
}

/// Reads a `PAYMENT-SIGNATURE` or `X-PAYMENT` header.
#[wasm_bindgen(js_name = decodePayment)]
pub fn decode_payment(header: &JsValue) -> Result<JsValue, JsValue> {
    const CODE: Code = Code::InvalidPayload;
    let header = text(header, MAX_MESSAGE, CODE)?;
    let text = http::decode(&header, http::MAX_PAYMENT_HEADER, CODE).map_err(fault)?;
    PaymentPayload::read(&text).map_err(fault)?;
    Ok(parsed(&text))
}

/// Writes the header of a payment: `PAYMENT-SIGNATURE` for version 2, `X-PAYMENT` for version 1.
#[wasm_bindgen(js_name = encodePayment)]
pub fn encode_payment(payment: &JsValue) -> Result<String, JsValue> {
    Ok(http::payment_header(&read_payment(payment)?).1)
}

/// Reads a `PAYMENT-RESPONSE` or `X-PAYMENT-RESPONSE` header.
#[wasm_bindgen(js_name = decodeSettlement)]
pub fn decode_settlement(header: &JsValue) -> Result<JsValue, JsValue> {
    let header = text(header, MAX_MESSAGE, Code::InvalidPaymentResponse)?;
    http::read_settlement(&header).map(|settlement| parsed(&settlement.write())).map_err(fault)
}

/// Writes a `PAYMENT-RESPONSE` header.
#[wasm_bindgen(js_name = encodeSettlement)]
pub fn encode_settlement(settlement: &JsValue) -> Result<String, JsValue> {
    const CODE: Code = Code::InvalidPaymentResponse;
    let text = json_text(settlement, MAX_MESSAGE, CODE)?;
    let settlement = SettleResponse::read(&text, CODE).map_err(fault)?;
    Ok(http::settlement_header(&settlement, Version::V2).1)
}

/// The EIP-712 document of a payment, as `eth_signTypedData_v4` takes it.
#[wasm_bindgen(js_name = typedData)]
pub fn typed_data(requirements: &JsValue, authorization: &JsValue) -> Result<JsValue, JsValue> {
    Ok(parsed(&typed(requirements, authorization)?.write()))
}

/// The 32 bytes that a payer signs.
#[wasm_bindgen]
pub fn digest(requirements: &JsValue, authorization: &JsValue) -> Result<String, JsValue> {
    Ok(hex::encode(&typed(requirements, authorization)?.digest()))
}

/// Checks a payment against requirements without the chain: terms, times, signature.
#[wasm_bindgen(js_name = verifyPayment)]
pub fn verify_payment(payment: &JsValue, requirements: &JsValue, now: &JsValue) -> Result<JsValue, JsValue> {
    let payment = read_payment(payment)?;
    let offer = read_offer(requirements)?;
    let now = if now.is_undefined() { clock() } else { seconds(now)? };
    let response = match check(&payment, &offer, now, &Rules::default()) {
        Ok(checked) => VerifyResponse::valid(checked.payer()),
        Err(refusal) => VerifyResponse::invalid(refusal.error.code(), refusal.payer),
    };
    Ok(parsed(&response.write()))
}

/// What is signed for an authorization under requirements.
pub(crate) fn typed(requirements: &JsValue, authorization: &JsValue) -> Result<TypedData, JsValue> {
    let terms = Terms::read(&read_offer(requirements)?.terms).map_err(fault)?;
    let text = json_text(authorization, MAX_MESSAGE, Code::InvalidPayload)?;
    let authorization = read_authorization(&text).map_err(fault)?;
    Ok(authorization.typed_data(terms.domain))
}

/// Who signed 32 bytes.
#[wasm_bindgen]
pub fn recover(digest: &JsValue, signature: &JsValue) -> Result<String, JsValue> {
    let text = text(signature, MAX_MESSAGE, Code::InvalidSignature)?;
    let digest = bytes32(digest)?;
    let bytes = hex::decode(&text).map_err(|_| fault(Code::InvalidSignature.into()))?;
    let signature = Signature::parse(&bytes).map_err(fault)?;
    signature.recover(&digest).map(|address| address.to_checksum()).map_err(fault)
}

/// 32 bytes of hex.
pub(crate) fn bytes32(value: &JsValue) -> Result<Bytes32, JsValue> {
    hex::decode_array(&text(value, MAX_MESSAGE, Code::InvalidHex)?).map_err(fault)
}

fn read_payment(payment: &JsValue) -> Result<PaymentPayload, JsValue> {
    PaymentPayload::read(&json_text(payment, MAX_MESSAGE, Code::InvalidPayload)?).map_err(fault)
}

/// Requirements of either version: version 1 calls the amount otherwise.
fn read_offer(requirements: &JsValue) -> Result<Offer, JsValue> {
    const CODE: Code = Code::InvalidPaymentRequired;
    let text = json_text(requirements, MAX_MESSAGE, CODE)?;
    let verbatim = Verbatim::parse(&text, CODE).map_err(fault)?;
    let first = |error: Error| Offer::read(verbatim.clone(), Version::V1, CODE).map_err(|_| fault(error));
    Offer::read(verbatim.clone(), Version::V2, CODE).or_else(first)
}

fn seconds(value: &JsValue) -> Result<UnixSeconds, JsValue> {
    whole(value).map(UnixSeconds).ok_or_else(|| because(Code::PayerConfig, "now is a whole number of Unix seconds"))
}
