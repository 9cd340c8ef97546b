//! From the core's answers to responses.

use std::cell::RefCell;

use wasm_bindgen::{JsCast, JsValue};
use x402_core::server::gate::{Answer, Header, STRIPPED_FROM_RESPONSE};

use crate::js::{Headers, Init, Response, Stream};

/// A response's parts on JavaScript's side, made once.
struct Ready {
    body: JsValue,
    init: Init,
}

thread_local! {
    /// By the answer's number. Headers and text belong to no request, so all requests may share them.
    static READY: RefCell<Vec<Option<Ready>>> = const { RefCell::new(Vec::new()) };
}

impl Ready {
    fn new(answer: &Answer) -> Result<Self, JsValue> {
        let init = Init::empty();
        init.set_status(answer.status);
        init.set_headers(&headers_of(&answer.headers)?);
        let body = if answer.body.is_empty() { JsValue::NULL } else { JsValue::from_str(&answer.body) };
        Ok(Self { body, init })
    }

    fn respond(&self) -> Result<Response, JsValue> {
        Response::new(&self.body, &self.init)
    }
}

fn headers_of(list: &[Header]) -> Result<Headers, JsValue> {
    let headers = Headers::new();
    for header in list {
        headers.set(header.name, &header.value)?;
    }
    Ok(headers)
}

/// The response of an answer.
///
/// # Errors
/// What the runtime throws at a value it does not take.
pub(crate) fn answer(answer: &Answer) -> Result<Response, JsValue> {
    let Some(number) = answer.prepared else {
        return Ready::new(answer)?.respond();
    };
    READY.with_borrow_mut(|ready| {
        if ready.len() <= number {
            ready.resize_with(number.saturating_add(1), || None);
        }
        match ready.get_mut(number) {
            Some(Some(ready)) => ready.respond(),
            Some(empty) => empty.insert(Ready::new(answer)?).respond(),
            None => Ready::new(answer)?.respond(),
        }
    })
}

/// The origin's answer with these headers, its body still streaming.
///
/// # Errors
/// What the runtime throws at a value it does not take.
pub(crate) fn deliver(origin: &Response, list: &[Header]) -> Result<Response, JsValue> {
    let headers = Headers::copy(&origin.headers_of());
    for name in STRIPPED_FROM_RESPONSE {
        headers.delete(name);
    }
    for header in list {
        headers.set(header.name, &header.value)?;
    }
    let init = Init::empty();
    init.set_status(origin.status());
    init.set_status_text(&origin.status_text());
    init.set_headers(&headers);
    let socket = origin.web_socket();
    if !socket.is_falsy() {
        init.set_web_socket(&socket);
    }
    Response::new(&origin.body_of(), &init)
}

/// Lets go of a body that nobody will read.
pub(crate) fn discard(origin: &Response) {
    let body = origin.body_of();
    if !body.is_null() {
        // The promise says when the origin knows; nobody waits for that.
        let _ = body.unchecked_ref::<Stream>().cancel();
    }
}
