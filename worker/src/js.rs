//! The little that the crates `worker` and `web-sys` leave open: the relayer's own methods, and short ways to what they
//! have. Everything else of the runtime is used as those crates declare it.

use js_sys::{Promise, global};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{Request, WorkerGlobalScope};
use worker::Date;
use x402_core::types::time::UnixSeconds;

#[wasm_bindgen]
extern "C" {
    /// The relayer's object, from elsewhere: the class is ours, so no crate knows its methods.
    pub type RelayerStub;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn settle(this: &RelayerStub, order: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn holds(this: &RelayerStub, order: &str) -> Result<Promise, JsValue>;
}

fn scope() -> WorkerGlobalScope {
    global().unchecked_into()
}

/// Sends a request. `worker::Fetch` would wrap the response; the gate hands it on as it is.
pub(crate) fn fetch(request: &Request) -> Promise {
    scope().fetch_with_request(request)
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
