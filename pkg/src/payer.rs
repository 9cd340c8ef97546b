//! A payer: a policy, and the key if it holds one itself.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use wasm_bindgen::prelude::*;
use x402_core::client::audit::{Facts, Who, verify};
use x402_core::client::book::Event;
use x402_core::client::desk::{Stored, left};
use x402_core::client::policy::Policy;
use x402_core::client::{proof, request, wallet};
use x402_core::error::Code;
use x402_core::evm::address::Address;
use x402_core::evm::signature::SecretKey;
use x402_core::types::amount::decimal;
use x402_core::types::json::{Fields, Message, array, object};

use crate::boundary::{clock, text};
use crate::call::CallCore;
use crate::exchange::Exchange;
use crate::fault::{because, fault};
use crate::functions::MAX_MESSAGE;
use crate::key;

/// What all calls of one payer share.
#[wasm_bindgen]
pub struct PayerCore {
    pub(crate) key: Option<Box<SecretKey>>,
    pub(crate) policy: Policy,
    account: Option<Address>,
    who: Who,
}

#[wasm_bindgen]
impl PayerCore {
    /// Takes a policy's JSON, `owner` and `task` as JSON, and a private key, or the address of a wallet that has one, or
    /// neither.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &JsValue, who: &JsValue, secret: &JsValue, address: &JsValue) -> Result<PayerCore, JsValue> {
        let policy = Policy::read(&text(policy, MAX_MESSAGE, Code::PayerConfig)?).map_err(fault)?;
        let who = Who::read(&text(who, MAX_MESSAGE, Code::PayerConfig)?).map_err(fault)?;
        let key = if secret.is_undefined() { None } else { Some(key::secret(secret)?) };
        let account = match &key {
            Some(key) => Some(key::forgetting(|| key.address())),
            None if address.is_undefined() => None,
            None => {
                let named = Address::parse(&text(address, MAX_MESSAGE, Code::PayerConfig)?);
                Some(named.map_err(|_| because(Code::PayerConfig, "wallet.address is no address"))?)
            }
        };
        Ok(Self { key, policy, account, who })
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
    pub fn meet(
        &self,
        header: Option<String>,
        body: Option<String>,
        call: &CallCore,
    ) -> Result<Option<Exchange>, JsValue> {
        let required = request::terms(header.as_deref(), body.as_deref()).map_err(fault)?;
        Ok(required.map(|required| Exchange::new(required, call.clone(), &self.who)))
    }

    /// Whether the policy holds payments against those before them.
    #[wasm_bindgen(getter)]
    pub fn budgeted(&self) -> bool {
        !self.policy.budgets.is_empty() || self.policy.pin_recipients
    }

    /// Every budget with what is spent of it and left, as JSON.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn spent(&self, book: Option<String>, last: Option<String>) -> Result<String, JsValue> {
        let book = Stored { book: book.as_deref(), last: last.as_deref() }.book().map_err(fault)?;
        let left = left(&book, &self.policy, self.who.task.as_deref(), clock());
        Ok(array(left.iter().map(Message::write)))
    }

    /// The number of the last entry that the book knows of the log, as text. `last` is the log's own.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn logged(&self, book: Option<String>, last: Option<String>) -> Result<String, JsValue> {
        let stored = Stored { book: book.as_deref(), last: last.as_deref() };
        let count = stored.book().map_err(fault)?.count;
        if last.is_none() && count > 0 {
            return Err(because(Code::PayerLogBroken, "it is not there"));
        }
        Ok(decimal(count))
    }

    /// An update of the store that begins anew, as JSON.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn reset(&self, book: Option<String>, last: Option<String>) -> String {
        Stored { book: book.as_deref(), last: last.as_deref() }.reset(&self.who, clock()).write()
    }

    /// Holds a node's answer to [`ask_chain`] against the network that it is named for.
    #[wasm_bindgen(js_name = holdChain)]
    pub fn hold_chain(&self, network: &str, answer: &str) -> Result<(), JsValue> {
        proof::is_chain(network, answer).map_err(fault)
    }

    /// The questions for the chain of a network, as JSON: for its last final block, and with its answer one for each payment
    /// that has ended unconfirmed, by its name.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn questions(
        &self,
        book: Option<String>,
        last: Option<String>,
        network: &str,
        block: Option<String>,
    ) -> Result<String, JsValue> {
        let Some(block) = block else { return Ok(proof::ask_block()) };
        let book = Stored { book: book.as_deref(), last: last.as_deref() }.book().map_err(fault)?;
        let block = proof::block(&block).map_err(fault)?;
        let mut questions = Vec::new();
        for open in proof::unproven(&book, network, &block) {
            questions.push((open.id.clone(), proof::ask_used(open, &block).map_err(fault)?));
        }
        Ok(object(|to| {
            for (id, question) in &questions {
                to.text(id, question);
            }
        }))
    }

    /// An update of the store by the chain's answer about one payment, as JSON.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn proved(
        &self,
        book: Option<String>,
        last: Option<String>,
        id: &str,
        block: &str,
        answer: &str,
    ) -> Result<String, JsValue> {
        let block = proof::block(block).map_err(fault)?;
        let event = proof::proved(id, answer, &block).map_err(fault)?;
        let used = matches!(event, Event::Proved { used: true, .. });
        let facts = Facts::default().text("id", id).text("reason", "the chain");
        let name = if used { "settled" } else { "released" };
        let stored = Stored { book: book.as_deref(), last: last.as_deref() };
        let update = stored.update(&self.policy, &self.who, (&event, name, &facts), clock()).map_err(fault)?;
        Ok(update.write())
    }

    /// An update of the store by the chain's answer about a payment, as JSON: whether what was signed has moved. Nothing while
    /// the node does not know. `paid` is as in [`proof::ask_moved`].
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn confirmed(
        &self,
        book: Option<String>,
        last: Option<String>,
        paid: &str,
        answer: &str,
    ) -> Result<Option<String>, JsValue> {
        let Some(moved) = proof::moved(paid, answer).map_err(fault)? else { return Ok(None) };
        let paid = Fields::read(paid, Code::PayerStoreBroken).map_err(fault)?;
        let text = |key| paid.text(key).map_err(fault);
        let facts = Facts::default().text("id", &text("id")?).text("transaction", &text("transaction")?);
        let name = if moved { "confirmed" } else { "contradicted" };
        let stored = Stored { book: book.as_deref(), last: last.as_deref() };
        let update = stored.update(&self.policy, &self.who, (&Event::Tick, name, &facts), clock()).map_err(fault)?;
        Ok(Some(update.write()))
    }
}

/// The question to a node which chain it is of.
#[wasm_bindgen(js_name = askChain)]
pub fn ask_chain() -> String {
    proof::ask_chain()
}

/// The question to a node about what became of a payment.
#[wasm_bindgen(js_name = askMoved)]
pub fn ask_moved(paid: &str) -> Result<String, JsValue> {
    proof::ask_moved(paid).map_err(fault)
}

/// Holds the lines of a log against each other, from the entry of this number on; answers with the number of the last.
#[wasm_bindgen(js_name = verifyLog)]
pub fn verify_log(lines: &str, first: u32) -> Result<String, JsValue> {
    let last = verify(lines, first.into()).map_err(fault)?;
    Ok(decimal(last.map_or(0, |(seq, _)| seq)))
}
