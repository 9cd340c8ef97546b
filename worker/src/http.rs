//! Requests to facilitators and nodes: small JSON messages, with a limit on everything.

use js_sys::futures::JsFuture;
use wasm_bindgen::{JsCast, JsValue};
use x402_core::transport::http::MAX_BODY;

use crate::js::{self, Chunk, Headers, Init, Response, Stream};

/// A reply: its status and its body.
pub(crate) type Reply = (u16, String);

/// Posts JSON and reads the reply; none when no whole reply came in time or it is larger than `limit` bytes. A redirect
/// is a reply like any other: neither the message nor its headers go elsewhere.
pub(crate) async fn post(
    url: &str,
    headers: &[(String, String)],
    body: &str,
    milliseconds: u32,
    limit: usize,
) -> Option<Reply> {
    let sent = Headers::new();
    sent.set("content-type", "application/json").ok()?;
    for (name, value) in headers {
        sent.set(name, value).ok()?;
    }
    let init = Init::empty();
    init.set_method("POST");
    init.set_headers(&sent);
    init.set_body(&JsValue::from_str(body));
    init.set_redirect("manual");
    init.set_signal(&js::signal_after(milliseconds));
    let response = JsFuture::from(js::fetch(url, &init).ok()?).await.ok()?;
    let response: Response = response.unchecked_into();
    let status = response.status();
    let length = response.headers_of().get("content-length").and_then(|length| length.parse::<usize>().ok());
    let text = match length {
        // The runtime holds a body to the length it was announced with.
        Some(length) if length <= limit => JsFuture::from(response.text()).await.ok()?.as_string()?,
        Some(_) => return None,
        None => read(&response.body_of(), limit).await?,
    };
    Some((status, text))
}

/// Reads a stream of text; none beyond `limit` bytes, for a broken stream or for bytes that are not UTF-8.
pub(crate) async fn read(body: &JsValue, limit: usize) -> Option<String> {
    if body.is_null() {
        return Some(String::new());
    }
    let reader = body.unchecked_ref::<Stream>().reader();
    let mut bytes = Vec::new();
    loop {
        let chunk: Chunk = JsFuture::from(reader.read()).await.ok()?.unchecked_into();
        if chunk.done() {
            return String::from_utf8(bytes).ok();
        }
        bytes.extend(chunk.value()?.to_vec());
        if bytes.len() > limit {
            // Whether the other side takes note is its own affair.
            let _ = JsFuture::from(reader.cancel_reading()).await;
            return None;
        }
    }
}

/// Reads the body of a message to the facilitator API.
pub(crate) async fn read_message(body: &JsValue) -> Option<String> {
    read(body, MAX_BODY).await
}
