//! The caller's request: sent once as it is, and once more with the payment.

use alloc::string::String;
use js_sys::{Array, ArrayBuffer, Function, Object, Reflect, Symbol, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Headers, RequestInit, Url};

use crate::body::discard;
use crate::boundary::{call, construct, function, get, set, settled, short, text_at};

/// A request as `fetch` takes it, and what is needed to repeat it.
pub(crate) struct Request {
    input: JsValue,
    init: JsValue,
    /// The method, in the case that `fetch` would send.
    pub(crate) method: String,
    /// The absolute URL, if it can be told.
    pub(crate) url: Option<String>,
    /// The caller's `AbortSignal`, or nothing.
    pub(crate) signal: JsValue,
    headers: Headers,
    again: Again,
}

/// How the body is sent a second time.
enum Again {
    /// With this value: nothing, text, or a copy of what may change.
    Body(JsValue),
    /// By a copy of the caller's `Request`.
    Copy(JsValue),
    /// Not at all: it is a stream.
    Never,
}

impl Request {
    /// Looks at the arguments of a call. What their getters throw is thrown on, as `fetch` would.
    pub(crate) fn capture(input: JsValue, init: JsValue) -> Result<Self, JsValue> {
        let init = repeatable(init)?;
        let is_request = function(&input, "clone")?.is_some() && get(&input, "url")?.is_string();
        let of = |key: &str| -> Result<JsValue, JsValue> {
            let own = get(&init, key)?;
            if own.is_undefined() && is_request { get(&input, key) } else { Ok(own) }
        };
        let headers = of("headers")?;
        let headers = if headers.is_undefined() { Headers::new()? } else { copy_of(&headers)? };
        let method = short(&of("method")?).unwrap_or_else(|| "GET".into());
        let signal = of("signal")?;
        let body = get(&init, "body")?;
        let again = if !body.is_null_or_undefined() {
            Self::again(&body)?
        } else if is_request && !get(&input, "bodyUsed")?.is_truthy() {
            Again::Copy(call(&input, "clone", &[])?)
        } else {
            Again::Body(body)
        };
        let url = if is_request { text_at(&input, "url") } else { absolute(&input) };
        Ok(Self { method: method.to_ascii_uppercase(), url, signal, headers, again, input, init })
    }

    fn again(body: &JsValue) -> Result<Again, JsValue> {
        if !body.is_object() {
            return Ok(Again::Body(body.clone()));
        }
        let tag = Reflect::get(body, &Symbol::to_string_tag()).ok().and_then(|tag| short(&tag));
        let streams = Reflect::get(body, &Symbol::async_iterator()).is_ok_and(|iterator| iterator.is_function());
        Ok(match tag.as_deref() {
            Some("ReadableStream") => Again::Never,
            Some("FormData") => Again::Body(form(body)?),
            Some("URLSearchParams") => Again::Body(construct("URLSearchParams", core::slice::from_ref(body))?),
            _ if streams => Again::Never,
            _ => Again::Body(bytes(body)?.unwrap_or_else(|| body.clone())),
        })
    }

    /// Whether a header is there.
    pub(crate) fn has(&self, header: &str) -> bool {
        self.headers.has(header).unwrap_or(false)
    }

    /// Whether the request can be sent twice.
    pub(crate) const fn repeats(&self) -> bool {
        !matches!(self.again, Again::Never)
    }

    /// Sends it as the caller made it.
    pub(crate) async fn send(&self, fetch: &Function) -> Result<JsValue, JsValue> {
        let answer = if self.init.is_undefined() {
            fetch.call1(&JsValue::UNDEFINED, &self.input)
        } else {
            fetch.call2(&JsValue::UNDEFINED, &self.input, &self.init)
        };
        settled(&answer?).await
    }

    /// Lets go of what was kept for a second time.
    pub(crate) fn done(&self) {
        if let Again::Copy(copy) = &self.again {
            discard(copy);
        }
    }

    /// Sends it with the payment, to `url`. A redirect is not followed: the payment is for this server alone.
    pub(crate) async fn send_paid(
        &self,
        fetch: &Function,
        url: &str,
        payment: (&str, &str),
    ) -> Result<JsValue, JsValue> {
        self.headers.set(payment.0, payment.1)?;
        let init = if self.init.is_object() {
            Object::assign(&Object::new(), self.init.unchecked_ref())
        } else {
            Object::new()
        };
        set(&init, "headers", &self.headers);
        let mut input: JsValue = url.into();
        let mut redirect = get(&init, "redirect")?;
        match &self.again {
            Again::Copy(copy) => {
                if redirect.is_undefined() {
                    redirect = get(copy, "redirect")?;
                }
                // With an init, `fetch` forgets the referrer of a Request unless it is said again.
                for key in ["referrer", "referrerPolicy"] {
                    let value = get(copy, key)?;
                    if get(&init, key)?.is_undefined() && value.is_string() {
                        set(&init, key, &value);
                    }
                }
                let same = text_at(copy, "url").as_deref() == Some(url);
                input = if same {
                    copy.clone()
                } else {
                    web_sys::Request::new_with_str_and_init(url, copy.unchecked_ref::<RequestInit>())?.into()
                };
            }
            Again::Body(body) if !body.is_undefined() => set(&init, "body", body),
            Again::Body(_) | Again::Never => {}
        }
        let errors = short(&redirect).is_some_and(|redirect| redirect == "error");
        set(&init, "redirect", &if errors { "error" } else { "manual" }.into());
        settled(&fetch.call2(&JsValue::UNDEFINED, &input, &init)?).await
    }
}

/// The init with headers that can be read twice: an iterator could not.
fn repeatable(init: JsValue) -> Result<JsValue, JsValue> {
    let headers = get(&init, "headers")?;
    let iterates = headers.is_object() && Reflect::get(&headers, &Symbol::iterator())?.is_function();
    let keeps = !iterates || headers.is_instance_of::<Array>() || function(&headers, "get")?.is_some();
    if keeps {
        return Ok(init);
    }
    let copy = Object::assign(&Object::new(), init.unchecked_ref());
    set(&copy, "headers", &Array::from(&headers));
    Ok(copy.into())
}

fn copy_of(headers: &JsValue) -> Result<Headers, JsValue> {
    construct("Headers", core::slice::from_ref(headers)).map(JsCast::unchecked_into)
}

/// The absolute form of a URL argument, against the page's own address where there is one.
fn absolute(input: &JsValue) -> Option<String> {
    let text = short(input).or_else(|| text_at(input, "href"))?;
    let global = js_sys::global();
    let base = text_at(&get(&global, "document").ok()?, "baseURI")
        .or_else(|| text_at(&get(&global, "location").ok()?, "href"));
    let url = match base {
        Some(base) => Url::new_with_base(&text, &base),
        None => Url::new(&text),
    };
    url.ok().map(|url| url.href())
}

/// A copy of a form: it may change before it is sent again.
fn form(body: &JsValue) -> Result<JsValue, JsValue> {
    let copy = construct("FormData", &[])?;
    let entries = js_sys::try_iter(body)?.into_iter().flatten();
    for entry in entries {
        let entry: Array = entry?.unchecked_into();
        call(&copy, "append", &[entry.get(0), entry.get(1)])?;
    }
    Ok(copy)
}

/// A copy of an `ArrayBuffer` or a view of one.
fn bytes(body: &JsValue) -> Result<Option<JsValue>, JsValue> {
    let view = if body.is_instance_of::<ArrayBuffer>() {
        Uint8Array::new(body)
    } else if ArrayBuffer::is_view(body) {
        let at = [get(body, "buffer")?, get(body, "byteOffset")?, get(body, "byteLength")?];
        construct("Uint8Array", &at)?.unchecked_into()
    } else {
        return Ok(None);
    };
    Ok(Some(view.slice(0, view.length()).into()))
}
