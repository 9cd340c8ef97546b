//! One atomic update of what a store keeps: the book and the log together.
//!
//! A store calls with what it keeps and writes what it gets, exclusively and durably; it knows nothing else.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::client::audit::{Facts, Log, Who, link};
use crate::client::book::{Book, Change, Claim, Event, Kind, Open, Outcome, State, apply};
use crate::client::call::Identity;
use crate::client::choose::Choice;
use crate::client::clock;
use crate::client::intent::Quote;
use crate::client::policy::{Budget, Policy, SCALE};
use crate::client::receipt::Receipt;
use crate::client::trace::Rule;
use crate::error::{Code, Error, Result};
use crate::types::amount::{Amount, decimal};
use crate::types::json::{Message, Object};
use crate::types::time::UnixSeconds;

/// What a store keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stored<'a> {
    /// The book; none in a new store.
    pub book: Option<&'a str>,
    /// The log's last entry; none in a new store, and where the log is kept elsewhere.
    pub last: Option<&'a str>,
}

/// What a store writes.
#[derive(Clone, Debug)]
pub struct Update {
    /// The book.
    pub book: String,
    /// Entries that are added to the log.
    pub entries: Vec<String>,
    /// What is to be done when they are written.
    pub outcome: Outcome,
}

impl Message for Update {
    fn members(&self, to: &mut Object) {
        let entries = self.entries.iter().map(|entry| crate::types::json::quoted(entry));
        to.text("book", &self.book).json("entries", &crate::types::json::array(entries));
    }
}

impl Stored<'_> {
    /// The book that is kept.
    ///
    /// # Errors
    /// `payer_store_broken` when it is not what was written, or not the one that its log belongs to.
    pub fn book(self) -> Result<Book> {
        let book = self.book.map_or_else(|| Ok(Book::default()), Book::read)?;
        let Some(last) = self.last else { return Ok(book) };
        let (seq, _, hash) = link(last)?;
        let belongs = (seq, hash) == (book.count, book.head);
        if belongs { Ok(book) } else { Err(Error::new(Code::PayerStoreBroken, "the log is another book's")) }
    }

    /// Lets something happen, and writes it into the log under a name that fits what came of it. An empty name is none.
    ///
    /// # Errors
    /// `payer_store_broken`.
    pub fn update(
        self,
        policy: &Policy,
        who: &Who,
        (event, name, facts): (&Event, &str, &Facts),
        now: UnixSeconds,
    ) -> Result<Update> {
        let book = self.book()?;
        let Change { mut book, outcome, lapsed } = apply(&book, policy, event, now);
        let mut log = Log { count: book.count, head: book.head, who, at: now, entries: Vec::new() };
        for open in lapsed {
            log.add("released", &Facts::default().text("id", &open.id).text("reason", "expired"));
        }
        let refused;
        let (name, facts) = match &outcome {
            Outcome::Refused(error, trace) => {
                let told = facts.clone().text("code", error.code().as_str()).text("reason", &error.message());
                refused = told.rules(&trace.0);
                ("refused", &refused)
            }
            Outcome::Reserved(trace) => {
                refused = facts.clone().rules(&trace.0);
                (name, &refused)
            }
            Outcome::Present(open) => {
                refused = facts.clone().text("presents", &open.id);
                ("presented", &refused)
            }
            Outcome::Wait => ("", facts),
            Outcome::Done => (name, facts),
        };
        if !name.is_empty() {
            log.add(name, facts);
        }
        Ok(Self::written(&mut book, log, outcome))
    }

    /// Begins anew: nothing was spent and nothing is open. The log goes on, where its last entry can still be read.
    pub fn reset(self, who: &Who, now: UnixSeconds) -> Update {
        // A log whose end cannot be read goes on where the book knows it to end.
        let kept = self.book.and_then(|book| Book::read(book).ok()).map(|book| (book.count, book.head));
        let last = self.last.and_then(|last| link(last).ok()).map(|(seq, _, hash)| (seq, hash));
        let (count, head) = last.or(kept).unwrap_or_default();
        let mut log = Log { count, head, who, at: now, entries: Vec::new() };
        log.add("reset", &Facts::default());
        Self::written(&mut Book::default(), log, Outcome::Done)
    }

    fn written(book: &mut Book, log: Log<'_>, outcome: Outcome) -> Update {
        (book.count, book.head) = (log.count, log.head);
        Update { book: book.write(), entries: log.entries, outcome }
    }
}

/// What a choice would be in the book.
pub fn kind(choice: &Choice, who: &Who) -> Kind {
    Kind {
        origin: choice.origin.clone(),
        network: choice.asset.network.as_str().into(),
        asset: choice.terms.asset.to_checksum(),
        pay_to: choice.terms.pay_to.to_checksum(),
        task: who.task.clone(),
        dollar: choice.asset.dollar,
    }
}

/// The reservation of a quote, about which the chain can be asked or not. `own` is now by the payer's clock, and `signed_at` by the one that is signed at.
pub fn claim(
    quote: &Quote,
    (kind, price): (Kind, Amount),
    (identity, provable): (Option<Identity>, bool),
    asked: bool,
    (own, signed_at): (UnixSeconds, UnixSeconds),
) -> Event {
    let (valid_before, until) = ends(quote, (own, signed_at));
    let open = Open {
        id: quote.id.clone(),
        state: State::Reserved,
        kind,
        amount: price,
        units: quote.amount.clone(),
        symbol: quote.symbol.clone(),
        payer: quote.payer.clone(),
        valid_before,
        until,
        provable,
        identity,
        payment: None,
    };
    Event::Reserve(Box::new(Claim { open, asked }))
}

/// When a quote's authorization ends, by the chain's clock and by the payer's.
pub fn ends(quote: &Quote, (own, signed_at): (UnixSeconds, UnixSeconds)) -> (UnixSeconds, UnixSeconds) {
    let end = Amount::parse(&quote.valid_before).ok().and_then(Amount::to_u64);
    let valid_before = UnixSeconds(end.unwrap_or(u64::MAX));
    (valid_before, clock::end(own, signed_at, valid_before))
}

/// Holds a choice against the budgets as they are, without reserving anything.
///
/// # Errors
/// The refusal, with the rules that were asked.
pub fn afford(book: &Book, policy: &Policy, choice: &Choice, who: &Who, now: UnixSeconds) -> (Vec<Rule>, Result<()>) {
    let claim = Claim { open: Open { kind: kind(choice, who), amount: choice.price, ..Open::default() }, asked: true };
    match apply(book, policy, &Event::Reserve(Box::new(claim)), now).outcome {
        Outcome::Refused(error, trace) => (trace.0, Err(error)),
        Outcome::Reserved(trace) => (trace.0, Ok(())),
        _ => (Vec::new(), Ok(())),
    }
}

/// What is logged of a quote of an origin. `url` is the URL as it may be logged.
pub fn quoted(quote: &Quote, origin: &str, url: &str) -> Facts {
    let of = |name, text: &str| (name, String::from(text));
    let facts = [
        of("id", &quote.id),
        of("origin", origin),
        of("url", url),
        of("network", &quote.network),
        of("asset", &quote.asset),
        of("symbol", &quote.symbol),
        of("amount", &quote.amount),
        of("tokens", &quote.tokens),
        of("payTo", &quote.pay_to),
        of("payer", &quote.payer),
        of("validBefore", &quote.valid_before),
    ];
    facts.iter().fold(Facts::default(), |facts, (name, text)| facts.text(name, text)).rules(&quote.rules)
}

/// What is logged of a payment that is about to be sent: who signed, and until when it can be taken.
pub fn signed(quote: &Quote) -> Facts {
    Facts::default().text("id", &quote.id).text("payer", &quote.payer).text("validBefore", &quote.valid_before)
}

/// What is logged of an answer.
pub fn received(id: &str, status: u16, receipt: &Receipt) -> Facts {
    let flag = |flag: bool| if flag { "true" } else { "false" };
    Facts::default()
        .text("id", id)
        .json("status", decimal(status.into()))
        .json("success", flag(receipt.success))
        .json("consistent", flag(receipt.consistent))
        .text("transaction", &receipt.transaction)
        .text("reason", receipt.error_reason.as_deref().unwrap_or_default())
}

/// A budget and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The budget.
    pub budget: Budget,
    /// What counts against it.
    pub spent: Amount,
}

impl Message for Left {
    fn members(&self, to: &mut Object) {
        self.budget.members(to);
        let left = self.budget.max.checked_sub(self.spent).unwrap_or_default();
        to.text("spent", &self.spent.to_tokens(SCALE)).text("left", &left.to_tokens(SCALE));
    }
}

/// What is left of every budget, as the next call would find it.
pub fn left(book: &Book, policy: &Policy, task: Option<&str>, now: UnixSeconds) -> Vec<Left> {
    let book = apply(book, policy, &Event::Tick, now).book;
    let left = |(budget, spent): (&Budget, Amount)| Left { budget: budget.clone(), spent };
    book.budgets(policy, task, now).map(left).collect()
}
