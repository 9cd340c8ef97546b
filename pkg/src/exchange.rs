//! One call that met a 402: what is paid, what is signed, what is sent, what came of it. Asked in this order.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use wasm_bindgen::prelude::*;
use x402_core::client::audit::{Facts, Who};
use x402_core::client::book::{Event, Kind, Outcome};
use x402_core::client::choose::{Choice, Judgement, choose, judge, why_not};
use x402_core::client::desk::{Stored, claim, ends, kind, quoted, received, signed};
use x402_core::client::explain::{explain, nothing_asked as explained_nothing};
use x402_core::client::intent::{Intent, Quote};
use x402_core::client::receipt::Receipt;
use x402_core::client::trace::Rule;
use x402_core::client::{again, clock, proof, receipt, request, wallet};
use x402_core::error::{Code, Error};
use x402_core::evm::address::Address;
use x402_core::evm::hex;
use x402_core::transport::http::payment_header;
use x402_core::types::amount::Amount;
use x402_core::types::json::{Message, Object, array, object};
use x402_core::types::network::Network;
use x402_core::types::required::PaymentRequired;
use x402_core::types::time::UnixSeconds;

use crate::boundary::{clock as own_clock, date, random};
use crate::call::CallCore;
use crate::fault::{because, fault};
use crate::key::forgetting;
use crate::payer::PayerCore;

/// How far a call has come.
enum Stage {
    Met,
    Chosen(Box<Choice>),
    Quoted(Box<Intent>),
    Sealed(Box<Quote>, Option<Box<Receipt>>),
}

/// A call that met terms.
#[wasm_bindgen]
pub struct Exchange {
    required: PaymentRequired,
    call: CallCore,
    who: Who,
    stage: Stage,
    /// What the book knows of the choice, and its price.
    of: Option<(Kind, Amount)>,
    /// How many of the quote's rules the policy asked; the book's come behind.
    rules: usize,
    /// The rules that no offer keeps, where none was chosen.
    against: Vec<Rule>,
    /// The header that carries the payment, as JSON.
    header: String,
    /// Whether the wallet was asked to sign: from then on it may.
    asked: bool,
    /// What the last turn came to.
    outcome: Option<Outcome>,
    /// The machine's time when the quote was made, and what the server's clock made of it.
    started: UnixSeconds,
    corrected: UnixSeconds,
}

impl Exchange {
    pub(crate) fn new(required: PaymentRequired, call: CallCore, who: &Who) -> Self {
        let task = call.options.task.clone().or_else(|| who.task.clone());
        Self {
            required,
            call,
            who: Who { task, ..who.clone() },
            stage: Stage::Met,
            of: None,
            rules: 0,
            against: Vec::new(),
            header: String::new(),
            asked: false,
            outcome: None,
            started: UnixSeconds(0),
            corrected: UnixSeconds(0),
        }
    }

    fn now(&self) -> UnixSeconds {
        self.corrected.plus(own_clock().since(self.started))
    }

    fn intent(&self) -> Result<&Intent, JsValue> {
        if let Stage::Quoted(intent) = &self.stage { Ok(intent) } else { Err(out_of_order()) }
    }

    fn quote_made(&self) -> Option<&Quote> {
        match &self.stage {
            Stage::Quoted(intent) => Some(&intent.quote),
            Stage::Sealed(quote, _) => Some(quote),
            Stage::Met | Stage::Chosen(_) => None,
        }
    }

    /// The event of a turn, the name it is logged under, and what is logged.
    fn event(&self, what: &str, detail: &str) -> Result<(Event, &'static str, Facts), JsValue> {
        let found = match (what, &self.stage, &self.of) {
            ("reserve" | "renew", Stage::Quoted(intent), Some((kind, price))) => {
                let times = (own_clock(), self.now());
                let asked = what == "renew" || detail == "asked";
                let quote = &intent.quote;
                let provable = self.who.proves.contains(&kind.network);
                let identity = (self.call.identity, provable);
                let event = claim(quote, (kind.clone(), *price), identity, asked, times);
                let name = if what == "reserve" { "reserved" } else { "approved" };
                (event, name, quoted(quote, &kind.origin, &self.call.logged))
            }
            ("send", Stage::Sealed(quote, _), _) => {
                let ends = ends(quote, (own_clock(), self.now()));
                (Event::Send { id: quote.id.clone(), payment: self.header.clone(), ends }, "sent", signed(quote))
            }
            ("answer", Stage::Sealed(quote, Some(receipt)), _) => {
                let paid = receipt.success && receipt.consistent;
                let status = detail.parse().unwrap_or_default();
                (Event::Answered { id: quote.id.clone(), paid }, "receipt", received(&quote.id, status, receipt))
            }
            ("fail", _, _) => {
                let facts = Facts::default().text("code", detail);
                match self.quote_made() {
                    Some(quote) => {
                        let id = quote.id.clone();
                        let facts = facts.text("id", &id);
                        let no = !self.asked || detail == Code::PayerWalletRejected.as_str();
                        if no { (Event::Release { id }, "released", facts) } else { (Event::Tick, "failed", facts) }
                    }
                    None => (Event::Tick, "refused", facts.text("url", &self.call.logged).rules(&self.against)),
                }
            }
            _ => return Err(out_of_order()),
        };
        Ok(found)
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
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn explain(
        &self,
        payer: &PayerCore,
        answered: &str,
        book: Option<String>,
        last: Option<String>,
    ) -> Result<String, JsValue> {
        let book = Stored { book: book.as_deref(), last: last.as_deref() }.book().map_err(fault)?;
        let urls = (self.call.url.as_str(), if answered.is_empty() { &self.call.url } else { answered });
        let (options, new) = (&self.call.options, (&book, &self.who, own_clock()));
        Ok(explain(&self.required, &payer.policy, options, urls, new).write())
    }

    /// Chooses an offer; answers with the URL to pay at. `answered` is the response's URL.
    pub fn choose(
        &mut self,
        payer: &PayerCore,
        answered: &str,
        redirected: bool,
        repeats: bool,
    ) -> Result<String, JsValue> {
        let CallCore { options, url, method, .. } = &self.call;
        let answered = if answered.is_empty() { url } else { answered };
        let choice = choose(&self.required, &payer.policy, options, url, answered).map_err(|error| {
            self.against = why_not(&self.required, &payer.policy, options, url, answered);
            fault(error)
        })?;
        let target = request::paid_url(method, url, answered, redirected, repeats).map_err(fault)?;
        self.of = Some((kind(&choice, &self.who), choice.price));
        self.stage = Stage::Chosen(Box::new(choice));
        Ok(target.into())
    }

    /// The questions to the nodes about what an account has of the tokens that it may pay in, as JSON: `network`, `asset` and
    /// the `question` of each. Empty where no node is known.
    pub fn funds(&self, payer: &PayerCore, account: &str) -> Result<String, JsValue> {
        let account = Address::parse(account).map_err(fault)?;
        let judge = |offer| judge(offer, &payer.policy, &self.call.options);
        let judged: Vec<Judgement> = self.required.offers.iter().map(judge).collect();
        let tokens = proof::fundable(&judged, &self.who.proves);
        Ok(array(tokens.iter().map(|(network, asset)| {
            object(|to| {
                to.text("network", network.as_str()).text("asset", &asset.to_checksum());
                to.text("question", &proof::ask_funds(asset, &account));
            })
        })))
    }

    /// Whether the book knows a payment of the same request for this account: what it costs is not asked for then.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn kept(&self, account: &str, book: Option<String>, last: Option<String>) -> Result<bool, JsValue> {
        let Some(identity) = self.call.identity else { return Ok(false) };
        let book = Stored { book: book.as_deref(), last: last.as_deref() }.book().map_err(fault)?;
        Ok(book.of_request(identity, account, own_clock()).next().is_some())
    }

    /// Whether another call may be the same request.
    #[wasm_bindgen(getter)]
    pub fn named(&self) -> bool {
        self.call.identity.is_some()
    }

    /// What a node says to one of them; the choice is made anew then. An answer that cannot be read says nothing.
    pub fn fund(&mut self, network: &str, asset: &str, answer: &str) {
        let token = Network::parse(network).and_then(|network| Ok((network, Address::parse(asset)?)));
        let funds = token.and_then(|(network, asset)| proof::funds(network, asset, answer));
        self.call.options.funds.extend(funds);
    }

    /// Makes the quote for the payer's account, as JSON. `server` is the answer's `Date` header, or nothing.
    pub fn quote(&mut self, payer: &PayerCore, account: &str, server: &JsValue) -> Result<String, JsValue> {
        let Stage::Chosen(choice) = core::mem::replace(&mut self.stage, Stage::Met) else {
            return Err(out_of_order());
        };
        let account = Address::parse(account).map_err(fault)?;
        self.started = own_clock();
        self.corrected = clock::now(self.started, date(server));
        let nonce = random()?;
        let intent =
            Intent::new(&self.required, *choice, &payer.policy, account, self.corrected, nonce, &self.call.url);
        let intent = Box::new(intent.map_err(fault)?);
        self.rules = intent.quote.rules.len();
        let quote = intent.quote.write();
        self.stage = Stage::Quoted(intent);
        Ok(quote)
    }

    /// Lets the validity begin now: an approval may have taken its time. It is to be reserved anew then.
    pub fn renew(&mut self, payer: &PayerCore) -> Result<(), JsValue> {
        let now = self.now();
        let Stage::Quoted(intent) = &mut self.stage else { return Err(out_of_order()) };
        intent.renew(&payer.policy, now).map_err(fault)
    }

    /// The seconds that a wallet may take.
    #[wasm_bindgen(getter)]
    pub fn seconds(&self) -> Result<u32, JsValue> {
        Ok(u32::try_from(self.intent()?.seconds_left(self.now())).unwrap_or(u32::MAX))
    }

    /// The parameters of `wallet_switchEthereumChain`, unless the provider is on the chain already.
    #[wasm_bindgen(js_name = switchFrom)]
    pub fn switch_from(&self, current: &str) -> Result<Option<String>, JsValue> {
        Ok(wallet::switch(self.intent()?.chain_id(), current))
    }

    /// The document to sign, as JSON.
    pub fn document(&mut self) -> Result<String, JsValue> {
        self.asked = true;
        Ok(self.intent()?.typed_data.write())
    }

    /// Signs with the payer's own key, as hex.
    pub fn sign(&mut self, payer: &PayerCore) -> Result<String, JsValue> {
        self.asked = true;
        let key = payer.key.as_ref().ok_or_else(out_of_order)?;
        let digest = self.intent()?.typed_data.digest();
        Ok(forgetting(|| hex::encode(&key.sign(&digest).to_bytes())))
    }

    /// An update of the store in which something happens, as JSON: `{ book, entries }`; nothing where there is nothing to write.
    /// `what` is `reserve` (`detail` is `asked` when somebody is), `renew`, `send`, `answer` (with its status) or `fail` (with
    /// the code). May be asked again, with what another store has kept.
    #[expect(clippy::needless_pass_by_value, reason = "the boundary hands over what it made")]
    pub fn turn(
        &mut self,
        payer: &PayerCore,
        book: Option<String>,
        last: Option<String>,
        what: &str,
        detail: &str,
    ) -> Result<Option<String>, JsValue> {
        let stored = Stored { book: book.as_deref(), last: last.as_deref() };
        let (event, name, facts) = self.event(what, detail)?;
        let update = stored.update(&payer.policy, &self.who, (&event, name, &facts), own_clock()).map_err(fault)?;
        let waits = matches!(update.outcome, Outcome::Wait) && update.entries.is_empty();
        let written = if waits { None } else { Some(update.write()) };
        self.outcome = Some(update.outcome);
        Ok(written)
    }

    /// What the last turn comes to, once it is written, as JSON: the `quote` with every rule that was asked, whether to
    /// `wait`, or the `header` of a payment that is presented again. Fails with the refusal.
    pub fn conclude(&mut self) -> Result<String, JsValue> {
        match self.outcome.take() {
            Some(Outcome::Refused(error, _)) => Err(fault(error)),
            Some(Outcome::Wait) => Ok("{\"wait\":true}".into()),
            Some(Outcome::Reserved(trace)) => {
                let Stage::Quoted(intent) = &mut self.stage else { return Err(out_of_order()) };
                intent.quote.rules.truncate(self.rules);
                intent.quote.rules.extend(trace.0);
                let quote = intent.quote.write();
                Ok(object(|to| {
                    to.json("quote", &quote);
                }))
            }
            Some(Outcome::Present(open)) => {
                let Stage::Quoted(intent) = &self.stage else { return Err(out_of_order()) };
                let header = open.payment.clone().ok_or_else(out_of_order)?;
                let quote = Box::new(intent.quote.presenting(&open));
                let written = quote.write();
                self.asked = true;
                self.stage = Stage::Sealed(quote, None);
                Ok(object(|to| {
                    to.json("quote", &written).json("header", &header);
                }))
            }
            Some(Outcome::Done) => Ok("{}".into()),
            // A store that did not ask has not written either.
            None => Err(fault(Code::PayerStoreFailed.into())),
        }
    }

    /// Puts the signature to the payment; answers with the header that carries it, as JSON.
    pub fn seal(&mut self, signature: &str) -> Result<String, JsValue> {
        let now = self.now();
        let Stage::Quoted(intent) = core::mem::replace(&mut self.stage, Stage::Met) else {
            return Err(out_of_order());
        };
        // Whatever comes of it, something was signed for this quote.
        self.stage = Stage::Sealed(Box::new(intent.quote.clone()), None);
        intent.still_valid(now).map_err(fault)?;
        let signature = hex::decode(signature).map_err(|_| because(Code::PayerWalletFailed, "it gave no signature"))?;
        let (name, value) = payment_header(&intent.seal(&signature).map_err(fault)?);
        self.header = Header { name, value }.write();
        Ok(self.header.to_string())
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
    pub fn lost(&self, sent: u32) -> Result<Option<u32>, JsValue> {
        let Stage::Sealed(quote, _) = &self.stage else { return Err(out_of_order()) };
        Ok(again::after_loss(quote, &self.call.method, sent, self.now()).and_then(|pause| u32::try_from(pause).ok()))
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
