//! A book's durable state in SQLite: a row per authorization, and the answers that are kept.

use worker::{SqlStorageValue, State, Storage};
use x402_core::error::{Code, Error, Result};
use x402_core::facilitator::bill::Bill;
use x402_core::ledger::alarm::{self, Chore};
use x402_core::ledger::event::RequestHash;
use x402_core::ledger::record::Record;
use x402_core::server::book::Head;
use x402_core::server::pass::SECONDS_MOST;
use x402_core::types::amount::Amount;
use x402_core::types::json;
use x402_core::types::time::UnixSeconds;

/// A row of a result.
pub(crate) type Row = Vec<SqlStorageValue>;

/// Records looked after in one alarm; the others wait for the next.
const BATCH: &str = "50";

/// The tables. `due` is when a record wants to be looked after; `exposure` is what its payer may owe, in atomic units;
/// `looked` is when it was last looked for in vain. A row's `body` says in which format it is.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS records \
    (key TEXT PRIMARY KEY, account TEXT NOT NULL, due INTEGER NOT NULL, state TEXT NOT NULL, exposure TEXT NOT NULL, looked INTEGER, \
    body TEXT NOT NULL, bill TEXT); \
    CREATE INDEX IF NOT EXISTS due ON records (due); \
    CREATE INDEX IF NOT EXISTS settling ON records (key) WHERE state = 'settling'; \
    CREATE INDEX IF NOT EXISTS exposed ON records (account) WHERE exposure <> '0'; \
    CREATE TABLE IF NOT EXISTS answers \
    (key TEXT PRIMARY KEY, until INTEGER NOT NULL, head TEXT NOT NULL, body BLOB NOT NULL); \
    CREATE INDEX IF NOT EXISTS until ON answers (until); \
    CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY, key TEXT NOT NULL, request TEXT NOT NULL); \
    CREATE INDEX IF NOT EXISTS named ON names (key); \
    CREATE TABLE IF NOT EXISTS revoked (subject TEXT PRIMARY KEY, at INTEGER NOT NULL); \
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, body TEXT NOT NULL)";

/// The database of one book.
pub(crate) struct Shelf(Storage);

impl Shelf {
    pub(crate) fn of(state: &State) -> Self {
        Self(state.storage())
    }

    /// Makes the tables; once in an object's life in memory.
    pub(crate) fn open(&self) -> Result<()> {
        self.run(SCHEMA, Row::new()).map(drop)
    }

    pub(crate) fn run(&self, query: &str, values: Row) -> Result<Vec<Row>> {
        let rows = self.0.sql().exec(query, values).and_then(|cursor| cursor.raw().collect());
        rows.map_err(|_| Error::new(Code::GateBookUnavailable, "the database failed"))
    }

    /// Holds the number of books that the ledger was begun with to the number the gate knows now.
    ///
    /// # Errors
    /// `gate_invalid_config` when they differ: payers would be looked for in other books than they are in.
    pub(crate) fn agrees(&self, books: u32) -> Result<()> {
        let rows = self.run("SELECT body FROM facts WHERE name = 'books'", Row::new())?;
        let now = books.to_string();
        match rows.first() {
            Some(row) if text(row, 0)? == now => Ok(()),
            Some(_) => Err(Error::new(Code::GateConfig, "ledger.books was changed: the books must be drained first")),
            None => {
                let query = "INSERT INTO facts (name, body) VALUES ('books', ?)";
                self.run(query, Row::from([now.into()])).map(drop)
            }
        }
    }

    /// What is kept of an authorization.
    pub(crate) fn record(&self, key: &str) -> Result<Option<Record>> {
        let rows = self.run("SELECT body FROM records WHERE key = ?", Row::from([key.into()]))?;
        rows.first().map(|row| Record::read(text(row, 0)?)).transpose()
    }

    /// How an authorization is settled.
    pub(crate) fn bill(&self, key: &str) -> Result<Option<Bill>> {
        let rows = self.run("SELECT bill FROM records WHERE key = ?", Row::from([key.into()]))?;
        match rows.first().and_then(|row| row.first()) {
            Some(SqlStorageValue::String(text)) => Bill::read(text).map(Some),
            _ => Ok(None),
        }
    }

    /// The account of an authorization.
    pub(crate) fn account(&self, key: &str) -> Result<Option<String>> {
        let rows = self.run("SELECT account FROM records WHERE key = ?", Row::from([key.into()]))?;
        rows.first().map(|row| text(row, 0).map(String::from)).transpose()
    }

    /// Keeps what a record has become, and how it is settled where that is new: it never changes. Answers when it wants to be looked after.
    pub(crate) fn keep(&self, key: &str, account: &str, record: &Record, bill: Option<&Bill>) -> Result<u64> {
        let query = "INSERT INTO records (key, account, due, state, exposure, body, bill) VALUES (?, ?, ?, ?, ?, ?, ?) \
            ON CONFLICT (key) DO UPDATE SET due = excluded.due, state = excluded.state, exposure = excluded.exposure, \
            looked = NULL, body = excluded.body, bill = coalesce(excluded.bill, bill)";
        let due = alarm::due(record, None).0;
        let bill = bill.map_or(SqlStorageValue::Null, |bill| bill.write().into());
        let (state, exposure) = (state(record), exposure(record));
        let row = [key.into(), account.into(), seconds(due), state, exposure, record.write().into(), bill];
        self.run(query, Row::from(row)).map(|_| due.0)
    }

    /// Notes that a record was looked for in vain.
    pub(crate) fn looked(&self, key: &str, record: &Record, now: UnixSeconds) -> Result<()> {
        let due = alarm::due(record, Some(now)).0;
        let query = "UPDATE records SET due = ?, looked = ? WHERE key = ?";
        self.run(query, Row::from([seconds(due), seconds(now), key.into()])).map(drop)
    }

    /// The settlements that are under way, by key, and the numbers of that work.
    pub(crate) fn settling(&self) -> Result<Vec<(String, u32)>> {
        let rows = self.run("SELECT key, body FROM records WHERE state = 'settling'", Row::new())?;
        rows.iter().map(|row| Ok((text(row, 0)?.into(), Record::read(text(row, 1)?)?.attempt))).collect()
    }

    /// Has a record looked for at once whose outcome is not known; whether it is such a one.
    pub(crate) fn ask_soon(&self, key: &str, now: UnixSeconds) -> Result<bool> {
        let query = "UPDATE records SET due = ? WHERE key = ? AND state = 'unknown' RETURNING key";
        Ok(!self.run(query, Row::from([seconds(now), key.into()]))?.is_empty())
    }

    /// Looks at a record again after this time, whatever it wants.
    pub(crate) fn put_off(&self, key: &str, until: UnixSeconds) -> Result<()> {
        self.run("UPDATE records SET due = ? WHERE key = ?", Row::from([seconds(until), key.into()])).map(drop)
    }

    /// What an account's records may cost the owner.
    pub(crate) fn exposed(&self, account: &str) -> Result<Amount> {
        let query = "SELECT exposure FROM records WHERE account = ? AND exposure <> '0'";
        let rows = self.run(query, Row::from([account.into()]))?;
        let amounts = rows.iter().map(|row| Amount::parse(text(row, 0)?)).collect::<Result<Vec<_>>>()?;
        Ok(Record::exposed(amounts))
    }

    /// The records that want to be looked after, and for what.
    pub(crate) fn due(&self, now: UnixSeconds) -> Result<Vec<(String, Record, Chore)>> {
        let query = "SELECT key, body, looked FROM records WHERE due <= ? ORDER BY due LIMIT ?";
        let rows = self.run(query, Row::from([seconds(now), BATCH.into()]))?;
        let read = |row: &Row| {
            let record = Record::read(text(row, 1)?)?;
            let looked = match row.get(2) {
                Some(SqlStorageValue::Integer(at)) => u64::try_from(*at).ok().map(UnixSeconds),
                _ => None,
            };
            let chore = alarm::due(&record, looked).1;
            Ok((text(row, 0)?.into(), record, chore))
        };
        rows.iter().map(read).collect()
    }

    /// When the next record wants to be looked after.
    pub(crate) fn next_due(&self) -> Result<Option<u64>> {
        let rows = self.run("SELECT min(due) FROM records", Row::new())?;
        Ok(rows.first().and_then(|row| match row.first() {
            Some(SqlStorageValue::Integer(at)) => u64::try_from(*at).ok(),
            _ => None,
        }))
    }

    /// Forgets an authorization and its answer.
    pub(crate) fn forget(&self, key: &str) -> Result<()> {
        self.run("DELETE FROM answers WHERE key = ?", Row::from([key.into()]))?;
        self.run("DELETE FROM names WHERE key = ?", Row::from([key.into()]))?;
        self.run("DELETE FROM records WHERE key = ?", Row::from([key.into()])).map(drop)
    }

    /// The payment that a purchase of this name was begun with, and its request.
    pub(crate) fn named(&self, payer: &str, name: &str) -> Result<Option<(String, RequestHash)>> {
        let name = [payer, ":", name].concat();
        let rows = self.run("SELECT key, request FROM names WHERE name = ?", Row::from([name.into()]))?;
        let read = |row: &Row| Ok((text(row, 0)?.into(), RequestHash::parse(text(row, 1)?)?));
        rows.first().map(read).transpose()
    }

    /// Keeps the name of a purchase.
    pub(crate) fn name(&self, payer: &str, name: &str, key: &str, request: &RequestHash) -> Result<()> {
        let query = "INSERT OR REPLACE INTO names (name, key, request) VALUES (?, ?, ?)";
        let row = [[payer, ":", name].concat().into(), key.into(), request.to_string().into()];
        self.run(query, Row::from(row)).map(drop)
    }

    /// Keeps an answer.
    pub(crate) fn keep_answer(&self, key: &str, head: &Head, body: Vec<u8>, until: UnixSeconds) -> Result<()> {
        let query = "INSERT OR REPLACE INTO answers (key, until, head, body) VALUES (?, ?, ?, ?)";
        let row = [key.into(), seconds(until), json::write(head).into(), body.into()];
        self.run(query, Row::from(row)).map(drop)
    }

    /// The answer that is kept.
    pub(crate) fn answer(&self, key: &str) -> Result<Option<(Head, Vec<u8>)>> {
        let rows = self.run("SELECT head, body FROM answers WHERE key = ?", Row::from([key.into()]))?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let head = json::read(text(&row, 0)?, Code::LedgerFormat)?;
        match row.into_iter().nth(1) {
            Some(SqlStorageValue::Blob(body)) => Ok(Some((head, body))),
            _ => Err(Code::GateBookUnavailable.into()),
        }
    }

    /// When the passes of a payer or of a payment were last revoked.
    pub(crate) fn revoked(&self, payer: &str, payment: &str) -> Result<Option<u64>> {
        let query = "SELECT max(at) FROM revoked WHERE subject IN (?, ?)";
        let rows = self.run(query, Row::from([payer.into(), payment.into()]))?;
        Ok(rows.first().and_then(|row| match row.first() {
            Some(SqlStorageValue::Integer(at)) => u64::try_from(*at).ok(),
            _ => None,
        }))
    }

    /// Revokes the passes of a payer or of a payment, and forgets what was revoked so long ago that no pass is left.
    pub(crate) fn revoke(&self, subject: &str, now: UnixSeconds) -> Result<()> {
        let over = UnixSeconds(now.0.saturating_sub(SECONDS_MOST));
        self.run("DELETE FROM revoked WHERE at < ?", Row::from([seconds(over)]))?;
        let query = "INSERT OR REPLACE INTO revoked (subject, at) VALUES (?, ?)";
        self.run(query, Row::from([subject.into(), seconds(now)])).map(drop)
    }

    /// The keys of answers that are not kept any longer.
    pub(crate) fn stale_answers(&self, now: UnixSeconds) -> Result<Vec<String>> {
        let query = "SELECT key FROM answers WHERE until <= ? LIMIT ?";
        let rows = self.run(query, Row::from([seconds(now), BATCH.into()]))?;
        rows.iter().map(|row| text(row, 0).map(String::from)).collect()
    }

    /// Drops an answer.
    pub(crate) fn drop_answer(&self, key: &str) -> Result<()> {
        self.run("DELETE FROM answers WHERE key = ?", Row::from([key.into()])).map(drop)
    }
}

pub(crate) fn text(row: &Row, column: usize) -> Result<&str> {
    match row.get(column) {
        Some(SqlStorageValue::String(text)) => Ok(text),
        _ => Err(Code::GateBookUnavailable.into()),
    }
}

fn seconds(at: UnixSeconds) -> SqlStorageValue {
    i64::try_from(at.0).unwrap_or(i64::MAX).into()
}

fn state(record: &Record) -> SqlStorageValue {
    record.state().as_str().into()
}

fn exposure(record: &Record) -> SqlStorageValue {
    record.exposure().to_string().into()
}
