//! The books: Durable Objects, each the one writer of everything about its payers.
//!
//! The first half is the way to a book from a request; the second runs inside it. There, a record is read, decided about
//! and written with no await in between: that is the atomicity everything rests on. What is written down leaves the
//! object only once it is on disk, which the runtime sees to.

use js_sys::futures::JsFuture;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;
use x402_core::error::{Code, Error};
use x402_core::facilitator::bill::Bill;
use x402_core::ledger::alarm::Chore;
use x402_core::ledger::event::Event;
use x402_core::ledger::outcome::Outcome;
use x402_core::ledger::payment::apply;
use x402_core::ledger::record::Record;
use x402_core::server::book::{self, Claim, Report, Said};
use x402_core::server::gate::Gate;

use crate::facilitator::{self, Found};
use crate::js::{self, BookStub};
use crate::shelf::Shelf;

/// Seconds until a record is looked after again that could not be looked after.
const LATER: u64 = 60;

/// What a book said, and the body of the answer that is replayed.
pub(crate) type Word = (Said, JsValue);

/// Claims a payment for a request; none when the book cannot be asked.
pub(crate) async fn claim(env: &Env, claim: &Claim) -> Option<Word> {
    let stub = object(env, &claim.account, claim.books)?;
    said(stub.claim(&claim.key, &claim.write()).ok()?).await
}

/// Reports on work; none when the book cannot be asked, or its word is lost.
pub(crate) async fn report(env: &Env, claim: &Claim, report: &Report, body: &JsValue) -> Option<Word> {
    let stub = object(env, &claim.account, claim.books)?;
    said(stub.report(&claim.key, &report.write(), body).ok()?).await
}

fn object(env: &Env, account: &str, books: u32) -> Option<BookStub> {
    let namespace = env.durable_object("BOOK").ok()?;
    let id = namespace.id_from_name(&book::shard(account, books).to_string()).ok()?;
    Some(id.get_stub().ok()?.into_rpc())
}

async fn said(promise: js_sys::Promise) -> Option<Word> {
    let parts: Array = JsFuture::from(promise).await.ok()?.dyn_into().ok()?;
    let said = Said::read(&parts.get(0).as_string()?).ok()?;
    Some((said, parts.get(1)))
}

/// What an object hands back: its word, the body beside it, and when it wants to be woken.
pub(crate) struct Handed {
    said: Said,
    body: Option<Vec<u8>>,
    due: Option<u64>,
    /// Whether another word may come soon.
    passing: bool,
}

impl Handed {
    fn said(outcome: Outcome, due: Option<u64>) -> Self {
        Self { said: Said::plain(outcome), body: None, due, passing: false }
    }

    /// Takes the answer that is replayed from the shelf.
    fn recall(&mut self, shelf: &Shelf, key: &str) -> Result<(), Error> {
        let kept = shelf.answer(key)?;
        self.said.head = kept.as_ref().map(|(head, _)| head.clone());
        self.body = kept.map(|(_, body)| body);
        Ok(())
    }

    /// As the entry takes it.
    pub(crate) fn into_js(self) -> JsValue {
        let body = self.body.map_or(JsValue::UNDEFINED, |body| Uint8Array::from(body.as_slice()).into());
        let due = self.due.map_or(JsValue::UNDEFINED, |due| u32::try_from(due).unwrap_or(u32::MAX).into());
        Array::of4(&self.said.write().into(), &body, &due, &self.passing.into()).into()
    }
}

/// Inside: what began before this object was in memory ended with the one that began it.
pub(crate) fn begin(shelf: &Shelf) -> Result<Option<u64>, Error> {
    shelf.open()?;
    for (key, attempt) in shelf.settling()? {
        step(shelf, &key, &Event::SettleUnknown { attempt, transaction: String::new() })?;
    }
    shelf.next_due()
}

/// Inside: claims a payment. `last` says that whoever asks does not wait for another word.
pub(crate) async fn take_claim(
    env: &Env,
    gate: &Gate,
    shelf: &Shelf,
    claim: &Claim,
    last: bool,
) -> Result<Handed, Error> {
    shelf.belongs(claim.books)?;
    let now = js::now();
    let known = shelf.record(&claim.key)?;
    if let Some(outcome) = claim.is_too_late(known.as_ref()) {
        return Ok(Handed::said(outcome, None));
    }
    let event = claim.event(shelf.exposed(&claim.account)?);
    let (record, outcome) = apply(known.as_ref(), &event, now);
    let due = match (&known, &record) {
        (None, Some(record)) => Some(shelf.begin(&claim.key, &claim.account, record)?),
        (Some(_), Some(record)) => Some(shelf.keep(&claim.key, record)?),
        (_, None) => None,
    };
    let mut handed = Handed::said(outcome, due);
    if let Outcome::Settle(attempt) = handed.said.outcome {
        handed = settle(env, gate, shelf, &claim.key, attempt).await?;
        handed.said = handed.said.of_kept();
    }
    if let Outcome::Replay(_) = handed.said.outcome {
        handed.recall(shelf, &claim.key)?;
    }
    handed.passing = !last && handed.said.is_passing();
    if handed.passing && shelf.ask_soon(&claim.key, now)? {
        handed.due = Some(now.0);
    }
    Ok(handed)
}

/// Inside: takes a report, and settles if that is what follows.
pub(crate) async fn take_report(
    env: &Env,
    gate: &Gate,
    shelf: &Shelf,
    text: &str,
    body: Option<Vec<u8>>,
) -> Result<Handed, Error> {
    let report = Report::read(text)?;
    let until = js::now().plus(gate.config().ledger.keep_seconds);
    let mut handed = step(shelf, &report.key, &report.event)?;
    if let Some(bill) = &report.bill {
        shelf.keep_bill(&report.key, bill)?;
    }
    if let (Some(head), Some(body)) = (&report.head, body) {
        shelf.keep_answer(&report.key, head, body, until)?;
    }
    if let Outcome::Settle(attempt) = handed.said.outcome {
        handed = settle(env, gate, shelf, &report.key, attempt).await?;
    }
    Ok(handed)
}

/// Applies an event in one turn.
fn step(shelf: &Shelf, key: &str, event: &Event) -> Result<Handed, Error> {
    let known = shelf.record(key)?;
    let (record, outcome) = apply(known.as_ref(), event, js::now());
    let due = record.map(|record| shelf.keep(key, &record)).transpose()?;
    Ok(Handed::said(outcome, due))
}

/// Settles a payment that is written down as being settled.
async fn settle(env: &Env, gate: &Gate, shelf: &Shelf, key: &str, attempt: u32) -> Result<Handed, Error> {
    let bill = shelf.bill(key)?.ok_or(Code::GateBookUnavailable)?;
    let settlement = facilitator::settle(env, gate, &bill).await;
    let (event, transaction) = book::settled(attempt, settlement);
    let mut handed = step(shelf, key, &event)?;
    handed.said.transaction = transaction;
    Ok(handed)
}

/// Inside: looks after what is due. Answers when it wants to be woken next.
pub(crate) async fn look_after(env: &Env, gate: &Gate, shelf: &Shelf) -> Result<Option<u64>, Error> {
    for key in shelf.stale_answers(js::now())? {
        step(shelf, &key, &Event::Dropped)?;
        shelf.drop_answer(&key)?;
    }
    let due = shelf.due(js::now())?;
    let mut work: Vec<_> =
        due.iter().map(|(key, record, chore)| Box::pin(see_to(env, gate, shelf, key, record, *chore))).collect();
    // All at once: one that takes its time keeps nobody waiting.
    let mut left: Vec<_> = work.iter_mut().collect();
    std::future::poll_fn(|context| {
        left.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if left.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    shelf.next_due()
}

/// Does one chore. What fails is tried again later.
async fn see_to(env: &Env, gate: &Gate, shelf: &Shelf, key: &str, record: &Record, chore: Chore) {
    let done = match chore {
        Chore::Lapse => step(shelf, key, &Event::Tick).map(drop),
        Chore::Forget => shelf.forget(key),
        Chore::Settle => pay(env, gate, shelf, key).await,
        Chore::Reconcile => find_out(env, gate, shelf, key, record).await,
    };
    if done.is_err() {
        // If this fails too, the object's next alarm is as good.
        let _ = shelf.put_off(key, js::now().plus(LATER));
    }
}

/// Settles what was delivered before.
async fn pay(env: &Env, gate: &Gate, shelf: &Shelf, key: &str) -> Result<(), Error> {
    let begun = step(shelf, key, &Event::SettleStarted)?;
    if let Outcome::Settle(attempt) = begun.said.outcome {
        settle(env, gate, shelf, key, attempt).await?;
    }
    Ok(())
}

/// Finds out what became of a settlement.
async fn find_out(env: &Env, gate: &Gate, shelf: &Shelf, key: &str, record: &Record) -> Result<(), Error> {
    let bill: Bill = shelf.bill(key)?.ok_or(Code::GateBookUnavailable)?;
    let event = match facilitator::reconcile(env, gate, &bill, js::now()).await {
        Found::Outcome(settlement) => Some(book::settled(record.attempt, settlement).0),
        Found::Unused(block) => Some(Event::Unused { block }),
        Found::Nothing => None,
    };
    let told = event.map(|event| step(shelf, key, &event)).transpose()?;
    if told.is_none_or(|told| told.due.is_none()) {
        let known = shelf.record(key)?.ok_or(Code::GateBookUnavailable)?;
        shelf.looked(key, &known, js::now())?;
    }
    Ok(())
}
