//! What happens in a call, told to whoever wants to show it.

use js_sys::{Function, Object};
use wasm_bindgen::prelude::*;

use crate::boundary::set;

#[wasm_bindgen]
extern "C" {
    /// Milliseconds of a clock that does not jump.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> JsValue;
}

/// The listener of one call.
pub(crate) struct Steps {
    listener: Option<Function>,
    call: u32,
}

impl Steps {
    /// The steps of a call with this number.
    pub(crate) const fn new(listener: Option<Function>, call: u32) -> Self {
        Self { listener, call }
    }

    /// Tells one step with its data. A listener that throws changes nothing.
    pub(crate) fn tell(&self, step: &str, data: &[(&str, JsValue)]) {
        let Some(listener) = &self.listener else { return };
        let event = Object::new();
        set(&event, "step", &step.into());
        set(&event, "call", &self.call.into());
        set(&event, "at", &performance_now());
        for (key, value) in data {
            set(&event, key, value);
        }
        let _ = listener.call1(&JsValue::UNDEFINED, &event);
    }
}
