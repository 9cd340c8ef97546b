//! What a book has in hand: the records that somebody works on, in memory, in front of the shelf where they last.
//!
//! A book is the only writer of its records, so what it has in hand is what the shelf has, and need not be read again.

use std::cell::RefCell;
use std::collections::HashMap;

use x402_core::error::{Code, Error, Result};
use x402_core::facilitator::bill::Bill;
use x402_core::ledger::event::Event;
use x402_core::ledger::outcome::Outcome;
use x402_core::ledger::payment::apply;
use x402_core::ledger::record::Record;
use x402_core::types::time::UnixSeconds;

use crate::js;
use crate::shelf::Shelf;

/// Records that a book has in hand at most; the others are read when they are needed.
const MOST: usize = 10_000;

/// A record in hand.
struct Held {
    account: String,
    record: Record,
    bill: Option<Bill>,
}

/// What one book has in hand, by key.
type Hand = HashMap<String, Held>;

thread_local! {
    /// By the object's life: an object that comes back into memory starts with empty hands.
    static HANDS: RefCell<HashMap<u32, Hand>> = RefCell::new(HashMap::new());
}

/// A book at work.
pub(crate) struct Desk {
    life: u32,
    pub(crate) shelf: Shelf,
}

/// What an event led to.
pub(crate) struct Step {
    pub(crate) outcome: Outcome,
    /// When the record wants to be looked after, if it was written.
    pub(crate) due: Option<u64>,
    /// When the payment settled, if it has.
    pub(crate) settled: Option<UnixSeconds>,
}

impl Desk {
    pub(crate) fn new(life: u32, shelf: Shelf) -> Self {
        Self { life, shelf }
    }

    fn hand<T>(&self, work: impl FnOnce(&mut Hand) -> T) -> T {
        HANDS.with_borrow_mut(|hands| work(hands.entry(self.life).or_default()))
    }

    /// What is known of an authorization.
    pub(crate) fn record(&self, key: &str) -> Result<Option<Record>> {
        match self.hand(|hand| hand.get(key).map(|held| held.record.clone())) {
            Some(record) => Ok(Some(record)),
            None => self.shelf.record(key),
        }
    }

    /// How an authorization is settled.
    ///
    /// # Errors
    /// `gate_book_unavailable` when nobody has said.
    pub(crate) fn bill(&self, key: &str) -> Result<Bill> {
        match self.hand(|hand| hand.get(key).and_then(|held| held.bill.clone())) {
            Some(bill) => Ok(bill),
            None => self.shelf.bill(key)?.ok_or_else(|| Code::GateBookUnavailable.into()),
        }
    }

    /// Applies an event in one turn: reads, decides and writes with nothing in between. `account` is needed for a claim,
    /// `bill` comes with the report of a verification.
    pub(crate) fn step(&self, key: &str, event: &Event, account: Option<&str>, bill: Option<Bill>) -> Result<Step> {
        self.step_at(key, event, account, bill, js::now())
    }

    /// The same at another time.
    pub(crate) fn step_at(
        &self,
        key: &str,
        event: &Event,
        account: Option<&str>,
        bill: Option<Bill>,
        now: UnixSeconds,
    ) -> Result<Step> {
        let known = self.hand(|hand| hand.remove(key));
        let of_shelf = match &known {
            Some(_) => None,
            None => self.shelf.record(key)?,
        };
        let before = known.as_ref().map(|held| &held.record).or(of_shelf.as_ref());
        let (after, outcome) = apply(before, event, now);
        let settled = after.as_ref().or(before).and_then(Record::settled_at);
        let Some(record) = after else {
            if let Some(held) = known {
                self.hand(|hand| hand.insert(key.into(), held));
            }
            return Ok(Step { outcome, due: None, settled });
        };
        let (of_before, old_bill) = known.map_or((None, None), |held| (Some(held.account), held.bill));
        let account = match account.map(String::from).or(of_before) {
            Some(account) => account,
            None => self.shelf.account(key)?.ok_or_else(|| Error::from(Code::GateBookUnavailable))?,
        };
        let due = self.shelf.keep(key, &account, &record, bill.as_ref())?;
        let bill = bill.or(old_bill);
        if record.is_worked_on() {
            self.hand(|hand| {
                if hand.len() < MOST {
                    hand.insert(key.into(), Held { account, record, bill });
                }
            });
        }
        Ok(Step { outcome, due: Some(due), settled })
    }
}
