//! Conversions at the border: JavaScript values may lie, throw and be of any size.

use alloc::string::String;

use js_sys::{BigInt, JSON, JsString};
use wasm_bindgen::prelude::*;
use x402_core::error::Code;
#[cfg(feature = "payer")]
use x402_core::evm::keccak::Bytes32;
use x402_core::types::time::UnixSeconds;

use crate::fault::because;

#[wasm_bindgen]
extern "C" {
    /// Milliseconds since the epoch, whole.
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn date_now() -> JsValue;

    /// Milliseconds since the epoch, or `NaN`.
    #[cfg(feature = "payer")]
    #[wasm_bindgen(js_namespace = Date, js_name = parse)]
    fn date_parse(text: &JsValue) -> JsValue;
}

/// The text of a string of at most `limit` UTF-16 units; longer ones are not copied.
pub(crate) fn bounded(value: &JsValue, limit: usize) -> Option<String> {
    let text: &JsString = value.dyn_ref()?;
    let length = usize::try_from(text.length()).ok()?;
    if length <= limit { value.as_string() } else { None }
}

/// A string argument.
pub(crate) fn text(value: &JsValue, limit: usize, code: Code) -> Result<String, JsValue> {
    match bounded(value, limit) {
        Some(text) => Ok(text),
        None if value.is_string() => Err(because(Code::TooLarge, "a text exceeds its limit")),
        None => Err(because(code, "expected a text")),
    }
}

/// A message argument: JSON as text, or an object that becomes JSON.
pub(crate) fn json_text(value: &JsValue, limit: usize, code: Code) -> Result<String, JsValue> {
    if !value.is_object() {
        return text(value, limit, code);
    }
    // Cycles, throwing getters and big integers end here.
    let written = JSON::stringify(value).map_err(|_| because(code, "the object cannot be written as JSON"))?;
    text(&written, limit, code)
}

/// JSON of the core as a JavaScript value.
pub(crate) fn parsed(text: &str) -> JsValue {
    JSON::parse(text).unwrap_or(JsValue::UNDEFINED)
}

/// 32 random bytes.
#[cfg(feature = "payer")]
pub(crate) fn random() -> Result<Bytes32, JsValue> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| because(Code::PayerNoRandomness, ""))?;
    Ok(bytes)
}

/// The machine's clock.
pub(crate) fn clock() -> UnixSeconds {
    seconds(&date_now()).unwrap_or(UnixSeconds(0))
}

/// The time in a `Date` header.
#[cfg(feature = "payer")]
pub(crate) fn date(header: &JsValue) -> Option<UnixSeconds> {
    if header.is_string() { seconds(&date_parse(header)) } else { None }
}

/// Whole seconds of milliseconds; nothing for what is no whole number.
fn seconds(milliseconds: &JsValue) -> Option<UnixSeconds> {
    whole(milliseconds).map(|milliseconds| UnixSeconds(milliseconds / 1000))
}

/// A whole number that is not negative.
pub(crate) fn whole(value: &JsValue) -> Option<u64> {
    BigInt::new(value).ok().and_then(|whole| u64::try_from(whole).ok())
}
