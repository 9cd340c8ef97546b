//! Requests to facilitators, nodes and origins: each is one call of `effects.js`, with a limit on everything.

use js_sys::futures::JsFuture;
use js_sys::{Array, JsString, Uint8Array};
use wasm_bindgen::JsCast;
use web_sys::{Request, Response};

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
    let headers = list(headers.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
    let reply = JsFuture::from(js::post(url, &headers, body, milliseconds, limit)).await.ok()?.as_string()?;
    let (status, body) = reply.split_once(' ')?;
    Some((status.parse().ok()?, body.into()))
}

/// Reads a request's body; none beyond `limit` bytes or for a broken one.
pub(crate) async fn body_of(request: &Request, limit: usize) -> Option<Uint8Array> {
    JsFuture::from(js::body_of(request, limit)).await.ok()?.dyn_into().ok()
}

/// An origin's answer, read as far as it can be kept.
pub(crate) struct Collected {
    /// The whole body, if it is short and came at once.
    pub(crate) kept: Option<Uint8Array>,
    /// The answer, its body unread where it is not kept and still to come.
    pub(crate) answer: Response,
}

/// Reads an answer's body if it is no longer than `limit` bytes; none when it broke off or took too long.
pub(crate) async fn collect(answer: &Response, limit: usize, milliseconds: u32) -> Option<Collected> {
    let parts: Array = JsFuture::from(js::collect(answer, limit, milliseconds)).await.ok()?.dyn_into().ok()?;
    Some(Collected { kept: parts.get(0).dyn_into().ok(), answer: parts.get(1).dyn_into().ok()? })
}

/// Texts as JavaScript's list of them.
pub(crate) fn list<'t>(texts: impl Iterator<Item = &'t str>) -> Array {
    texts.map(JsString::from).collect()
}
