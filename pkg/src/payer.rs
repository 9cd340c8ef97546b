//! A payer: a policy, and the key if it holds one itself.

use alloc::string::String;

use wasm_bindgen::prelude::*;
use x402_core::client::policy::Policy;
use x402_core::client::{request, wallet};
use x402_core::error::Code;
use x402_core::evm::address::Address;
use x402_core::evm::signature::SecretKey;

use crate::boundary::text;
use crate::exchange::Exchange;
use crate::fault::{because, fault};
use crate::functions::MAX_MESSAGE;
use crate::key;

/// What all calls of one payer share.
#[wasm_bindgen]
pub struct PayerCore {
    pub(crate) key: Option<SecretKey>,
    pub(crate) policy: Policy,
    account: Option<Address>,
}

#[wasm_bindgen]
impl PayerCore {
    /// Takes a policy's JSON and a private key, or the address of a wallet that has one, or neither.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &JsValue, secret: &JsValue, address: &JsValue) -> Result<PayerCore, JsValue> {
        let policy = Policy::read(&text(policy, MAX_MESSAGE, Code::PayerConfig)?).map_err(fault)?;
        if !policy.budgets.is_empty() || policy.pin_recipients {
            return Err(because(Code::PayerConfig, "budgets and pinRecipients need a book, which is not kept yet"));
        }
        let key = if secret.is_undefined() { None } else { Some(key::secret(secret)?) };
        let account = match &key {
            Some(key) => Some(key.address()),
            None if address.is_undefined() => None,
            None => {
                let named = Address::parse(&text(address, MAX_MESSAGE, Code::PayerConfig)?);
                Some(named.map_err(|_| because(Code::PayerConfig, "wallet.address is no address"))?)
            }
        };
        Ok(Self { key, policy, account })
    }

    /// The account that pays, as far as it is known.
    #[wasm_bindgen(getter)]
    pub fn address(&self) -> Option<String> {
        self.account.map(Address::to_checksum)
    }

    /// Takes the account that a provider named.
    pub fn account(&mut self, text: &str) -> Result<String, JsValue> {
        let account = wallet::account(text).map_err(fault)?;
        self.account = Some(account);
        Ok(account.to_checksum())
    }

    /// Whether terms are looked for in the body of a 402 with or without a header.
    #[wasm_bindgen(js_name = readsBody)]
    pub fn reads_body(&self, has_header: bool) -> bool {
        request::reads_body(&self.policy, has_header)
    }

    /// Reads the terms of a 402; nothing when it is a 402 of something else.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn meet(&self, header: Option<String>, body: Option<String>) -> Result<Option<Exchange>, JsValue> {
        let required = request::terms(header.as_deref(), body.as_deref()).map_err(fault)?;
        Ok(required.map(Exchange::new))
    }
}

/// Refuses a request that carries a payment.
#[wasm_bindgen(js_name = refusePaid)]
pub fn refuse_paid(signature: bool, x_payment: bool) -> Result<(), JsValue> {
    request::refuse_paid(signature || x_payment).map_err(fault)
}
