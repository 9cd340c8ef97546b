//! The runtime's side: `js/platform.js`, where the objects of `fetch` are at home.

use alloc::string::String;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use web_sys::Response;

#[wasm_bindgen(raw_module = "../js/platform.js")]
extern "C" {
    /// A call of `fetch`, kept so that it can be sent twice.
    pub(crate) type Call;

    /// Looks at the arguments; what their getters throw is the error, as with `fetch`.
    #[wasm_bindgen(constructor, catch)]
    pub(crate) fn new(input: &JsValue, init: &JsValue) -> Result<Call, JsValue>;

    /// The absolute URL, if it can be told.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn url(this: &Call) -> Option<String>;

    /// The method, in capitals.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn method(this: &Call) -> String;

    /// The caller's `AbortSignal`, or nothing.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn signal(this: &Call) -> JsValue;

    /// Whether its body can be sent a second time.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn repeats(this: &Call) -> bool;

    /// Whether a header is there.
    #[wasm_bindgen(method)]
    pub(crate) fn has(this: &Call, header: &str) -> bool;

    /// Sends it as the caller made it.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn send(this: &Call, fetch: &Function) -> Result<JsValue, JsValue>;

    /// Sends it to a URL with one more header, following no redirect.
    #[wasm_bindgen(method, catch, js_name = sendPaid)]
    pub(crate) fn send_paid(
        this: &Call,
        fetch: &Function,
        url: &str,
        name: &str,
        value: &str,
    ) -> Result<JsValue, JsValue>;

    /// Lets go of what was kept for a second time.
    #[wasm_bindgen(method)]
    pub(crate) fn done(this: &Call);

    /// How a wait ended.
    pub(crate) type Outcome;

    /// `value`, `failed`, `aborted` or `late`.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn end(this: &Outcome) -> String;

    /// The value, or what it failed with, or the signal's reason.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn value(this: &Outcome) -> JsValue;

    /// Waits for a value until a signal fires or the seconds have passed; gives an [`Outcome`].
    pub(crate) fn within(value: &JsValue, signal: &JsValue, seconds: u32) -> Promise;

    /// A response's body as text, up to a length and a time.
    pub(crate) fn text(response: &Response, limit: u32, seconds: u32, signal: &JsValue) -> Promise;

    /// A response header; `null` when there is none, `undefined` when it is too long.
    #[wasm_bindgen(catch)]
    pub(crate) fn header(response: &Response, name: &str, limit: u32) -> Result<JsValue, JsValue>;

    /// Gives an unread body back to the network.
    #[wasm_bindgen(catch)]
    pub(crate) fn discard(message: &Response) -> Result<(), JsValue>;

    /// One EIP-1193 request, its parameters as JSON.
    pub(crate) fn request(provider: &JsValue, method: &str, params: &str) -> Promise;

    /// Asks an account to sign a document.
    #[wasm_bindgen(js_name = signTypedData)]
    pub(crate) fn sign_typed_data(account: &JsValue, json: &str) -> Promise;

    /// The number by which a wallet's error says why.
    #[wasm_bindgen(js_name = walletCode)]
    pub(crate) fn wallet_code(error: &JsValue) -> JsValue;

    /// Tells a listener one step of a call.
    pub(crate) fn tell(listener: &JsValue, call: u32, step: &str, data: &JsValue);
}
