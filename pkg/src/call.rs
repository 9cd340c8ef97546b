//! One call before it meets anything: what it asks for, and what makes another one the same request.

use alloc::string::String;
use alloc::vec::Vec;

use wasm_bindgen::prelude::*;
use x402_core::client::audit::plain;
use x402_core::client::call::{Call, Identity};
use x402_core::client::request;
use x402_core::error::Code;
use x402_core::evm::hex;

use crate::boundary::text;
use crate::fault::fault;
use crate::functions::MAX_MESSAGE;

/// A call and its options.
#[wasm_bindgen]
#[derive(Clone)]
pub struct CallCore {
    pub(crate) options: Call,
    pub(crate) method: String,
    pub(crate) url: String,
    /// The URL as it may be logged.
    pub(crate) logged: String,
    pub(crate) identity: Option<Identity>,
}

#[wasm_bindgen]
impl CallCore {
    /// Takes a call's options as JSON, its method and URL, and whether it carries a payment, which is refused.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &JsValue, method: String, url: String, carries_payment: bool) -> Result<CallCore, JsValue> {
        request::refuse_paid(carries_payment).map_err(fault)?;
        let options = Call::read(&text(options, MAX_MESSAGE, Code::PayerConfig)?).map_err(fault)?;
        let logged = plain(&url);
        Ok(Self { options, method, url, logged, identity: None })
    }

    /// Whether its body says what it is.
    #[wasm_bindgen(getter, js_name = singleFlight)]
    pub fn single_flight(&self) -> bool {
        self.options.single_flight
    }

    /// Says how it may be logged.
    #[wasm_bindgen(js_name = logAs)]
    pub fn log_as(&mut self, url: String) {
        self.logged = url;
    }

    /// What makes another call the same request, by its `Idempotency-Key`, or by its headers and body; nothing when each is
    /// its own.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn identify(&mut self, key: Option<String>, headers: String, body: Vec<u8>) -> Option<String> {
        let flight = self.options.single_flight;
        self.identity = Identity::of(&self.method, &self.url, key.as_deref(), (&headers, &body), flight);
        self.identity.map(|identity| hex::encode(&identity.hash))
    }
}
