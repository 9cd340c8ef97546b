//! A paid request, from its claim to its answer: the book says what is next, this does it.

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::Response;
use x402_core::error::{Code, Error};
use x402_core::facilitator::bill::Bill;
use x402_core::ledger::event::Event;
use x402_core::server::book::{Claim, Head, Next, PATIENCE_BODY, Report};
use x402_core::server::context::{Charge, PAYMENT_CONTEXT};
use x402_core::server::gate::{Answer, Sale};

use crate::book::{self, Word};
use crate::gate::{Visit, ask_origin, finish};
use crate::http::{self, Collected};
use crate::log::Trace;
use crate::{context, facilitator, js, respond};

/// A paid request on its way.
struct Work<'v> {
    visit: &'v Visit,
    sale: &'v Sale<'static>,
    claim: Claim,
    /// The request's body, which its payment is bound to.
    body: Uint8Array,
    /// How the payment is settled, once it was verified.
    bill: Option<Bill>,
    /// The origin's answer, once it was asked.
    origin: Option<Response>,
}

/// Answers a paid request.
pub(crate) async fn sell(visit: &Visit, sale: &Sale<'static>, trace: Trace) -> Result<Response, JsValue> {
    let Some(mut work) = Work::new(visit, sale).await else {
        return finish(&visit.gate.faulted(sale, Code::GateRequestTooLarge), trace);
    };
    let Some((said, beside)) = book::claim(&visit.env, &work.claim).await else {
        return finish(&visit.gate.faulted(sale, Code::GateBookUnavailable), trace);
    };
    if let Some(first) = &said.first {
        work.claim.key.clone_from(first);
    }
    let (mut next, mut beside) = (visit.gate.heed(sale, &work.claim.key, Some(said)), beside);
    loop {
        let word = match next {
            Next::Verify(attempt) => match work.verify(attempt).await {
                Ok(()) => {
                    let event = Event::Verified { attempt, present: !js::gone(&visit.request) };
                    work.tell(event).await
                }
                Err(answer) => return finish(&answer, trace),
            },
            Next::VerifyThenExecute(attempt) => match work.verify(attempt).await {
                Ok(()) => work.execute(attempt).await,
                Err(answer) => return finish(&answer, trace),
            },
            Next::Execute(attempt) => work.execute(attempt).await,
            // The work is still owed, and not done for nobody: it is there for the same payment when it comes again.
            Next::Claim if js::gone(&visit.request) => {
                return finish(&visit.gate.faulted(sale, Code::GateClientGone), trace);
            }
            Next::Claim => book::claim(&visit.env, &work.claim).await,
            Next::Deliver(headers, outcome) => {
                let Some(origin) = &work.origin else {
                    return finish(&visit.gate.faulted(sale, Code::GateInternal), trace);
                };
                trace.end(origin.status(), Some(outcome));
                return respond::deliver(origin, &headers);
            }
            Next::Replay(head, headers) => {
                trace.end(head.status, Some("replayed"));
                return respond::replay(&head, &beside, &headers);
            }
            Next::Answer(answer) => {
                if let Some(origin) = &work.origin {
                    respond::discard(origin);
                }
                return finish(&answer, trace);
            }
        };
        let (said, body) = word.map_or((None, JsValue::UNDEFINED), |(said, body)| (Some(said), body));
        next = visit.gate.heed(sale, &work.claim.key, said);
        beside = body;
    }
}

impl<'v> Work<'v> {
    /// Reads a request's body; none when it is too large.
    async fn new(visit: &'v Visit, sale: &'v Sale<'static>) -> Option<Self> {
        let limit = usize::try_from(visit.gate.config().ledger.request_bytes).unwrap_or(usize::MAX);
        let body = match visit.request.body() {
            Some(_) => http::body_of(&visit.request, limit).await?,
            None => Uint8Array::new_with_length(0),
        };
        let url = visit.gate.config().target(&sale.path, visit.query.as_deref());
        let claim = visit.gate.claim(sale, &visit.method, &url, &body.to_vec());
        Some(Self { visit, sale, claim, body, bill: None, origin: None })
    }

    /// Verifies the payment.
    ///
    /// # Errors
    /// The answer, when it is not good; the book knows then.
    async fn verify(&mut self, attempt: u32) -> Result<(), Answer> {
        match facilitator::verify(self.visit.gate, self.sale).await {
            Ok(bill) => {
                self.bill = Some(bill);
                Ok(())
            }
            Err(error) => Err(self.refuse(attempt, &error).await),
        }
    }

    async fn refuse(&mut self, attempt: u32, error: &Error) -> Answer {
        let event = Event::Refused { attempt, reason: error.code().as_str().into() };
        // If this is lost, the claim lapses by itself.
        let _ = self.tell(event).await;
        self.visit.gate.unverified(self.sale, error)
    }

    /// Asks the origin, and reports what came of it.
    async fn execute(&mut self, attempt: u32) -> Option<Word> {
        let failed = Event::OriginFailed { attempt, asked: true };
        let body = self.visit.request.body().map_or(JsValue::UNDEFINED, |_| self.body.clone().into());
        let Ok(context) = context::of(self.visit, self.sale, &self.claim.key).await else {
            return self.tell(Event::OriginFailed { attempt, asked: false }).await;
        };
        let changed = context.map(|context| (PAYMENT_CONTEXT, context)).into_iter().collect();
        let Some(answer) = ask_origin(self.visit, &self.sale.path, &body, true, changed).await else {
            return self.tell(failed).await;
        };
        let status = answer.status();
        let charge = context::charge(self.visit, self.sale, &answer);
        if charge == Charge::Fault {
            respond::discard(&answer);
            return self.tell(failed).await;
        }
        let charged = charge == Charge::Price;
        if !charged {
            self.origin = Some(answer);
            let event = Event::Answered { attempt, status, charged, kept: false, present: true };
            return self.tell(event).await;
        }
        let limit = usize::try_from(self.visit.gate.config().ledger.keep_bytes).unwrap_or(usize::MAX);
        let Some(Collected { kept, answer }) = http::collect(&answer, limit, PATIENCE_BODY * 1000).await else {
            return self.tell(failed).await;
        };
        let present = !js::gone(&self.visit.request);
        let event = Event::Answered { attempt, status, charged, kept: kept.is_some(), present };
        let head = kept.is_some().then(|| Head { status, headers: respond::headers_of_origin(&answer) });
        self.origin = Some(answer);
        self.report(event, head, &kept.map_or(JsValue::UNDEFINED, JsValue::from)).await
    }

    /// Reports what has no body.
    async fn tell(&mut self, event: Event) -> Option<Word> {
        self.report(event, None, &JsValue::UNDEFINED).await
    }

    async fn report(&mut self, event: Event, head: Option<Head>, body: &JsValue) -> Option<Word> {
        let report = Report { key: self.claim.key.clone(), event, bill: self.bill.take(), head };
        book::report(&self.visit.env, &self.claim, &report, body).await
    }
}
