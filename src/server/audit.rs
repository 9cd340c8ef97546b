//! Payments as their owner sees them: each with everything that happened to it, and never with what it could be paid
//! again with. A record holds no signature; what is shown of it is named here, field by field.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::{Code, Error, Result};
use crate::ledger::event::{Entry, Event};
use crate::ledger::log;
use crate::ledger::record::{Delivery, Money, Record};
use crate::server::gate::{Answer, Gate, Header};
use crate::server::ops::{Format, Query, told};
use crate::types::json;

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
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// Keys and records.
    pub rows: Vec<(String, String)>,
}

impl Found {
    /// Writes what was found.
    pub fn write(&self) -> String {
        json::write(self)
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
        let Found { rows } = json::read(text, Code::GateBookUnavailable)?;
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
        let next = more.then(|| self.query.next(&format!("{}.{}", self.book, self.after)));
        let payments = self.found.iter().map(|(key, record)| payment(key, record));
        let (media_type, body) = match self.query.format {
            Format::Json => {
                let list: Vec<Value> = payments.map(Value::Object).collect();
                ("application/json", json::write(&json!({ "payments": list, "next": next })))
            }
            Format::Ndjson => {
                ("application/x-ndjson", payments.flat_map(|one| [json::write(&one), "\n".into()]).collect())
            }
            Format::Csv => {
                let mut lines = [COLUMNS.join(","), "\r\n".into()].concat();
                payments.for_each(|one| lines.push_str(&line(&one)));
                ("text/csv; charset=utf-8; header=present", lines)
            }
        };
        let mut answer = told(200, media_type, body);
        answer.headers.extend(next.map(|next| Header::new("link", format!("<{next}>; rel=\"next\""))));
        answer
    }
}

/// A payment. What cannot be read is shown as that: it is not to be overlooked.
fn payment(key: &str, record: &str) -> Map<String, Value> {
    let mut one = Map::new();
    let mut set = |name: &str, value: Value| drop(one.insert(name.into(), value));
    set("id", key.into());
    let names = ["nonce", "payer", "asset", "network"];
    names.iter().zip(key.rsplitn(names.len(), ':')).for_each(|(name, part)| set(name, part.into()));
    let record = match Record::read(record) {
        Ok(record) => record,
        Err(error) => {
            set("reason", error.code().as_str().into());
            return one;
        }
    };
    set("state", record.state().as_str().into());
    set("amount", record.amount.to_string().into());
    set("settle", json!(record.settle));
    set("request", record.request.to_string().into());
    set("created", json!(record.log.first().map(|entry| entry.at)));
    set("updated", json!(record.log.last().map(|entry| entry.at)));
    set("expires", json!(record.expires));
    set("attempts", record.attempt.into());
    set("servings", record.servings.into());
    if let Delivery::Answered { status, .. } | Delivery::Waiting { status } = record.delivery {
        set("status", status.into());
    }
    match &record.money {
        Money::Settled { settlement } => set("transaction", settlement.transaction.as_str().into()),
        Money::Unknown { transaction } if !transaction.is_empty() => set("transaction", transaction.as_str().into()),
        Money::Failed { reason, .. } => set("reason", reason.as_str().into()),
        _ => {}
    }
    let states = log::states(&record.log);
    let story = record.log.iter().zip(states).map(|(entry, state)| {
        let (cause, detail) = cause(entry);
        json!({ "at": entry.at, "cause": cause, "state": state.as_str(), "detail": detail })
    });
    set("log", story.collect());
    one
}

/// What happened, in one word, and what is known of it.
fn cause(entry: &Entry) -> (&'static str, Value) {
    match &entry.event {
        Event::Claim { request, repeatable, amount, expires, .. } => {
            let (request, amount) = (request.to_string(), amount.to_string());
            let detail = json!({ "request": request, "repeatable": repeatable, "amount": amount, "expires": expires });
            ("claim", detail)
        }
        Event::Verified { attempt, present } => ("verified", json!({ "attempt": attempt, "present": present })),
        Event::Refused { attempt, reason } => ("refused", json!({ "attempt": attempt, "reason": reason })),
        Event::Answered { attempt, status, charged, kept, present } => {
            let seen =
                json!({ "attempt": attempt, "status": status, "charged": charged, "kept": kept, "present": present });
            ("answered", seen)
        }
        Event::OriginFailed { attempt, asked } => ("originFailed", json!({ "attempt": attempt, "asked": asked })),
        Event::SettleStarted => ("settleStarted", json!({})),
        Event::Settled { settlement } => ("settled", json!({ "transaction": settlement.transaction })),
        Event::Unsent { attempt, reason } => ("unsent", json!({ "attempt": attempt, "reason": reason })),
        Event::SettleFailed { attempt, reason } => ("settleFailed", json!({ "attempt": attempt, "reason": reason })),
        Event::SettleUnknown { attempt, transaction } => {
            ("settleUnknown", json!({ "attempt": attempt, "transaction": transaction }))
        }
        Event::Unused { block } => ("unused", json!({ "block": block })),
        Event::Dropped => ("dropped", json!({})),
        Event::Tick => ("leaseOver", json!({})),
    }
}

/// A line of the table.
fn line(one: &Map<String, Value>) -> String {
    let fields = COLUMNS.iter().map(|column| match one.get(*column) {
        Some(Value::String(text)) => field(text),
        Some(Value::Array(log)) => field(&log.iter().filter_map(story).collect::<Vec<_>>().join("; ")),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    });
    [fields.collect::<Vec<_>>().join(","), "\r\n".into()].concat()
}

/// An entry of a log in the table: when, why, what then.
fn story(entry: &Value) -> Option<String> {
    let word = |key: &str| entry.get(key)?.as_str();
    Some(format!("{} {} {}", entry.get("at")?, word("cause")?, word("state")?))
}

/// A field of the table. What a facilitator says may come to stand in one, so none is read as a formula.
fn field(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    ["\"", guard, &text.replace('"', "\"\""), "\""].concat()
}
