//! The relayer's durable state in SQLite: one row per payment, and what it knows of itself and its account.

use std::time::Duration;

use worker::{SqlStorageValue, State, Storage};
use x402_core::error::{Code, Error, Result};
use x402_core::evm::address::Address;
use x402_core::facilitator::record::Record;
use x402_core::facilitator::relayer::Account;
use x402_core::types::network::Network;
use x402_core::types::time::UnixSeconds;

/// A row of a result.
type Row = Vec<SqlStorageValue>;

/// Payments looked at in one alarm, whose receipts fit into one answer; the others wait for the next.
const BATCH: &str = "64";

/// The tables. `pending` is 1 while a payment's outcome is not known, `begun` is when it was; `due` is when it is to be
/// looked at, if ever; from `old` on nobody asks for it. A row's `body` says in which format it is.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS orders \
    (identity TEXT PRIMARY KEY, pending INTEGER NOT NULL, begun INTEGER NOT NULL, due INTEGER, old INTEGER NOT NULL, body TEXT NOT NULL); \
    CREATE INDEX IF NOT EXISTS due ON orders (due) WHERE due IS NOT NULL; \
    CREATE INDEX IF NOT EXISTS old ON orders (old); \
    CREATE INDEX IF NOT EXISTS pending ON orders (begun) WHERE pending = 1; \
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, body TEXT NOT NULL)";

/// The database of one relayer.
pub(crate) struct Store(Storage);

impl Store {
    /// Opens it.
    pub(crate) fn open(state: &State) -> Result<Self> {
        let store = Self(state.storage());
        store.run(SCHEMA, Row::new())?;
        Ok(store)
    }

    fn run(&self, query: &str, values: Row) -> Result<Vec<Row>> {
        let rows = self.0.sql().exec(query, values).and_then(|cursor| cursor.raw().collect());
        rows.map_err(|_| Error::new(Code::FacilitatorRelayerUnavailable, "the database failed"))
    }

    fn fact(&self, name: &str) -> Result<Option<String>> {
        let rows = self.run("SELECT body FROM facts WHERE name = ?", Row::from([name.into()]))?;
        rows.first().map(|row| text(row, 0).map(String::from)).transpose()
    }

    fn keep_fact(&self, name: &str, body: String) -> Result<()> {
        let query = "INSERT OR REPLACE INTO facts (name, body) VALUES (?, ?)";
        self.run(query, Row::from([name.into(), body.into()])).map(drop)
    }

    /// What is known of the account.
    pub(crate) fn account(&self) -> Result<Account> {
        self.fact("account")?.map_or_else(|| Ok(Account::default()), |text| Account::read(&text))
    }

    pub(crate) fn keep_account(&self, account: &Account) -> Result<()> {
        self.keep_fact("account", account.write())
    }

    /// The network and the account this relayer is of, once it sent anything.
    pub(crate) fn home(&self) -> Result<Option<(Network, Address)>> {
        match (self.fact("network")?, self.fact("relayer")?) {
            (Some(network), Some(relayer)) => Ok(Some((Network::parse(&network)?, Address::parse(&relayer)?))),
            _ => Ok(None),
        }
    }

    pub(crate) fn keep_home(&self, network: &Network, relayer: Address) -> Result<()> {
        self.keep_fact("network", network.as_str().into())?;
        self.keep_fact("relayer", relayer.to_string())
    }

    /// What is kept of a payment.
    pub(crate) fn record(&self, identity: &str) -> Result<Option<Record>> {
        let rows = self.run("SELECT body FROM orders WHERE identity = ?", Row::from([identity.into()]))?;
        rows.first().map(|row| Record::read(text(row, 0)?)).transpose()
    }

    /// Keeps what a payment has become; `due` is when it is to be looked at.
    pub(crate) fn keep(&self, identity: &str, record: &Record, due: Option<UnixSeconds>) -> Result<()> {
        let query =
            "INSERT OR REPLACE INTO orders (identity, pending, begun, due, old, body) VALUES (?, ?, ?, ?, ?, ?)";
        let row = [
            identity.into(),
            i64::from(record.is_pending()).into(),
            seconds(record.begun()),
            due.map_or(SqlStorageValue::Null, seconds),
            seconds(record.old()),
            record.write().into(),
        ];
        self.run(query, Row::from(row)).map(drop)
    }

    pub(crate) fn forget(&self, identity: &str) -> Result<()> {
        self.run("DELETE FROM orders WHERE identity = ?", Row::from([identity.into()])).map(drop)
    }

    /// The payments that are to be looked at by now, the oldest first: what they wait for comes in that order.
    pub(crate) fn due(&self, now: UnixSeconds) -> Result<Vec<(String, Record)>> {
        let query = "SELECT identity, body FROM orders WHERE due <= ? ORDER BY pending DESC, begun LIMIT ?";
        let rows = self.run(query, Row::from([seconds(now), BATCH.into()]))?;
        rows.iter().map(|row| Ok((text(row, 0)?.into(), Record::read(text(row, 1)?)?))).collect()
    }

    /// When the next payment is to be looked at.
    pub(crate) fn next_due(&self) -> Result<Option<UnixSeconds>> {
        let rows = self.run("SELECT CAST(MIN(due) AS TEXT) FROM orders WHERE due IS NOT NULL", Row::new())?;
        Ok(rows.first().and_then(|row| number(row, 0)).map(UnixSeconds))
    }

    /// How many payments' outcomes are not known, and when the oldest of them was begun.
    pub(crate) fn pending(&self) -> Result<(u64, Option<UnixSeconds>)> {
        let query = "SELECT CAST(COUNT(*) AS TEXT), CAST(MIN(begun) AS TEXT) FROM orders WHERE pending = 1";
        let rows = self.run(query, Row::new())?;
        let of = |column| rows.first().and_then(|row| number(row, column));
        Ok((of(0).unwrap_or(0), of(1).map(UnixSeconds)))
    }

    /// Forgets payments that nobody asks for any more.
    pub(crate) fn prune(&self, now: UnixSeconds) -> Result<()> {
        self.run("DELETE FROM orders WHERE old < ?", Row::from([seconds(now)])).map(drop)
    }

    /// Sets the alarm, unless an earlier one is set: it must not be put off by those who come later.
    pub(crate) async fn wake(&self, at: UnixSeconds, now: UnixSeconds) {
        let at_milliseconds = i64::try_from(at.0.saturating_mul(1000)).unwrap_or(i64::MAX);
        if !matches!(self.0.get_alarm().await, Ok(Some(set)) if set <= at_milliseconds) {
            // Without an alarm the next order sets one.
            let _ = self.0.set_alarm(Duration::from_secs(at.since(now).max(1))).await;
        }
    }
}

fn text(row: &Row, column: usize) -> Result<&str> {
    match row.get(column) {
        Some(SqlStorageValue::String(text)) => Ok(text),
        _ => Err(Code::FacilitatorRelayerUnavailable.into()),
    }
}

fn number(row: &Row, column: usize) -> Option<u64> {
    text(row, column).ok()?.parse().ok()
}

fn seconds(at: UnixSeconds) -> SqlStorageValue {
    i64::try_from(at.0).unwrap_or(i64::MAX).into()
}
