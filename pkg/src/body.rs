//! A response body, read no further than it may be.

use alloc::string::String;
use alloc::vec::Vec;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use x402_core::transport::http::MAX_BODY;

use crate::boundary::{call, get};
use crate::waits::{Ended, Waits};

/// Seconds that a 402 may take to say what it wants.
const PATIENCE: u64 = 10;

/// The text of a copy of a response's body; nothing when it is longer than any terms, slower, or no text.
/// The response itself stays unread.
///
/// # Errors
/// The signal's reason.
pub(crate) async fn text(response: &JsValue, waits: &Waits) -> Result<Option<String>, JsValue> {
    let copy = call(response, "clone", &[]).and_then(|copy| get(&copy, "body"));
    let Ok(reader) = copy.and_then(|body| call(&body, "getReader", &[])) else { return Ok(None) };
    let outcome = read(&reader, waits).await;
    // Read or not: no more of it is wanted. A stream that is closed already takes this too.
    let _ = call(&reader, "cancel", &[]).map(quiet);
    match outcome {
        Ok(bytes) => Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok())),
        Err(Ended::Aborted(reason)) => Err(reason),
        Err(Ended::Failed(_) | Ended::TimedOut) => Ok(None),
    }
}

async fn read(reader: &JsValue, waits: &Waits) -> Result<Option<Vec<u8>>, Ended> {
    let mut bytes = Vec::new();
    loop {
        let next = call(reader, "read", &[]).map_err(Ended::Failed)?;
        let next = waits.until(&next, PATIENCE).await?;
        if get(&next, "done").is_ok_and(|done| done.is_truthy()) {
            return Ok(Some(bytes));
        }
        let chunk = get(&next, "value").ok().and_then(|value| value.dyn_into::<Uint8Array>().ok());
        let Some(chunk) = chunk else { return Ok(None) };
        let length = usize::try_from(chunk.length()).unwrap_or(usize::MAX);
        if bytes.len().saturating_add(length) > MAX_BODY {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk.to_vec());
    }
}

/// Gives a body back to the network: an unread one would hold its connection.
pub(crate) fn discard(message: &JsValue) {
    let body = get(message, "body").unwrap_or(JsValue::UNDEFINED);
    let locked = get(&body, "locked").is_ok_and(|locked| locked.is_truthy());
    if !locked {
        let _ = call(&body, "cancel", &[]).map(quiet);
    }
}

/// A promise whose failure nobody needs to hear of.
fn quiet(promise: JsValue) {
    wasm_bindgen_futures::spawn_local(async move {
        let _ = crate::boundary::settled(&promise).await;
    });
}
