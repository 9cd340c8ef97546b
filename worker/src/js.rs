//! What the gate uses of the runtime: the entry's `edge`, which does what only the runtime can, and a Durable Object's
//! database. Declarations; `index.mjs` says what each function does.

use std::cell::OnceCell;

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;
use x402_core::types::time::UnixSeconds;

#[wasm_bindgen]
extern "C" {
    /// The entry's half.
    #[derive(Clone)]
    pub type Edge;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn prepare(this: &Edge, status: u16, headers: &str, body: &str) -> Result<Ready, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn respond(this: &Edge, ready: &Ready) -> Result<Response, JsValue>;
    #[wasm_bindgen(method)]
    fn deadline(this: &Edge) -> Deadline;
    #[wasm_bindgen(method)]
    pub(crate) fn post(
        this: &Edge,
        deadline: &Deadline,
        milliseconds: u32,
        url: &str,
        headers: &str,
        body: &str,
        limit: u32,
    ) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn read(this: &Edge, body: &JsValue, limit: u32) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn forward(
        this: &Edge,
        deadline: &Deadline,
        milliseconds: u32,
        service: &JsValue,
        url: &str,
        request: &Request,
        method: &str,
        without: &Array,
        cache: Option<&str>,
    ) -> Promise;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn deliver(this: &Edge, origin: &Response, without: &Array, headers: &str) -> Result<Response, JsValue>;
    #[wasm_bindgen(method)]
    pub(crate) fn discard(this: &Edge, origin: &Response);
    #[wasm_bindgen(method)]
    pub(crate) fn wait(this: &Edge, milliseconds: u32) -> Promise;
    #[wasm_bindgen(method)]
    fn now(this: &Edge) -> u64;
    #[wasm_bindgen(method)]
    pub(crate) fn id(this: &Edge) -> String;
    #[wasm_bindgen(method)]
    pub(crate) fn log(this: &Edge, line: &str);
    #[wasm_bindgen(method)]
    pub(crate) fn error(this: &Edge, line: &str);
    #[wasm_bindgen(method)]
    pub(crate) fn relayer(this: &Edge, namespace: &JsValue, name: &str, method: &str, order: &str) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn wake(this: &Edge, storage: &Storage, seconds: u32) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn lose(this: &Edge, reason: &str);

    /// The time that the steps of one request have.
    pub type Deadline;

    /// The parts of a response that may be made many times. They belong to no request.
    pub type Ready;

    /// A request, as it came.
    pub type Request;
    /// A stream, or null.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn body(this: &Request) -> JsValue;

    /// A response.
    pub type Response;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn status(this: &Response) -> u16;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn headers(this: &Response) -> Headers;
    /// Its headers.
    pub type Headers;
    #[wasm_bindgen(method)]
    pub(crate) fn has(this: &Headers, name: &str) -> bool;

    /// A Durable Object's storage.
    #[derive(Clone)]
    pub type Storage;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn sql(this: &Storage) -> Sql;
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

thread_local! {
    static EDGE: OnceCell<Edge> = const { OnceCell::new() };
}

/// Takes the entry's half; the first one stays.
pub(crate) fn meet(edge: Edge) {
    EDGE.with(|cell| {
        let _ = cell.set(edge);
    });
}

/// Does something with the entry's half.
pub(crate) fn edge<T>(work: impl FnOnce(&Edge) -> T) -> T {
    // Every export but the first call meets it before anything else; a stranger throws in the call, which is caught.
    EDGE.with(|cell| work(cell.get_or_init(|| JsValue::UNDEFINED.unchecked_into())))
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds() -> u64 {
    edge(Edge::now)
}

/// The time.
pub(crate) fn now() -> UnixSeconds {
    UnixSeconds(milliseconds() / 1000)
}

impl Deadline {
    /// One for a request, or for one call of an object.
    pub(crate) fn new() -> Self {
        edge(Edge::deadline)
    }
}

/// Names as JavaScript has them.
pub(crate) fn texts(names: &[&str]) -> Array {
    names.iter().map(|name| JsValue::from_str(name)).collect()
}
