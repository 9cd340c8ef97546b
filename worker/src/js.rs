//! The little that the crates `worker` and `web-sys` leave open: the effects of `effects.js`, the relayer's own methods,
//! and short ways to what those crates have. Everything else of the runtime is used as they declare it.

use js_sys::{Array, Promise, global};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response, WorkerGlobalScope};
use worker::Date;
use x402_core::types::time::UnixSeconds;

#[wasm_bindgen(module = "/src/effects.js")]
extern "C" {
    /// A promise of `status body`, or of undefined.
    pub(crate) fn post(url: &str, headers: &Array, body: &str, milliseconds: u32, limit: usize) -> Promise;
    /// A promise of a signature's bytes, or of undefined.
    #[wasm_bindgen(js_name = signWith)]
    pub(crate) fn sign_with(algorithm: &str, key: &[u8], text: &str) -> Promise;
    /// A promise of bytes, or of undefined.
    #[wasm_bindgen(js_name = bodyOf)]
    pub(crate) fn body_of(message: &JsValue, limit: usize) -> Promise;
    /// A promise of bytes and a response, either or both undefined.
    pub(crate) fn collect(answer: &Response, limit: usize, milliseconds: u32) -> Promise;
    /// A promise of a response, or of undefined.
    #[wasm_bindgen(js_name = askOrigin)]
    pub(crate) fn ask_origin(
        binding: Option<&JsValue>,
        url: &str,
        request: &Request,
        body: &JsValue,
        stripped: &Array,
        paid: bool,
        changed: &Array,
        milliseconds: u32,
    ) -> Promise;
    /// Whether the client went away, as far as the runtime tells.
    pub(crate) fn gone(request: &Request) -> bool;
    #[wasm_bindgen(catch)]
    pub(crate) fn deliver(origin: &Response, stripped: &Array, headers: &Array) -> Result<Response, JsValue>;
    /// The names and values of headers but for those in `stripped`, in turns.
    pub(crate) fn headers(answer: &Response, stripped: &Array) -> Array;
    #[wasm_bindgen(catch)]
    pub(crate) fn replay(status: u16, kept: &Array, body: &JsValue, headers: &Array) -> Result<Response, JsValue>;
    /// A promise of a key's name, its public half and the key itself.
    pub(crate) fn signer(pkcs8: &[u8]) -> Promise;
    /// A promise of bytes.
    pub(crate) fn sign(key: &JsValue, text: &str) -> Promise;
    /// A promise of a list: what promises come to, undefined for those that fail.
    pub(crate) fn settled(promises: &Array) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    /// The relayer's object, from elsewhere: the class is ours, so no crate knows its methods.
    pub type RelayerStub;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn settle(this: &RelayerStub, order: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn status(this: &RelayerStub, network: &str, relayer: &str) -> Result<Promise, JsValue>;

    /// A book, from elsewhere. Both answer with a promise of the text of what it said and the body beside it.
    pub type BookStub;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn count(this: &BookStub, books: u32) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn claim(this: &BookStub, key: &str, claim: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn report(this: &BookStub, key: &str, report: &str, body: &JsValue) -> Result<Promise, JsValue>;
    /// A promise of the text of what was found.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn list(this: &BookStub, ask: &str) -> Result<Promise, JsValue>;
    /// A promise of whether a pass stands.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn stands(this: &BookStub, doubt: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn revoke(this: &BookStub, subject: &str) -> Result<Promise, JsValue>;
    /// A promise of the text of what was counted.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn summary(this: &BookStub) -> Result<Promise, JsValue>;
}

fn scope() -> WorkerGlobalScope {
    global().unchecked_into()
}

/// An identifier that no other request has.
pub(crate) fn random_uuid() -> String {
    scope().crypto().map(|crypto| crypto.random_uuid()).unwrap_or_default()
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds() -> u64 {
    Date::now().as_millis()
}

/// The time.
pub(crate) fn now() -> UnixSeconds {
    UnixSeconds(milliseconds() / 1000)
}

/// A time in Unix seconds, or nothing, as JavaScript takes it.
pub(crate) fn seconds(at: Option<u64>) -> JsValue {
    at.map_or(JsValue::UNDEFINED, |at| u32::try_from(at).unwrap_or(u32::MAX).into())
}
