//! Requests to facilitators and nodes: small JSON messages, with a limit on everything.

use js_sys::futures::JsFuture;
use wasm_bindgen::JsValue;

use crate::js::{self, Deadline};

/// A reply: its status and its body.
pub(crate) type Reply = (u16, String);

/// Posts JSON and reads the reply; none when no whole reply came in time or it is larger than `limit` bytes. A redirect
/// is a reply like any other: neither the message nor its headers go elsewhere.
pub(crate) async fn post(
    (deadline, milliseconds): (&Deadline, u32),
    url: &str,
    headers: &[(String, String)],
    body: &str,
    limit: usize,
) -> Option<Reply> {
    let mut lines = String::from("content-type\napplication/json\n");
    for (name, value) in headers {
        lines.extend([name, "\n", value, "\n"]);
    }
    let limit = u32::try_from(limit).ok()?;
    let reply = js::edge(|edge| edge.post(deadline, milliseconds, url, &lines, body, limit));
    let reply = JsFuture::from(reply).await.ok()?.as_string()?;
    let (status, body) = reply.split_once(' ')?;
    Some((status.parse().ok()?, body.into()))
}

/// Reads a stream of text; none beyond `limit` bytes, for a broken stream or for bytes that are not UTF-8.
pub(crate) async fn read(body: &JsValue, limit: usize) -> Option<String> {
    let limit = u32::try_from(limit).ok()?;
    JsFuture::from(js::edge(|edge| edge.read(body, limit))).await.ok()?.as_string()
}
