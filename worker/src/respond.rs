//! From the core's answers to responses.

use std::cell::RefCell;

use js_sys::futures::JsFuture;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;
use web_sys::{Headers, Response, ResponseInit};
use x402_core::server::book::Head;
use x402_core::server::gate::{Answer, Header, STRIPPED_FROM_REQUEST, STRIPPED_FROM_RESPONSE};

use crate::{http, js};

/// A response's parts on JavaScript's side, made once.
struct Ready {
    body: Option<Uint8Array>,
    init: ResponseInit,
}

thread_local! {
    /// By the answer's number. Headers and text belong to no request, so all requests may share them.
    static READY: RefCell<Vec<Option<Ready>>> = const { RefCell::new(Vec::new()) };
    /// The core's lists of names, on JavaScript's side.
    static FROM_REQUEST: Array = http::list(STRIPPED_FROM_REQUEST.iter().copied());
    static FROM_RESPONSE: Array = http::list(STRIPPED_FROM_RESPONSE.iter().copied());
}

impl Ready {
    fn new(answer: &Answer) -> Result<Self, JsValue> {
        let init = ResponseInit::new();
        init.set_status(answer.status);
        init.set_headers_headers(&headers_of(&answer.headers)?);
        let body = (!answer.body.is_empty()).then(|| Uint8Array::from(answer.body.as_bytes()));
        Ok(Self { body, init })
    }

    fn respond(&self) -> Result<Response, JsValue> {
        Response::new_with_opt_js_u8_array_and_init(self.body.as_ref(), &self.init)
    }
}

fn headers_of(list: &[Header]) -> Result<Headers, JsValue> {
    let headers = Headers::new()?;
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
pub(crate) fn deliver(origin: &Response, headers: &[Header]) -> Result<Response, JsValue> {
    let headers = http::list(headers.iter().flat_map(|header| [header.name, header.value.as_ref()]));
    FROM_RESPONSE.with(|stripped| js::deliver(origin, stripped, &headers))
}

/// The headers of an origin's answer that are kept with it: names and values, in turns.
pub(crate) fn headers_of_origin(origin: &Response) -> Vec<String> {
    let all = FROM_RESPONSE.with(|stripped| js::headers(origin, stripped));
    all.iter().filter_map(|text| text.as_string()).collect()
}

/// An answer that was kept, with these headers in place of its own.
///
/// # Errors
/// What the runtime throws at a value it does not take.
pub(crate) fn replay(head: &Head, body: &JsValue, headers: &[Header]) -> Result<Response, JsValue> {
    let kept = http::list(head.headers.iter().map(String::as_str));
    let headers = http::list(headers.iter().flat_map(|header| [header.name, header.value.as_ref()]));
    js::replay(head.status, &kept, body, &headers)
}

/// The names of the headers that are not forwarded to an origin.
pub(crate) fn stripped_from_request() -> Array {
    FROM_REQUEST.with(Array::clone)
}

/// Lets go of a body that nobody will read.
pub(crate) fn discard(origin: &Response) {
    if let Some(body) = origin.body() {
        // Its promise says when the origin knows; nobody waits for that, and nobody minds if it never does.
        drop(JsFuture::from(body.cancel()));
    }
}
