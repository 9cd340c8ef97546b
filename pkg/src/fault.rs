//! `X402Error`: a real JavaScript `Error` with the core's code.

use alloc::string::ToString;
use wasm_bindgen::prelude::*;
use x402_core::client::request::retryable;
use x402_core::error::{Code, Error};

#[wasm_bindgen(raw_module = "../js/error.js")]
extern "C" {
    type X402Error;

    #[wasm_bindgen(constructor)]
    fn new(code: &str, message: &str, retryable: bool, details: &JsValue, cause: &JsValue) -> X402Error;
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
/// The error for JavaScript, with nothing beyond the core's sentence.
pub(crate) fn fault(error: Error) -> JsValue {
    detailed(&error, &JsValue::UNDEFINED)
}

/// The error with data for the caller: never a key, a signature or a payment header.
pub(crate) fn detailed(error: &Error, details: &JsValue) -> JsValue {
    caused(error, details, &JsValue::UNDEFINED)
}

/// The error with what caused it. A wallet's own error is never handed on: nobody knows what stands in it.
pub(crate) fn caused(error: &Error, details: &JsValue, cause: &JsValue) -> JsValue {
    let code = error.code();
    X402Error::new(code.as_str(), &error.to_string(), retryable(code), details, cause).into()
}

/// The error of a code and a sentence of this crate.
pub(crate) fn because(code: Code, detail: &str) -> JsValue {
    fault(Error::new(code, detail))
}
