//! Errors of the core for what goes wrong where this module cannot see it: in the payer's JavaScript, and in wallets.

use wasm_bindgen::prelude::*;
use x402_core::client::wallet::refusal;
use x402_core::error::Code;

use crate::fault::{because, fault};

/// The codes that may be asked for.
const PROBLEMS: [Code; 10] = [
    Code::InvalidUrl,
    Code::PayerApprovalDenied,
    Code::PayerChainFault,
    Code::PayerConfig,
    Code::PayerLogBroken,
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
