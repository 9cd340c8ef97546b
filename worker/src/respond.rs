//! From the core's answers to responses.

use std::cell::RefCell;

use js_sys::Array;
use wasm_bindgen::JsValue;
use x402_core::server::gate::{Answer, Header, STRIPPED_FROM_RESPONSE};

use crate::js::{self, Ready, Response};

thread_local! {
    /// By the answer's number.
    static READY: RefCell<Vec<Option<Ready>>> = const { RefCell::new(Vec::new()) };
    static WITHOUT: Array = js::texts(STRIPPED_FROM_RESPONSE);
}

/// Headers as the entry reads them.
fn lines(headers: &[Header]) -> String {
    let mut lines = String::new();
    for header in headers {
        lines.extend([header.name, "\n", &*header.value, "\n"]);
    }
    lines
}

fn prepare(answer: &Answer) -> Result<Ready, JsValue> {
    js::edge(|edge| edge.prepare(answer.status, &lines(&answer.headers), &answer.body))
}

fn make(ready: &Ready) -> Result<Response, JsValue> {
    js::edge(|edge| edge.respond(ready))
}

/// The response of an answer.
///
/// # Errors
/// What the runtime throws at a value it does not take.
pub(crate) fn answer(answer: &Answer) -> Result<Response, JsValue> {
    let Some(number) = answer.prepared else {
        return make(&prepare(answer)?);
    };
    READY.with_borrow_mut(|ready| {
        if ready.len() <= number {
            ready.resize_with(number.saturating_add(1), || None);
        }
        match ready.get_mut(number) {
            Some(Some(ready)) => make(ready),
            Some(empty) => make(empty.insert(prepare(answer)?)),
            None => make(&prepare(answer)?),
        }
    })
}

/// The origin's answer with these headers, its body still streaming.
///
/// # Errors
/// What the runtime throws at a value it does not take.
pub(crate) fn deliver(origin: &Response, headers: &[Header]) -> Result<Response, JsValue> {
    WITHOUT.with(|without| js::edge(|edge| edge.deliver(origin, without, &lines(headers))))
}

/// Lets go of a body that nobody will read.
pub(crate) fn discard(origin: &Response) {
    js::edge(|edge| edge.discard(origin));
}
