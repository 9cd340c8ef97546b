//! Requests to facilitators and nodes: small JSON messages, with a limit on everything.

use js_sys::Uint8Array;
use js_sys::futures::JsFuture;
use wasm_bindgen::JsCast;
use web_sys::{
    AbortSignal, Headers, ReadableStream, ReadableStreamDefaultReader, ReadableStreamReadResult, Request, RequestInit,
    RequestRedirect, Response,
};

use crate::js;

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
    let sent = Headers::new().ok()?;
    sent.set("content-type", "application/json").ok()?;
    for (name, value) in headers {
        sent.set(name, value).ok()?;
    }
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers_headers(&sent);
    init.set_body_opt_str(Some(body));
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(milliseconds)));
    let request = Request::new_with_str_and_init(url, &init).ok()?;
    let response: Response = JsFuture::from(js::fetch(&request)).await.ok()?.unchecked_into();
    let status = response.status();
    let length = response.headers().get("content-length").ok()?.and_then(|length| length.parse::<usize>().ok());
    let text = match length {
        // The runtime holds a body to the length it was announced with.
        Some(length) if length <= limit => JsFuture::from(response.text().ok()?).await.ok()?.as_string()?,
        Some(_) => return None,
        None => read(response.body(), limit).await?,
    };
    Some((status, text))
}

/// Reads a stream of text; none beyond `limit` bytes, for a broken stream or for bytes that are not UTF-8.
pub(crate) async fn read(body: Option<ReadableStream>, limit: usize) -> Option<String> {
    let Some(body) = body else {
        return Some(String::new());
    };
    let reader = ReadableStreamDefaultReader::new(&body).ok()?;
    let mut bytes = Vec::new();
    loop {
        let chunk: ReadableStreamReadResult = JsFuture::from(reader.read()).await.ok()?.unchecked_into();
        if chunk.get_done()? {
            return String::from_utf8(bytes).ok();
        }
        bytes.extend(chunk.get_value().dyn_into::<Uint8Array>().ok()?.to_vec());
        if bytes.len() > limit {
            // Whether the other side takes note is its own affair.
            let _ = JsFuture::from(reader.cancel()).await;
            return None;
        }
    }
}
