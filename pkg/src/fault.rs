//! `X402Error`: a real JavaScript `Error` with the core's code.

use wasm_bindgen::prelude::*;
use x402_core::client::request::retryable;
use x402_core::client::wallet::refusal;
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

/// The codes of what goes wrong where this module cannot see it.
const PROBLEMS: [Code; 9] = [
    Code::InvalidUrl,
    Code::PayerApprovalDenied,
    Code::PayerChainFault,
    Code::PayerConfig,
    Code::PayerNetworkFault,
    Code::PayerStoreBroken,
    Code::PayerStoreFailed,
    Code::PayerWalletFailed,
    Code::TooLarge,
];

/// The error of one of [`PROBLEMS`].
#[wasm_bindgen]
pub fn problem(code: &str, detail: &str) -> JsValue {
    let known = PROBLEMS.into_iter().find(|known| known.as_str() == code);
    because(known.unwrap_or(Code::PayerInternal), detail)
}

/// The error of a wallet that refused or failed, by the number it gave. Its words may hold anything and are not taken.
#[wasm_bindgen(js_name = walletRefusal)]
pub fn wallet_refusal(number: Option<i32>) -> JsValue {
    fault(refusal(number))
}
