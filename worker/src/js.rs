//! What the gate uses of the runtime: the fetch standard, a Durable Object's storage, a clock and a log.
//!
//! Declarations only; each is named and shaped as the runtime has it (Fetch standard; Workers runtime API).

use js_sys::{Array, BigInt, Object, Promise, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use x402_core::types::time::UnixSeconds;

#[wasm_bindgen]
extern "C" {
    /// A request, as it came.
    pub type Request;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn headers(this: &Request) -> Headers;
    /// A stream, or null.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn body(this: &Request) -> JsValue;

    /// Headers.
    #[derive(Clone)]
    pub type Headers;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> Headers;
    #[wasm_bindgen(constructor)]
    pub(crate) fn copy(of: &Headers) -> Headers;
    #[wasm_bindgen(method)]
    pub(crate) fn get(this: &Headers, name: &str) -> Option<String>;
    #[wasm_bindgen(method)]
    pub(crate) fn has(this: &Headers, name: &str) -> bool;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn set(this: &Headers, name: &str, value: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    pub(crate) fn delete(this: &Headers, name: &str);

    /// A response.
    #[derive(Clone)]
    pub type Response;
    #[wasm_bindgen(constructor, catch)]
    pub(crate) fn new(body: &JsValue, init: &Init) -> Result<Response, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn status(this: &Response) -> u16;
    #[wasm_bindgen(method, getter, js_name = statusText)]
    pub(crate) fn status_text(this: &Response) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = headers)]
    pub(crate) fn headers_of(this: &Response) -> Headers;
    /// A stream, or null.
    #[wasm_bindgen(method, getter, js_name = body)]
    pub(crate) fn body_of(this: &Response) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = webSocket)]
    pub(crate) fn web_socket(this: &Response) -> JsValue;
    #[wasm_bindgen(method)]
    pub(crate) fn text(this: &Response) -> Promise;

    /// A stream of bytes.
    pub type Stream;
    #[wasm_bindgen(method, js_name = getReader)]
    pub(crate) fn reader(this: &Stream) -> Reader;
    #[wasm_bindgen(method)]
    pub(crate) fn cancel(this: &Stream) -> Promise;
    /// The one that reads it.
    pub type Reader;
    #[wasm_bindgen(method)]
    pub(crate) fn read(this: &Reader) -> Promise;
    #[wasm_bindgen(method, js_name = cancel)]
    pub(crate) fn cancel_reading(this: &Reader) -> Promise;
    /// What it read.
    pub type Chunk;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn done(this: &Chunk) -> bool;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn value(this: &Chunk) -> Option<Uint8Array>;

    /// The options of a request or a response.
    pub type Init;
    #[wasm_bindgen(method, setter)]
    pub(crate) fn set_method(this: &Init, method: &str);
    #[wasm_bindgen(method, setter)]
    pub(crate) fn set_headers(this: &Init, headers: &Headers);
    #[wasm_bindgen(method, setter)]
    pub(crate) fn set_body(this: &Init, body: &JsValue);
    #[wasm_bindgen(method, setter)]
    pub(crate) fn set_redirect(this: &Init, redirect: &str);
    #[wasm_bindgen(method, setter)]
    pub(crate) fn set_cache(this: &Init, cache: &str);
    #[wasm_bindgen(method, setter)]
    pub(crate) fn set_signal(this: &Init, signal: &JsValue);
    #[wasm_bindgen(method, setter)]
    pub(crate) fn set_status(this: &Init, status: u16);
    #[wasm_bindgen(method, setter, js_name = statusText)]
    pub(crate) fn set_status_text(this: &Init, text: &JsValue);
    #[wasm_bindgen(method, setter, js_name = webSocket)]
    pub(crate) fn set_web_socket(this: &Init, socket: &JsValue);

    #[wasm_bindgen(catch, js_name = fetch)]
    pub(crate) fn fetch(url: &str, init: &Init) -> Result<Promise, JsValue>;
    /// A service binding.
    pub type Service;
    #[wasm_bindgen(method, catch, js_name = fetch)]
    pub(crate) fn fetch_from(this: &Service, url: &str, init: &Init) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_namespace = AbortSignal, js_name = timeout)]
    pub(crate) fn signal_after(milliseconds: u32) -> JsValue;
    /// Aborts what was started with its signal.
    pub type AbortController;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> AbortController;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn signal(this: &AbortController) -> JsValue;
    #[wasm_bindgen(method)]
    pub(crate) fn abort(this: &AbortController);

    #[wasm_bindgen(js_namespace = scheduler, js_name = wait)]
    pub(crate) fn wait(milliseconds: u32) -> Promise;
    #[wasm_bindgen(js_namespace = crypto, js_name = randomUUID)]
    pub(crate) fn random_uuid() -> String;
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn date_now() -> JsValue;
    #[wasm_bindgen(js_namespace = console)]
    pub(crate) fn log(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(crate) fn log_error(line: &str);

    /// The namespace of a Durable Object class.
    pub type Namespace;
    #[wasm_bindgen(method, js_name = idFromName)]
    pub(crate) fn id_from_name(this: &Namespace, name: &str) -> JsValue;
    #[wasm_bindgen(method, js_name = get)]
    pub(crate) fn stub(this: &Namespace, id: &JsValue) -> RelayerStub;
    /// The relayer's object, from elsewhere.
    pub type RelayerStub;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn settle(this: &RelayerStub, order: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn holds(this: &RelayerStub, order: &str) -> Result<Promise, JsValue>;

    /// A Durable Object's storage.
    #[derive(Clone)]
    pub type Storage;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn sql(this: &Storage) -> Sql;
    #[wasm_bindgen(method, js_name = setAlarm)]
    pub(crate) fn set_alarm(this: &Storage, milliseconds: f64) -> Promise;
    #[wasm_bindgen(method, js_name = getAlarm)]
    pub(crate) fn alarm(this: &Storage) -> Promise;
    /// Its database.
    pub type Sql;
    #[wasm_bindgen(method, catch, variadic)]
    pub(crate) fn exec(this: &Sql, query: &str, values: &Array) -> Result<Cursor, JsValue>;
    /// Rows.
    pub type Cursor;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn raw(this: &Cursor) -> Result<Cursor, JsValue>;
    #[wasm_bindgen(method, catch, js_name = toArray)]
    pub(crate) fn to_array(this: &Cursor) -> Result<Array, JsValue>;
}

impl Init {
    /// No options yet.
    pub(crate) fn empty() -> Self {
        Object::new().unchecked_into()
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds() -> u64 {
    // A number of milliseconds is a whole one, which is all that a BigInt asks for.
    BigInt::new(&date_now()).ok().and_then(|now| u64::try_from(now).ok()).unwrap_or_default()
}

/// The time.
pub(crate) fn now() -> UnixSeconds {
    UnixSeconds(milliseconds() / 1000)
}
