//! Waiting that ends: with the caller's `AbortSignal`, or with a deadline.

use alloc::rc::Rc;
use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::boundary::{call, get};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(handler: &JsValue, milliseconds: u32) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

/// The longest timer that runtimes keep.
const MAX_TIMER: u32 = 0x7fff_ffff;

/// How a wait ended without its value.
pub(crate) enum Ended {
    /// What was waited for failed with this.
    Failed(JsValue),
    /// The caller's signal fired, with this reason.
    Aborted(JsValue),
    /// The deadline passed.
    TimedOut,
}

/// Rings once and wakes the task that waits for it.
#[derive(Default)]
struct Bell {
    rung: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Bell {
    /// A bell and the JavaScript function that rings it.
    fn new() -> (Rc<Self>, Closure<dyn FnMut()>) {
        let bell = Rc::new(Self::default());
        let rope = Rc::clone(&bell);
        let ring = Closure::new(move || {
            rope.rung.set(true);
            if let Some(waker) = rope.waker.take() {
                waker.wake();
            }
        });
        (bell, ring)
    }

    fn has_rung(&self, context: &Context<'_>) -> bool {
        self.waker.set(Some(context.waker().clone()));
        self.rung.get()
    }
}

/// The caller's signal, listened to while a call runs.
pub(crate) struct Waits {
    signal: JsValue,
    fired: Rc<Bell>,
    listener: Closure<dyn FnMut()>,
}

impl Waits {
    /// Listens to a signal; `null` and `undefined` never fire.
    pub(crate) fn on(signal: JsValue) -> Self {
        let (fired, listener) = Bell::new();
        let _ = call(&signal, "addEventListener", &["abort".into(), listener.as_ref().clone()]);
        Self { signal, fired, listener }
    }

    /// Fails with what `fetch` would reject with, once the signal has fired.
    pub(crate) fn check(&self) -> Result<(), JsValue> {
        let aborted = get(&self.signal, "aborted").is_ok_and(|aborted| aborted.is_truthy());
        if aborted { Err(get(&self.signal, "reason").unwrap_or(JsValue::UNDEFINED)) } else { Ok(()) }
    }

    /// Waits for a value or a promise, until the signal fires or `seconds` have passed.
    pub(crate) async fn until(&self, value: &JsValue, seconds: u64) -> Result<JsValue, Ended> {
        let mut value = JsFuture::from(Promise::resolve(value));
        let deadline = Deadline::new(seconds);
        poll_fn(|context| {
            if let Err(reason) = self.check() {
                return Poll::Ready(Err(Ended::Aborted(reason)));
            }
            // Both bells learn who waits, whichever rings first.
            let (_, late) = (self.fired.has_rung(context), deadline.passed.has_rung(context));
            match Pin::new(&mut value).poll(context) {
                Poll::Ready(outcome) => Poll::Ready(outcome.map_err(Ended::Failed)),
                Poll::Pending if late => Poll::Ready(Err(Ended::TimedOut)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let _ = call(&self.signal, "removeEventListener", &["abort".into(), self.listener.as_ref().clone()]);
    }
}

/// A timer that is gone with its wait.
struct Deadline {
    timer: JsValue,
    passed: Rc<Bell>,
    _ring: Closure<dyn FnMut()>,
}

impl Deadline {
    fn new(seconds: u64) -> Self {
        let (passed, ring) = Bell::new();
        let milliseconds = u32::try_from(seconds.saturating_mul(1000)).unwrap_or(MAX_TIMER).min(MAX_TIMER);
        let timer = set_timeout(ring.as_ref(), milliseconds);
        Self { timer, passed, _ring: ring }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        clear_timeout(&self.timer);
    }
}
