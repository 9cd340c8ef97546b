//! Payments as their owner sees them: each with everything that happened to it, and never with what it could be paid
//! again with. A record holds no signature; what is shown of it is named here, field by field.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::error::{Code, Error, Result};
use crate::ledger::event::{Entry, Event};
use crate::ledger::log;
use crate::ledger::record::{Delivery, Money, Record, Settle, State};
use crate::server::gate::{Answer, Gate, Header};
use crate::server::ops::{Format, Query, told};
use crate::types::amount::decimal;
use crate::types::json::{Fields, Object, array, object, quoted};
use crate::types::time::UnixSeconds;

/// Books that are asked for one page; a page may hold less than its limit and still have a next one.
const BOOKS_A_PAGE: u32 = 256;

/// What the table's columns are, in their order.
const COLUMNS: [&str; 17] = [
    "id",
    "state",
    "network",
    "asset",
    "payer",
    "nonce",
    "amount",
    "settle",
    "created",
    "updated",
    "expires",
    "status",
    "transaction",
    "reason",
    "attempts",
    "servings",
    "log",
];

/// What a book gives back: keys and records as they are kept, in the order of the keys.
#[derive(Debug, Default)]
pub struct Found {
    /// Keys and records.
    pub rows: Vec<(String, String)>,
}

impl Found {
    /// Reads what was found.
    ///
    /// # Errors
    /// `gate_book_unavailable` for text that this version did not write.
    pub fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, Code::GateBookUnavailable)?;
        let texts = fields.optional_texts("rows", |text| Ok(String::from(text)))?.ok_or(Code::GateBookUnavailable)?;
        let mut texts = texts.into_iter();
        let mut rows = Vec::new();
        while let (Some(key), Some(record)) = (texts.next(), texts.next()) {
            rows.push((key, record));
        }
        Ok(Self { rows })
    }

    /// Writes what was found.
    pub fn write(&self) -> String {
        let texts = self.rows.iter().flat_map(|(key, record)| [quoted(key), quoted(record)]);
        object(|to| {
            to.json("rows", &array(texts));
        })
    }
}

/// A page in the making: says which book is asked next, and takes what it gives.
#[derive(Debug)]
pub struct Page<'q> {
    query: &'q Query,
    books: u32,
    book: u32,
    after: String,
    asked: u32,
    found: Vec<(String, String)>,
}

impl<'q> Page<'q> {
    /// Begins a page.
    pub fn new(gate: &Gate, query: &'q Query) -> Self {
        let books = gate.config().ledger.books;
        let (book, after) = query.cursor.clone().unwrap_or_default();
        let only = query.only_book(books);
        Self { query, books, book: only.unwrap_or(book), after, asked: 0, found: Vec::new() }
    }

    fn room(&self) -> u32 {
        self.query.limit.saturating_sub(u32::try_from(self.found.len()).unwrap_or(u32::MAX))
    }

    /// The number of the next book, and what it is asked for; none when the page is done.
    pub fn next(&self) -> Option<(u32, String)> {
        let more = self.book < self.books && self.asked < BOOKS_A_PAGE && self.room() > 0;
        more.then(|| (self.book, self.query.ask(&self.after, self.room()).write()))
    }

    /// Takes what a book gave.
    ///
    /// # Errors
    /// `gate_book_unavailable` when it gave nothing that can be read: a list with a hole would look whole.
    pub fn take(&mut self, text: Option<&str>) -> Result<()> {
        let text = text.ok_or_else(|| Error::from(Code::GateBookUnavailable))?;
        let Found { rows } = Found::read(text)?;
        let full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= self.room());
        self.asked = self.asked.saturating_add(1);
        match rows.last() {
            Some((key, _)) if full => self.after.clone_from(key),
            _ => {
                let only = self.query.id.is_some();
                self.book = if only { self.books } else { self.book.saturating_add(1) };
                self.after.clear();
            }
        }
        self.found.extend(rows);
        Ok(())
    }

    /// The page.
    pub fn answer(&self) -> Answer {
        let more = self.book < self.books;
        let next = more.then(|| self.query.next(&[&decimal(self.book.into()), ".", &self.after].concat()));
        let payments = self.found.iter().map(|(key, record)| payment(key, record));
        let (media_type, body) = match self.query.format {
            Format::Json => {
                let body = object(|to| {
                    to.json("payments", &array(payments.map(|one| document(&one))));
                    to.json("next", &next.as_deref().map_or_else(|| "null".into(), quoted));
                });
                ("application/json", body)
            }
            Format::Ndjson => {
                ("application/x-ndjson", payments.flat_map(|one| [document(&one), "\n".into()]).collect())
            }
            Format::Csv => {
                let mut lines = [COLUMNS.join(","), "\r\n".into()].concat();
                payments.for_each(|one| lines.push_str(&line(&one)));
                ("text/csv; charset=utf-8; header=present", lines)
            }
        };
        let mut answer = told(200, media_type, body);
        answer.headers.extend(next.map(|next| Header::new("link", ["<", &next, ">; rel=\"next\""].concat())));
        answer
    }
}

/// What is shown of a payment.
enum Shown {
    Text(String),
    Number(u64),
    Story(Vec<Chapter>),
}

/// What happened: when, what then, why, and what is known of it as JSON.
struct Chapter {
    at: UnixSeconds,
    state: State,
    cause: &'static str,
    detail: String,
}

/// A payment. What cannot be read is shown as that: it is not to be overlooked.
fn payment(key: &str, record: &str) -> Vec<(&'static str, Shown)> {
    let text = |name, text: &str| (name, Shown::Text(text.into()));
    let number = |name, number: u64| (name, Shown::Number(number));
    let mut one = Vec::from([text("id", key)]);
    let names = ["nonce", "payer", "asset", "network"];
    one.extend(names.into_iter().zip(key.rsplitn(names.len(), ':')).map(|(name, part)| text(name, part)));
    let record = match Record::read(record) {
        Ok(record) => record,
        Err(error) => {
            one.push(text("reason", error.code().as_str()));
            return one;
        }
    };
    let settle = match record.settle {
        Settle::After => "after",
        Settle::Before => "before",
        Settle::Optimistic => "optimistic",
    };
    one.extend([
        text("state", record.state().as_str()),
        text("amount", &record.amount.text()),
        text("settle", settle),
        text("request", &record.request.to_string()),
        number("created", record.log.first().map_or(0, |entry| entry.at.0)),
        number("updated", record.log.last().map_or(0, |entry| entry.at.0)),
        number("expires", record.expires.0),
        number("attempts", record.attempt.into()),
        number("servings", record.servings.into()),
    ]);
    if let Delivery::Answered { status, .. } | Delivery::Waiting { status } = record.delivery {
        one.push(number("status", status.into()));
    }
    match &record.money {
        Money::Settled { settlement } => one.push(text("transaction", &settlement.transaction)),
        Money::Unknown { transaction } if !transaction.is_empty() => one.push(text("transaction", transaction)),
        Money::Failed { reason, .. } => one.push(text("reason", reason)),
        _ => {}
    }
    let states = log::states(&record.log);
    let story = record.log.iter().zip(states).map(|(entry, state)| {
        let mut cause = "";
        let detail = object(|to| cause = tell(entry, to));
        Chapter { at: entry.at, state, cause, detail }
    });
    one.push(("log", Shown::Story(story.collect())));
    one
}

/// Says what is known of what happened; answers its name.
fn tell(entry: &Entry, to: &mut Object) -> &'static str {
    let work = |to: &mut Object, attempt: u32| {
        to.number("attempt", attempt.into());
    };
    match &entry.event {
        Event::Claim { request, repeatable, amount, expires, .. } => {
            to.text("request", &request.to_string()).flag("repeatable", *repeatable);
            to.text("amount", &amount.text()).number("expires", expires.0);
            "claim"
        }
        Event::Verified { attempt, present } => {
            work(to, *attempt);
            to.flag("present", *present);
            "verified"
        }
        Event::Answered { attempt, status, charged, kept, present } => {
            work(to, *attempt);
            to.number("status", (*status).into()).flag("charged", *charged);
            to.flag("kept", *kept).flag("present", *present);
            "answered"
        }
        Event::OriginFailed { attempt, asked } => {
            work(to, *attempt);
            to.flag("asked", *asked);
            "originFailed"
        }
        Event::Settled { settlement } => {
            to.text("transaction", &settlement.transaction);
            "settled"
        }
        Event::SettleUnknown { attempt, transaction } => {
            work(to, *attempt);
            to.text("transaction", transaction);
            "settleUnknown"
        }
        Event::Refused { attempt, reason }
        | Event::Unsent { attempt, reason }
        | Event::SettleFailed { attempt, reason } => {
            work(to, *attempt);
            to.text("reason", reason);
            match entry.event {
                Event::Refused { .. } => "refused",
                Event::Unsent { .. } => "unsent",
                _ => "settleFailed",
            }
        }
        Event::Unused { block } => {
            to.number("block", block.0);
            "unused"
        }
        Event::SettleStarted => "settleStarted",
        Event::Dropped => "dropped",
        Event::Tick => "leaseOver",
    }
}

/// A payment as JSON.
fn document(one: &[(&'static str, Shown)]) -> String {
    let chapter = |of: &Chapter| {
        object(|to| {
            to.number("at", of.at.0)
                .text("cause", of.cause)
                .text("state", of.state.as_str())
                .json("detail", &of.detail);
        })
    };
    object(|to| {
        for (name, shown) in one {
            match shown {
                Shown::Text(text) => to.text(name, text),
                Shown::Number(number) => to.number(name, *number),
                Shown::Story(story) => to.json(name, &array(story.iter().map(chapter))),
            };
        }
    })
}

/// A payment as a line of the table.
fn line(one: &[(&'static str, Shown)]) -> String {
    let chapter = |of: &Chapter| [&decimal(of.at.0), " ", of.cause, " ", of.state.as_str()].concat();
    let field = |column: &str| match one.iter().find(|(name, _)| *name == column) {
        Some((_, Shown::Text(text))) => field(text),
        Some((_, Shown::Number(number))) => decimal(*number),
        Some((_, Shown::Story(story))) => field(&story.iter().map(chapter).collect::<Vec<_>>().join("; ")),
        None => String::new(),
    };
    [COLUMNS.map(field).join(","), "\r\n".into()].concat()
}

/// A field of the table. What a facilitator says may come to stand in one, so none is read as a formula.
fn field(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    ["\"", guard, &text.replace('"', "\"\""), "\""].concat()
}
