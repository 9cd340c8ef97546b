//! One call that met a 402: what is paid, what is signed, what is sent, what came of it. Asked in this order.

use alloc::boxed::Box;
use alloc::string::String;

use wasm_bindgen::prelude::*;
use x402_core::client::audit::Who;
use x402_core::client::book::Book;
use x402_core::client::call::Call;
use x402_core::client::choose::{Choice, choose};
use x402_core::client::explain::{explain, nothing_asked as explained_nothing};
use x402_core::client::intent::{Intent, Quote};
use x402_core::client::receipt::Receipt;
use x402_core::client::{again, clock, receipt, request, wallet};
use x402_core::error::{Code, Error};
use x402_core::evm::address::Address;
use x402_core::evm::hex;
use x402_core::transport::http::payment_header;
use x402_core::types::json::{Message, Object};
use x402_core::types::required::PaymentRequired;
use x402_core::types::time::UnixSeconds;

use crate::boundary::{clock as own_clock, date, random};
use crate::fault::{because, fault};
use crate::payer::PayerCore;

/// How far a call has come.
enum Stage {
    Met,
    Chosen(Box<Choice>, String),
    Quoted(Box<Intent>),
    Sealed(Box<Quote>, Option<Box<Receipt>>),
}

/// A call that met terms.
#[wasm_bindgen]
pub struct Exchange {
    required: PaymentRequired,
    stage: Stage,
    /// The machine's time when the quote was made, and what the server's clock made of it.
    started: UnixSeconds,
    corrected: UnixSeconds,
}

impl Exchange {
    pub(crate) const fn new(required: PaymentRequired) -> Self {
        Self { required, stage: Stage::Met, started: UnixSeconds(0), corrected: UnixSeconds(0) }
    }

    fn now(&self) -> UnixSeconds {
        self.corrected.plus(own_clock().since(self.started))
    }

    fn intent(&self) -> Result<&Intent, JsValue> {
        if let Stage::Quoted(intent) = &self.stage { Ok(intent) } else { Err(out_of_order()) }
    }
}

#[wasm_bindgen]
impl Exchange {
    /// The version of x402 that the terms are written in.
    #[wasm_bindgen(getter)]
    pub fn version(&self) -> u8 {
        self.required.version.number()
    }

    /// What would be paid, and why or why not, as JSON.
    pub fn explain(&self, payer: &PayerCore, asked: &str, answered: &str) -> String {
        {
            let new = (&Book::default(), &Who::default(), own_clock());
            explain(&self.required, &payer.policy, &Call::default(), (asked, answered), new).write()
        }
    }

    /// Chooses an offer; answers with the URL to pay at. `asked` is the URL of the call and `answered` the response's.
    pub fn choose(
        &mut self,
        payer: &PayerCore,
        method: &str,
        asked: &str,
        answered: &str,
        redirected: bool,
        repeats: bool,
    ) -> Result<String, JsValue> {
        let choice = choose(&self.required, &payer.policy, &Call::default(), asked, answered).map_err(fault)?;
        let target = request::paid_url(method, asked, answered, redirected, repeats).map_err(fault)?;
        self.stage = Stage::Chosen(Box::new(choice), asked.into());
        Ok(target.into())
    }

    /// Makes the quote for the payer's account, as JSON. `server` is the answer's `Date` header, or nothing.
    pub fn quote(&mut self, payer: &PayerCore, account: &str, server: &JsValue) -> Result<String, JsValue> {
        let Stage::Chosen(choice, url) = core::mem::replace(&mut self.stage, Stage::Met) else {
            return Err(out_of_order());
        };
        let account = Address::parse(account).map_err(fault)?;
        self.started = own_clock();
        self.corrected = clock::now(self.started, date(server));
        let nonce = random()?;
        let intent = Intent::new(&self.required, *choice, &payer.policy, account, self.corrected, nonce, &url);
        let intent = Box::new(intent.map_err(fault)?);
        let quote = intent.quote.write();
        self.stage = Stage::Quoted(intent);
        Ok(quote)
    }

    /// Lets the validity begin now: an approval may have taken its time. Answers with the seconds a wallet may take.
    pub fn renew(&mut self, payer: &PayerCore) -> Result<u32, JsValue> {
        let now = self.now();
        let Stage::Quoted(intent) = &mut self.stage else { return Err(out_of_order()) };
        intent.renew(&payer.policy, now).map_err(fault)?;
        Ok(u32::try_from(intent.seconds_left(now)).unwrap_or(u32::MAX))
    }

    /// The parameters of `wallet_switchEthereumChain`, unless the provider is on the chain already.
    #[wasm_bindgen(js_name = switchFrom)]
    pub fn switch_from(&self, current: &str) -> Result<Option<String>, JsValue> {
        Ok(wallet::switch(self.intent()?.chain_id(), current))
    }

    /// The document to sign, as JSON.
    pub fn document(&self) -> Result<String, JsValue> {
        Ok(self.intent()?.typed_data.write())
    }

    /// Signs with the payer's own key, as hex.
    pub fn sign(&self, payer: &PayerCore) -> Result<String, JsValue> {
        let key = payer.key.as_ref().ok_or_else(out_of_order)?;
        let signature = key.sign(&self.intent()?.typed_data.digest());
        Ok(hex::encode(&signature.to_bytes()))
    }

    /// Puts the signature to the payment; answers with the header that carries it, as JSON.
    pub fn seal(&mut self, signature: &str) -> Result<String, JsValue> {
        let now = self.now();
        let Stage::Quoted(intent) = core::mem::replace(&mut self.stage, Stage::Met) else {
            return Err(out_of_order());
        };
        intent.still_valid(now).map_err(fault)?;
        let quote = Box::new(intent.quote.clone());
        let signature = hex::decode(signature).map_err(|_| because(Code::PayerWalletFailed, "it gave no signature"))?;
        let (name, value) = payment_header(&intent.seal(&signature).map_err(fault)?);
        self.stage = Stage::Sealed(quote, None);
        Ok(Header { name, value }.write())
    }

    /// What became of the payment, by the settlement header of the answer, as JSON.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn receipt(&mut self, header: Option<String>) -> Result<String, JsValue> {
        let Stage::Sealed(quote, last) = &mut self.stage else { return Err(out_of_order()) };
        let receipt = last.insert(Box::new(receipt::read(header.as_deref(), quote)));
        Ok(receipt.write())
    }

    /// Seconds after which the same payment is sent again, or nothing when the answer is the last one. `sent` says how
    /// often it was sent; the receipt was read before.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn again(&self, status: u16, retry_after: Option<String>, sent: u32) -> Result<Option<u32>, JsValue> {
        let Stage::Sealed(quote, Some(receipt)) = &self.stage else { return Err(out_of_order()) };
        let pause = again::after_answer(quote, receipt, status, retry_after.as_deref(), sent, self.now());
        Ok(pause.and_then(|pause| u32::try_from(pause).ok()))
    }

    /// Seconds after which the same payment is sent again because no answer came, or nothing when it is not.
    pub fn lost(&self, method: &str, sent: u32) -> Result<Option<u32>, JsValue> {
        let Stage::Sealed(quote, _) = &self.stage else { return Err(out_of_order()) };
        Ok(again::after_loss(quote, method, sent, self.now()).and_then(|pause| u32::try_from(pause).ok()))
    }
}

/// A request header.
struct Header {
    name: &'static str,
    value: String,
}

impl Message for Header {
    fn members(&self, to: &mut Object) {
        to.text("name", self.name).text("value", &self.value);
    }
}

fn out_of_order() -> JsValue {
    fault(Error::from(Code::PayerInternal))
}

/// What is said of an answer that asks for nothing, as JSON.
#[wasm_bindgen(js_name = nothingAsked)]
pub fn nothing_asked(status: u16) -> String {
    explained_nothing(status).write()
}
