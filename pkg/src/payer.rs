//! The payer as JavaScript holds it.

use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::cell::Cell;

use js_sys::{Function, Object, Promise, WeakMap};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use x402_core::client::policy::Policy;
use x402_core::error::Code;
use x402_core::evm::address::Address;

use crate::boundary::{get, text};
use crate::fault::fault;
use crate::flow;
use crate::functions::MAX_MESSAGE;
use crate::wallet::Wallet;

/// What all calls of one payer share.
pub(crate) struct Shared {
    pub(crate) wallet: Wallet,
    pub(crate) policy: Policy,
    pub(crate) approve: Option<Function>,
    pub(crate) on_step: JsValue,
    receipts: WeakMap,
    calls: Cell<u32>,
    account: Cell<Option<Address>>,
}

impl Shared {
    /// The number of the next call.
    pub(crate) fn call(&self) -> u32 {
        self.calls.replace(self.calls.get().wrapping_add(1))
    }

    /// Keeps what became of a payment beside its response.
    pub(crate) fn keep(&self, response: &JsValue, receipt: &JsValue) {
        if let Some(key) = response.dyn_ref::<Object>() {
            self.receipts.set(key, receipt);
        }
    }

    /// The account that pays now.
    pub(crate) async fn account(&self, signal: &JsValue) -> Result<Address, JsValue> {
        let account = self.wallet.address(signal).await?;
        self.account.set(Some(account));
        Ok(account)
    }
}

/// A payer: a wallet and a policy.
#[wasm_bindgen]
pub struct PayerCore {
    shared: Rc<Shared>,
}

#[wasm_bindgen]
impl PayerCore {
    /// Takes the options that `js/options.js` took apart.
    #[wasm_bindgen(constructor)]
    pub fn new(parts: &JsValue) -> Result<PayerCore, JsValue> {
        let policy = text(&get(parts, "policy"), MAX_MESSAGE, Code::PayerConfig)?;
        let wallet = Wallet::open(parts)?;
        let shared = Shared {
            account: Cell::new(wallet.known()),
            wallet,
            policy: Policy::read(&policy).map_err(fault)?,
            approve: get(parts, "approve").dyn_into().ok(),
            on_step: get(parts, "onStep"),
            receipts: WeakMap::new(),
            calls: Cell::new(1),
        };
        Ok(Self { shared: Rc::new(shared) })
    }

    /// `fetch` that pays, over a `fetch` that does not.
    pub fn fetch(&self, fetch: Function, input: JsValue, init: JsValue) -> Promise {
        let shared = Rc::clone(&self.shared);
        future_to_promise(async move { flow::pay(&shared, fetch, &input, &init).await })
    }

    /// What would be paid by a response that answers a request for `asked`, without paying.
    pub fn explain(&self, response: JsValue, asked: String) -> Promise {
        let shared = Rc::clone(&self.shared);
        future_to_promise(async move { flow::explain(&shared, &response, &asked).await })
    }

    /// What became of the payment that a response answers; `undefined` if it answers none.
    pub fn receipt(&self, response: &JsValue) -> JsValue {
        response.dyn_ref::<Object>().map_or(JsValue::UNDEFINED, |key| self.shared.receipts.get(key))
    }

    /// The account that pays, as far as it is known.
    #[wasm_bindgen(getter)]
    pub fn address(&self) -> Option<String> {
        self.shared.account.get().map(|account| account.to_string())
    }

    /// Asks the wallet for its account.
    pub fn connect(&self) -> Promise {
        let shared = Rc::clone(&self.shared);
        future_to_promise(async move { Ok(shared.account(&JsValue::UNDEFINED).await?.to_string().into()) })
    }
}
