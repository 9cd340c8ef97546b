//! One call: ask, read the terms, let the core decide, let the wallet sign, ask again with the payment.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use js_sys::Function;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;
use x402_core::client::choose::{Choice, choose};
use x402_core::client::explain::{explain as explained, nothing_asked};
use x402_core::client::intent::{Intent, Quote};
use x402_core::client::{clock, receipt, request as rules};
use x402_core::error::{Code, Error};
use x402_core::evm::address::Address;
use x402_core::transport::http::{
    MAX_RESPONSE_HEADER, PAYMENT_REQUIRED, PAYMENT_RESPONSE, X_PAYMENT_RESPONSE, payment_header,
};
use x402_core::types::json;
use x402_core::types::required::PaymentRequired;
use x402_core::types::time::UnixSeconds;

use crate::boundary::{bounded, clock as own_clock, date, get, object, parsed, random, settled, text_at, whole};
use crate::fault::{caused, detailed, fault};
use crate::payer::Shared;
use crate::platform::{self, Call, Outcome};

/// The status that asks for a payment.
const STATUS: u64 = 402;
/// Bytes of a response header, and of a body with terms, that are read.
const MAX_TERMS: u32 = 64 * 1024;
/// Seconds that a 402 may take to say what it wants.
const PATIENCE: u32 = 10;

/// `fetch` with at most one payment.
pub(crate) async fn pay(payer: &Shared, fetch: Function, input: &JsValue, init: &JsValue) -> Result<JsValue, JsValue> {
    let call = Call::new(input, init)?;
    rules::refuse_paid(|header| call.has(header)).map_err(fault)?;
    let response = settled(&call.send(&fetch)?).await?;
    let outcome = match terms(payer, &response, &call.signal()).await {
        Ok(Some(required)) => {
            // Its headers are all that is needed; an unread body would hold the connection.
            let _ = platform::discard(as_response(&response));
            let exchange = Exchange { payer, fetch: &fetch, call: &call, response: &response, number: payer.call() };
            exchange.settle(&required).await
        }
        Ok(None) => Ok(response),
        Err(error) => Err(error),
    };
    call.done();
    outcome
}

/// A call that met terms.
struct Exchange<'a> {
    payer: &'a Shared,
    fetch: &'a Function,
    call: &'a Call,
    response: &'a JsValue,
    number: u32,
}

/// The time, as the server's clock corrects it.
struct Now {
    started: UnixSeconds,
    corrected: UnixSeconds,
}

impl Now {
    fn read(&self) -> UnixSeconds {
        self.corrected.plus(own_clock().since(self.started))
    }
}

impl Exchange<'_> {
    async fn settle(&self, required: &PaymentRequired) -> Result<JsValue, JsValue> {
        let outcome = self.decide_and_pay(required).await;
        if let Err(error) = &outcome {
            let code = text_at(error, "code").unwrap_or_default();
            self.tell("refused", &["{\"code\":", &json::write(&code), "}"]);
        }
        outcome
    }

    async fn decide_and_pay(&self, required: &PaymentRequired) -> Result<JsValue, JsValue> {
        let signal = self.call.signal();
        let payer = self.payer;
        let (choice, target) = self.choose(required)?;
        let account = payer.account(&signal).await?;
        let now = self.now();
        let mut intent = self.intent(required, choice, account, &now)?;
        if let Some(approve) = &payer.approve {
            self.approve(approve, &intent.quote, &signal).await?;
            intent.renew(&payer.policy, now.read()).map_err(fault)?;
        }
        let seconds = u32::try_from(intent.seconds_left(now.read())).unwrap_or(u32::MAX);
        let signature = payer.wallet.sign(&intent, &signal, seconds).await?;
        let (sent, quote) = self.send(intent, &signature, &now, &target, &signal)?;
        match settled(&sent).await {
            Ok(paid) => {
                self.receive(&paid, &quote);
                Ok(paid)
            }
            Err(_) => Err(lost(&quote, &signal)),
        }
    }

    /// The offer to pay and the URL to pay at.
    fn choose(&self, required: &PaymentRequired) -> Result<(Box<Choice>, String), JsValue> {
        let asked = self.call.url().ok_or_else(|| fault(Code::InvalidUrl.into()))?;
        let version = required.version.number().to_string();
        self.tell("challenge", &["{\"url\":", &json::write(&asked), ",\"x402Version\":", &version, "}"]);
        let answered = text_at(self.response, "url").filter(|url| !url.is_empty());
        let answered = answered.as_deref().unwrap_or(&asked);
        let choice = choose(required, &self.payer.policy, &asked, answered).map_err(fault)?;
        let redirected = get(self.response, "redirected").is_truthy();
        let target = rules::paid_url(&self.call.method(), &asked, answered, redirected).map_err(fault)?;
        if self.call.repeats() {
            Ok((Box::new(choice), target.into()))
        } else {
            Err(fault(Code::PayerBodyNotReplayable.into()))
        }
    }

    /// The time to sign at, corrected by the answer's clock.
    fn now(&self) -> Now {
        let started = own_clock();
        let server = platform::header(as_response(self.response), "date", 64).ok().and_then(|header| date(&header));
        Now { started, corrected: clock::now(started, server) }
    }

    fn intent(
        &self,
        required: &PaymentRequired,
        choice: Box<Choice>,
        account: Address,
        now: &Now,
    ) -> Result<Box<Intent>, JsValue> {
        let url = self.call.url().unwrap_or_default();
        let intent = Intent::new(required, *choice, &self.payer.policy, account, now.read(), random()?, &url);
        let intent = Box::new(intent.map_err(fault)?);
        self.tell("decision", &["{\"quote\":", &json::write(&intent.quote), "}"]);
        Ok(intent)
    }

    /// Asks the approval callback; only `true` is a yes.
    async fn approve(&self, approve: &Function, quote: &Quote, signal: &JsValue) -> Result<(), JsValue> {
        let denied = |cause: &JsValue| caused(&Code::PayerApprovalDenied.into(), &quoted(quote), cause);
        let answer = approve.call1(&JsValue::UNDEFINED, &object(quote)).map_err(|thrown| denied(&thrown))?;
        let outcome = JsFuture::from(platform::within(&answer, signal, u32::MAX)).await?;
        let outcome: Outcome = outcome.unchecked_into();
        let value = outcome.value();
        match outcome.end().as_str() {
            "value" if value == JsValue::TRUE => Ok(()),
            "aborted" => Err(value),
            "failed" => Err(denied(&value)),
            _ => Err(denied(&JsValue::UNDEFINED)),
        }
    }

    /// Puts the signature to the payment and sends it.
    fn send(
        &self,
        intent: Box<Intent>,
        signature: &[u8],
        now: &Now,
        target: &str,
        signal: &JsValue,
    ) -> Result<(JsValue, Quote), JsValue> {
        intent.still_valid(now.read()).map_err(fault)?;
        let quote = intent.quote.clone();
        let (name, value) = payment_header(&intent.seal(signature).map_err(fault)?);
        self.tell("signed", &["{\"payer\":", &json::write(&quote.payer), "}"]);
        if get(signal, "aborted").is_truthy() {
            return Err(get(signal, "reason"));
        }
        self.tell("sent", &["{\"url\":", &json::write(target), "}"]);
        match self.call.send_paid(self.fetch, target, name, &value) {
            Ok(sent) => Ok((sent, quote)),
            Err(_) => Err(lost(&quote, signal)),
        }
    }

    /// Reads what the answer says of the payment.
    fn receive(&self, paid: &JsValue, quote: &Quote) {
        let said = header(paid, PAYMENT_RESPONSE).or_else(|| header(paid, X_PAYMENT_RESPONSE));
        let receipt = json::write(&receipt::read(said.as_deref(), quote));
        self.payer.keep(paid, &parsed(&receipt));
        let status = whole(&get(paid, "status")).unwrap_or_default().to_string();
        self.tell("receipt", &["{\"status\":", &status, ",\"receipt\":", &receipt, "}"]);
    }

    /// Tells whoever watches one step, its data as JSON.
    fn tell(&self, step: &str, data: &[&str]) {
        if self.payer.on_step.is_function() {
            platform::tell(&self.payer.on_step, self.number, step, &parsed(&data.concat()));
        }
    }
}

/// The error of a paid request whose answer never came. Its cause stays here: it may hold the request.
fn lost(quote: &Quote, signal: &JsValue) -> JsValue {
    if get(signal, "aborted").is_truthy() {
        return get(signal, "reason");
    }
    let error = Error::new(Code::PayerNetworkFault, "the payment was sent and may still be taken");
    detailed(&error, &quoted(quote))
}

/// What would be paid by a response that answers a request for `asked`.
pub(crate) async fn explain(payer: &Shared, response: &JsValue, asked: &str) -> Result<JsValue, JsValue> {
    let required = terms(payer, response, &JsValue::UNDEFINED).await?;
    let answered = text_at(response, "url").filter(|url| !url.is_empty());
    let answered = answered.as_deref().unwrap_or(asked);
    Ok(object(&match required {
        Some(required) => explained(&required, &payer.policy, asked, answered),
        None => nothing_asked(status(response)),
    }))
}

/// The terms of a response, if it is a 402 of x402.
async fn terms(payer: &Shared, response: &JsValue, signal: &JsValue) -> Result<Option<PaymentRequired>, JsValue> {
    if status(response) != STATUS {
        return Ok(None);
    }
    let value = platform::header(as_response(response), PAYMENT_REQUIRED, MAX_TERMS).unwrap_or(JsValue::NULL);
    if value.is_undefined() {
        return Err(fault(Code::TooLarge.into()));
    }
    let header = bounded(&value, MAX_RESPONSE_HEADER);
    let mut body = None;
    if rules::reads_body(&payer.policy, header.as_deref()) {
        let text = JsFuture::from(platform::text(as_response(response), MAX_TERMS, PATIENCE, signal)).await?;
        body = bounded(&text, MAX_RESPONSE_HEADER);
    }
    rules::terms(header.as_deref(), body.as_deref()).map_err(fault)
}

/// What a `fetch` gave, by its shape: a caller's own `fetch` may answer with an object that is no `Response`.
fn as_response(value: &JsValue) -> &Response {
    value.unchecked_ref()
}

fn status(response: &JsValue) -> u64 {
    whole(&get(response, "status")).unwrap_or_default()
}

/// A header of a response; one that is too long to be read is none.
fn header(response: &JsValue, name: &str) -> Option<String> {
    platform::header(as_response(response), name, MAX_TERMS).ok().and_then(|value| bounded(&value, MAX_RESPONSE_HEADER))
}

fn quoted(quote: &Quote) -> JsValue {
    parsed(&["{\"quote\":", &json::write(quote), "}"].concat())
}
