//! One call: ask, read the terms, let the core decide, let the wallet sign, ask again with the payment.

use alloc::string::String;
use js_sys::{Function, Object};
use wasm_bindgen::prelude::*;
use x402_core::client::choose::choose;
use x402_core::client::explain::{explain as explained, nothing_asked};
use x402_core::client::intent::{Intent, Quote};
use x402_core::client::{clock, receipt, request as rules};
use x402_core::error::{Code, Error};
use x402_core::transport::http::{
    MAX_RESPONSE_HEADER, PAYMENT_REQUIRED, PAYMENT_RESPONSE, X_PAYMENT_RESPONSE, payment_header,
};
use x402_core::types::required::PaymentRequired;

use crate::body;
use crate::boundary::{bounded, call, clock as own_clock, date, get, object, random, set, text_at};
use crate::fault::{caused, detailed, fault};
use crate::payer::Shared;
use crate::request::Request;
use crate::steps::Steps;
use crate::waits::{Ended, Waits};

/// The status that asks for a payment.
const PAYMENT_REQUIRED_STATUS: u16 = 402;

/// `fetch` with at most one payment.
pub(crate) async fn pay(payer: &Shared, fetch: &JsValue, input: JsValue, init: JsValue) -> Result<JsValue, JsValue> {
    let fetch = payer.fetch(fetch)?;
    let request = Request::capture(input, init)?;
    rules::refuse_paid(|header| request.has(header)).map_err(fault)?;
    let response = request.send(&fetch).await?;
    let waits = Waits::on(request.signal.clone());
    let required = match terms(payer, &response, &waits).await {
        Ok(Some(required)) => required,
        other => {
            request.done();
            return other.map(|_| response);
        }
    };
    let steps = payer.steps();
    Exchange { payer, fetch, request, response, waits, steps }.settle(&required).await
}

/// A call that met terms.
struct Exchange<'a> {
    payer: &'a Shared,
    fetch: Function,
    request: Request,
    response: JsValue,
    waits: Waits,
    steps: Steps,
}

impl Exchange<'_> {
    async fn settle(self, required: &PaymentRequired) -> Result<JsValue, JsValue> {
        // Its headers are all that is needed; an unread body would hold the connection.
        body::discard(&self.response);
        let outcome = self.decide_and_pay(required).await;
        if let Err(error) = &outcome {
            let code = text_at(error, "code").unwrap_or_default();
            self.steps.tell("refused", &[("code", code.into())]);
        }
        self.request.done();
        outcome
    }

    async fn decide_and_pay(&self, required: &PaymentRequired) -> Result<JsValue, JsValue> {
        let asked = self.request.url.as_deref().ok_or_else(|| fault(Code::InvalidUrl.into()))?;
        let answered = text_at(&self.response, "url").filter(|url| !url.is_empty());
        let answered = answered.as_deref().unwrap_or(asked);
        let version = required.version.number();
        self.steps.tell(
            "challenge",
            &[("url", asked.into()), ("x402Version", version.into()), ("offers", required.offers.len().into())],
        );

        let policy = &self.payer.options.policy;
        let choice = choose(required, policy, asked, answered).map_err(fault)?;
        let redirected = get(&self.response, "redirected").is_ok_and(|redirected| redirected.is_truthy());
        let target = rules::paid_url(&self.request.method, asked, answered, redirected).map_err(fault)?;
        if !self.request.repeats() {
            return Err(fault(Code::PayerBodyNotReplayable.into()));
        }

        let payer = self.payer.account(&self.waits).await?;
        let started = own_clock();
        let corrected = clock::now(started, date(&header_value(&self.response, "date")));
        let now = || corrected.plus(own_clock().since(started));
        let intent = Intent::new(required, choice, policy, payer, now(), random()?, asked).map_err(fault)?;
        self.steps.tell("decision", &[("quote", object(&intent.quote))]);
        self.approve(&intent.quote).await?;

        let intent = intent.renew(policy, now()).map_err(fault)?;
        let quote = intent.quote.clone();
        let signature = self.payer.options.wallet.sign(&intent, &self.waits, intent.seconds_left(now())).await?;
        intent.still_valid(now()).map_err(fault)?;
        let payment = intent.seal(&signature).map_err(fault)?;
        self.steps.tell("signed", &[("payer", quote.payer.as_str().into())]);

        self.waits.check()?;
        let (name, value) = payment_header(&payment);
        self.steps.tell("sent", &[("url", target.into())]);
        let paid = self.request.send_paid(&self.fetch, target, (name, &value)).await;
        let paid = paid.map_err(|_| self.lost(&quote))?;
        self.receive(&paid, &quote);
        Ok(paid)
    }

    /// Asks the approval callback, if there is one; only `true` is a yes.
    async fn approve(&self, quote: &Quote) -> Result<(), JsValue> {
        let Some(approve) = &self.payer.options.approve else { return Ok(()) };
        let denied = |cause: &JsValue| caused(&Code::PayerApprovalDenied.into(), &quoted(quote), cause);
        let answer = approve.call1(&JsValue::UNDEFINED, &object(quote)).map_err(|thrown| denied(&thrown))?;
        match self.waits.until(&answer, u64::MAX).await {
            Ok(answer) if answer == JsValue::TRUE => Ok(()),
            Ok(_) | Err(Ended::TimedOut) => Err(denied(&JsValue::UNDEFINED)),
            Err(Ended::Failed(thrown)) => Err(denied(&thrown)),
            Err(Ended::Aborted(reason)) => Err(reason),
        }
    }

    /// The error of a paid request whose answer never came. Its cause stays here: it may hold the request.
    fn lost(&self, quote: &Quote) -> JsValue {
        let error = Error::new(Code::PayerNetworkFault, "the payment was sent and may still be taken");
        self.waits.check().err().unwrap_or_else(|| detailed(&error, &quoted(quote)))
    }

    /// Reads what the answer says of the payment.
    fn receive(&self, paid: &JsValue, quote: &Quote) {
        let said = header(paid, PAYMENT_RESPONSE).or_else(|| header(paid, X_PAYMENT_RESPONSE));
        let receipt = object(&receipt::read(said.as_deref(), quote));
        self.payer.keep(paid, &receipt);
        self.steps
            .tell("receipt", &[("status", get(paid, "status").unwrap_or(JsValue::UNDEFINED)), ("receipt", receipt)]);
    }
}

/// What would be paid for a URL or by a response.
pub(crate) async fn explain(payer: &Shared, what: JsValue, init: JsValue) -> Result<JsValue, JsValue> {
    let is_response = get(&what, "status")?.as_f64().is_some() && get(&what, "headers")?.is_object();
    let (response, asked, signal) = if is_response {
        let asked = text_at(&what, "url");
        (what, asked, JsValue::UNDEFINED)
    } else {
        let request = Request::capture(what, init)?;
        let response = request.send(&payer.fetch(&JsValue::UNDEFINED)?).await?;
        request.done();
        (response, request.url, request.signal)
    };
    let required = terms(payer, &response, &Waits::on(signal)).await?;
    if !is_response {
        body::discard(&response);
    }
    let asked = asked.unwrap_or_default();
    let answered = text_at(&response, "url").filter(|url| !url.is_empty()).unwrap_or_else(|| asked.clone());
    Ok(object(&match required {
        Some(required) => explained(&required, &payer.options.policy, &asked, &answered),
        None => nothing_asked(status(&response).unwrap_or_default()),
    }))
}

/// The terms of a response, if it is a 402 of x402.
async fn terms(payer: &Shared, response: &JsValue, waits: &Waits) -> Result<Option<PaymentRequired>, JsValue> {
    if status(response) != Some(PAYMENT_REQUIRED_STATUS) {
        return Ok(None);
    }
    let value = header_value(response, PAYMENT_REQUIRED);
    if value.is_string() && bounded(&value, MAX_RESPONSE_HEADER).is_none() {
        return Err(fault(Code::TooLarge.into()));
    }
    let header = bounded(&value, MAX_RESPONSE_HEADER);
    let reads_body = rules::reads_body(&payer.options.policy, header.as_deref());
    let text = if reads_body { body::text(response, waits).await? } else { None };
    rules::terms(header.as_deref(), text.as_deref()).map_err(fault)
}

fn status(response: &JsValue) -> Option<u16> {
    let status = get(response, "status").ok()?;
    js_sys::BigInt::new(&status)
        .ok()
        .and_then(|status| u64::try_from(status).ok())
        .and_then(|status| u16::try_from(status).ok())
}

fn header_value(response: &JsValue, name: &str) -> JsValue {
    let headers = get(response, "headers").unwrap_or(JsValue::UNDEFINED);
    call(&headers, "get", &[name.into()]).unwrap_or(JsValue::UNDEFINED)
}

/// A header of a response; one that is too long to be read is none.
fn header(response: &JsValue, name: &str) -> Option<String> {
    bounded(&header_value(response, name), MAX_RESPONSE_HEADER)
}

fn quoted(quote: &Quote) -> JsValue {
    let details = Object::new();
    set(&details, "quote", &object(quote));
    details.into()
}
