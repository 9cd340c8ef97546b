//! The payer as JavaScript holds it.

use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::cell::Cell;

use js_sys::{Function, Object, Promise, WeakMap};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use x402_core::error::Code;
use x402_core::evm::address::Address;

use crate::boundary::get;
use crate::fault::because;
use crate::flow;
use crate::options::Options;
use crate::steps::Steps;
use crate::waits::Waits;

/// What all calls of one payer share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    receipts: WeakMap,
    calls: Cell<u32>,
    account: Cell<Option<Address>>,
}

impl Shared {
    /// The steps of the next call.
    pub(crate) fn steps(&self) -> Steps {
        let call = self.calls.get().wrapping_add(1);
        self.calls.set(call);
        Steps::new(self.options.on_step.clone(), call)
    }

    /// Keeps what became of a payment beside its response.
    pub(crate) fn keep(&self, response: &JsValue, receipt: &JsValue) {
        if let Some(key) = response.dyn_ref::<Object>() {
            let frozen: Object = Object::freeze(receipt.unchecked_ref::<Object>());
            self.receipts.set(key, &frozen);
        }
    }

    /// The account that pays now.
    pub(crate) async fn account(&self, waits: &Waits) -> Result<Address, JsValue> {
        let account = self.options.wallet.address(waits).await?;
        self.account.set(Some(account));
        Ok(account)
    }

    /// The `fetch` of a call: the one given, the payer's, or the runtime's.
    pub(crate) fn fetch(&self, given: &JsValue) -> Result<Function, JsValue> {
        if let Some(given) = given.dyn_ref::<Function>() {
            return Ok(given.clone());
        }
        if let Some(own) = &self.options.fetch {
            return Ok(own.clone());
        }
        let global = get(&js_sys::global(), "fetch")?;
        global.dyn_into().map_err(|_| because(Code::PayerConfig, "this runtime has no fetch; give one in the options"))
    }
}

/// A payer: a wallet and a policy.
#[wasm_bindgen]
pub struct PayerCore {
    shared: Rc<Shared>,
}

#[wasm_bindgen]
impl PayerCore {
    /// Reads `createPayer`'s options.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &JsValue) -> Result<PayerCore, JsValue> {
        let options = Options::read(options)?;
        let account = Cell::new(options.wallet.known());
        let shared = Shared { options, receipts: WeakMap::new(), calls: Cell::new(0), account };
        Ok(Self { shared: Rc::new(shared) })
    }

    /// `fetch` that pays. `fetch` is the function to send with, or `undefined`.
    pub fn fetch(&self, fetch: JsValue, input: JsValue, init: JsValue) -> Promise {
        let shared = Rc::clone(&self.shared);
        future_to_promise(async move { flow::pay(&shared, &fetch, input, init).await })
    }

    /// What would be paid for a URL or by a response, without paying.
    pub fn explain(&self, what: JsValue, init: JsValue) -> Promise {
        let shared = Rc::clone(&self.shared);
        future_to_promise(async move { flow::explain(&shared, what, init).await })
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
        future_to_promise(async move {
            let account = shared.account(&Waits::on(JsValue::UNDEFINED)).await?;
            Ok(account.to_string().into())
        })
    }
}
