//! The books: Durable Objects, each the one writer of everything about its payers.
//!
//! The first half is the way to a book from a request; the second runs inside it. There, a record is read, decided about
//! and written with no await in between: that is the atomicity everything rests on. What is written down leaves the
//! object only once it is on disk, which the runtime sees to.

use std::cell::Cell;

use js_sys::futures::JsFuture;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;
use x402_core::error::{Code, Error};
use x402_core::ledger::alarm::Chore;
use x402_core::ledger::event::Event;
use x402_core::ledger::outcome::Outcome;
use x402_core::ledger::record::Record;
use x402_core::server::book::{self, Claim, Named, Report, Said};
use x402_core::server::gate::Gate;
use x402_core::server::ops::Revocation;
use x402_core::server::pass::Doubt;
use x402_core::types::amount::Amount;

use crate::desk::{Desk, Step};
use crate::facilitator::{self, Found};
use crate::js::{self, BookStub};
use crate::ledger_view;
use crate::log;

/// Seconds until a record is looked after again that could not be looked after.
const LATER: u64 = 60;

/// What a book said, and the body of the answer that is replayed.
pub(crate) type Word = (Said, JsValue);

thread_local! {
    /// Whether this isolate knows that its number of books is the ledger's.
    static AGREED: Cell<bool> = const { Cell::new(false) };
}

/// The name of the object that knows how many books there are. It keeps no payments.
const COUNT: &str = "count";

/// Claims a payment for a request; none when the book cannot be asked.
pub(crate) async fn claim(env: &Env, claim: &Claim) -> Option<Word> {
    agreed(env, claim.books).await?;
    let stub = object(env, claim)?;
    said(stub.claim(&claim.key, &claim.write()).ok()?).await
}

/// Holds the number of books to the ledger's, once in an isolate's life; none when it is another: payers would be looked
/// for in other books than they are in.
async fn agreed(env: &Env, books: u32) -> Option<()> {
    if !AGREED.get() {
        heard(named(env, COUNT)?.count(books).ok()?).await?;
        AGREED.set(true);
    }
    Some(())
}

/// Reports on work; none when the book cannot be asked, or its word is lost.
pub(crate) async fn report(env: &Env, claim: &Claim, report: &Report, body: &JsValue) -> Option<Word> {
    let stub = object(env, claim)?;
    said(stub.report(&claim.key, &report.write(), body).ok()?).await
}

fn object(env: &Env, claim: &Claim) -> Option<BookStub> {
    numbered(env, book::shard(claim.payer(), claim.books))
}

/// The book of this number.
pub(crate) fn numbered(env: &Env, number: u32) -> Option<BookStub> {
    named(env, &number.to_string())
}

fn named(env: &Env, name: &str) -> Option<BookStub> {
    let namespace = env.durable_object("BOOK").ok()?;
    Some(namespace.id_from_name(name).ok()?.get_stub().ok()?.into_rpc())
}

/// What an object answered; none, and a line in the log, when it refused: it throws a code and nothing else.
async fn heard(promise: js_sys::Promise) -> Option<JsValue> {
    match JsFuture::from(promise).await {
        Ok(value) => Some(value),
        Err(thrown) => {
            let why = thrown.dyn_into::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_default();
            log::fault(Code::GateBookUnavailable.as_str(), &why);
            None
        }
    }
}

async fn said(promise: js_sys::Promise) -> Option<Word> {
    let parts: Array = heard(promise).await?.dyn_into().ok()?;
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
    fn of(step: Step) -> Self {
        let said = Said { settled: step.settled, ..Said::plain(step.outcome) };
        Self { said, body: None, due: step.due, passing: false }
    }

    /// Takes the answer that is replayed from the shelf.
    fn recall(&mut self, desk: &Desk, key: &str) -> Result<(), Error> {
        let kept = desk.shelf.answer(key)?;
        self.said.head = kept.as_ref().map(|(head, _)| head.clone());
        self.body = kept.map(|(_, body)| body);
        Ok(())
    }

    /// As the entry takes it.
    pub(crate) fn into_js(self) -> JsValue {
        let body = self.body.map_or(JsValue::UNDEFINED, |body| Uint8Array::from(body.as_slice()).into());
        let due = js::seconds(self.due);
        let first = self.said.first.as_deref().map_or(JsValue::UNDEFINED, JsValue::from);
        Array::of5(&self.said.write().into(), &body, &due, &self.passing.into(), &first).into()
    }
}

/// Inside: what began before this object was in memory ended with the one that began it.
pub(crate) fn begin(desk: &Desk) -> Result<Option<u64>, Error> {
    desk.shelf.open()?;
    ledger_view::open(&desk.shelf)?;
    for (key, attempt) in desk.shelf.settling()? {
        desk.step(&key, &Event::SettleUnknown { attempt, transaction: String::new() }, None, None)?;
    }
    desk.shelf.next_due()
}

/// Whether the payer's book lets a pass stand; none when it cannot be asked.
pub(crate) async fn pass_stands(env: &Env, doubt: &Doubt, books: u32) -> Option<bool> {
    agreed(env, books).await?;
    let stub = numbered(env, book::shard(&doubt.payer, books))?;
    heard(stub.stands(&doubt.write()).ok()?).await?.as_bool()
}

/// Revokes passes; none when the book cannot be asked.
pub(crate) async fn revoke(env: &Env, of: &Revocation, books: u32) -> Option<()> {
    agreed(env, books).await?;
    let stub = numbered(env, book::shard(&of.payer.to_checksum(), books))?;
    heard(stub.revoke(&of.subject()).ok()?).await.map(drop)
}

/// Inside: whether a pass stands.
pub(crate) fn stands(desk: &Desk, doubt: &str) -> Result<bool, Error> {
    let doubt = Doubt::read(doubt)?;
    let revoked = desk.shelf.revoked(&doubt.payer, &doubt.payment)?;
    Ok(doubt.stands(revoked, desk.record(&doubt.payment)?.map(|record| record.state())))
}

/// Inside: claims a payment. `last` says that whoever asks does not wait for another word.
pub(crate) async fn take_claim(
    env: &Env,
    gate: &Gate,
    desk: &Desk,
    claim: &Claim,
    last: bool,
) -> Result<Handed, Error> {
    let key = match first_of(desk, claim)? {
        (Named::Own, _) => &claim.key,
        (Named::First, first) => &first.clone(),
        (Named::Conflict, _) => {
            let said = Said { by_name: true, ..Said::plain(Outcome::Conflict) };
            return Ok(Handed { said, body: None, due: None, passing: false });
        }
    };
    let exposed = if claim.counts() { desk.shelf.exposed(claim.account())? } else { Amount::ZERO };
    let now = js::now();
    let begun = desk.step_at(key, &claim.event(exposed), Some(claim.account()), None, claim.time(now))?;
    let mut handed = Handed::of(begun);
    if let (Some(name), Some(_)) = (&claim.name, handed.due) {
        desk.shelf.name(claim.payer(), name, key, &claim.request)?;
    }
    if let Outcome::Settle(attempt) = handed.said.outcome {
        handed = settle(env, gate, desk, key, attempt).await?;
        handed.said = handed.said.of_kept();
    }
    if let Outcome::Replay(_) = handed.said.outcome {
        handed.recall(desk, key)?;
    }
    handed.passing = !last && handed.said.is_passing();
    if handed.passing && desk.shelf.ask_soon(key, now)? {
        handed.due = Some(now.0);
    }
    handed.said.first = (*key != claim.key).then(|| key.clone());
    Ok(handed)
}

/// Which payment a claim is about, and the key of the one that a purchase of its name was begun with.
fn first_of(desk: &Desk, claim: &Claim) -> Result<(Named, String), Error> {
    let named = claim.name.as_deref().map(|name| desk.shelf.named(claim.payer(), name)).transpose()?.flatten();
    let Some((first, request)) = named.filter(|(first, _)| *first != claim.key) else {
        return Ok((Named::Own, String::new()));
    };
    // A lease that has run out says so first.
    desk.step(&first, &Event::Tick, None, None)?;
    let state = desk.record(&first)?.map(|record| record.state());
    Ok((claim.named(&request, state), first))
}

/// Inside: takes a report, and settles if that is what follows.
pub(crate) async fn take_report(
    env: &Env,
    gate: &Gate,
    desk: &Desk,
    text: &str,
    body: Option<Vec<u8>>,
) -> Result<Handed, Error> {
    let Report { key, event, bill, head } = Report::read(text)?;
    let mut handed = Handed::of(desk.step(&key, &event, None, bill)?);
    if let (Some(head), Some(body), true) = (&head, body, handed.due.is_some()) {
        let until = js::now().plus(gate.config().ledger.keep_seconds);
        desk.shelf.keep_answer(&key, head, body, until)?;
    }
    if let Outcome::Settle(attempt) = handed.said.outcome {
        handed = settle(env, gate, desk, &key, attempt).await?;
    }
    Ok(handed)
}

/// Settles a payment that is written down as being settled.
async fn settle(env: &Env, gate: &Gate, desk: &Desk, key: &str, attempt: u32) -> Result<Handed, Error> {
    let settlement = facilitator::settle(env, gate, &desk.bill(key)?).await;
    let (event, transaction) = book::settled(attempt, settlement);
    let mut handed = Handed::of(desk.step(key, &event, None, None)?);
    handed.said.transaction = transaction;
    Ok(handed)
}

/// Inside: looks after what is due. Answers when it wants to be woken next.
pub(crate) async fn look_after(env: &Env, gate: &Gate, desk: &Desk) -> Result<Option<u64>, Error> {
    for key in desk.shelf.stale_answers(js::now())? {
        desk.step(&key, &Event::Dropped, None, None)?;
        desk.shelf.drop_answer(&key)?;
    }
    let due = desk.shelf.due(js::now())?;
    // All at once: one that takes its time keeps nobody waiting.
    let mut left: Vec<_> =
        due.iter().map(|(key, record, chore)| Box::pin(see_to(env, gate, desk, key, record, *chore))).collect();
    std::future::poll_fn(|context| {
        left.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if left.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    desk.shelf.next_due()
}

/// Does one chore. What fails is tried again later.
async fn see_to(env: &Env, gate: &Gate, desk: &Desk, key: &str, record: &Record, chore: Chore) {
    let done = match chore {
        Chore::Lapse => desk.step(key, &Event::Tick, None, None).map(drop),
        Chore::Forget => desk.shelf.forget(key),
        Chore::Settle => pay(env, gate, desk, key).await,
        Chore::Reconcile => find_out(env, gate, desk, key, record).await,
    };
    if done.is_err() {
        // If this fails too, the object's next alarm is as good.
        let _ = desk.shelf.put_off(key, js::now().plus(LATER));
    }
}

/// Settles what was delivered before.
async fn pay(env: &Env, gate: &Gate, desk: &Desk, key: &str) -> Result<(), Error> {
    let begun = desk.step(key, &Event::SettleStarted, None, None)?;
    if let Outcome::Settle(attempt) = begun.outcome {
        settle(env, gate, desk, key, attempt).await?;
    }
    Ok(())
}

/// Finds out what became of a settlement.
async fn find_out(env: &Env, gate: &Gate, desk: &Desk, key: &str, record: &Record) -> Result<(), Error> {
    let event = match facilitator::reconcile(env, gate, &desk.bill(key)?, js::now()).await {
        Found::Outcome(settlement) => Some(book::settled(record.attempt, settlement).0),
        Found::Unused(block) => Some(Event::Unused { block }),
        Found::Nothing => None,
    };
    let told = event.map(|event| desk.step(key, &event, None, None)).transpose()?;
    if told.is_none_or(|told| told.due.is_none()) {
        let known = desk.record(key)?.ok_or(Code::GateBookUnavailable)?;
        desk.shelf.looked(key, &known, js::now())?;
    }
    Ok(())
}
