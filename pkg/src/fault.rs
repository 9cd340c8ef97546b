//! `X402Error`: a real JavaScript `Error` with the core's code.

use wasm_bindgen::prelude::*;
use x402_core::client::request::retryable;
use x402_core::error::{Code, Error};

#[wasm_bindgen(raw_module = "../js/error.js")]
extern "C" {
    type X402Error;

    #[wasm_bindgen(constructor)]
    fn new(code: &str, message: &str, retryable: bool) -> X402Error;
}

/// The error for JavaScript: never a key, a signature or a payment header.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub(crate) fn fault(error: Error) -> JsValue {
    let code = error.code();
    X402Error::new(code.as_str(), &error.message(), retryable(code)).into()
}

/// The error of a code and a sentence of this crate.
pub(crate) fn because(code: Code, detail: &str) -> JsValue {
    fault(Error::new(code, detail))
}
