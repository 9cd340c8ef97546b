//! The relayer's durable state in SQLite: one row per payment, and what it knows of its account.

use std::time::Duration;

use worker::{SqlStorageValue, State, Storage};
use x402_core::error::{Code, Error, Result};
use x402_core::facilitator::order::Record;
use x402_core::facilitator::relayer::Account;
use x402_core::types::network::Network;
use x402_core::types::time::UnixSeconds;

/// A row of a result.
type Row = Vec<SqlStorageValue>;

/// Payments looked at in one alarm; the others wait for the next.
const BATCH: &str = "100";

/// The tables. `pending` is 1 while a payment's outcome is not known; a row's `body` says in which format it is.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS payments \
    (identity TEXT PRIMARY KEY, pending INTEGER NOT NULL, nonce INTEGER NOT NULL, body TEXT NOT NULL); \
    CREATE INDEX IF NOT EXISTS pending ON payments (nonce) WHERE pending = 1; \
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, body TEXT NOT NULL)";

/// The database of one relayer.
pub(crate) struct Store(Storage);

impl Store {
    /// Opens it.
    pub(crate) fn open(state: &State) -> Result<Self> {
        let store = Self(state.storage());
        store.run(SCHEMA, &[])?;
        Ok(store)
    }

    fn run(&self, query: &str, texts: &[&str]) -> Result<Vec<Row>> {
        let values: Row = texts.iter().copied().map(SqlStorageValue::from).collect();
        let rows = self.0.sql().exec(query, values).and_then(|cursor| cursor.raw().collect());
        rows.map_err(|_| Error::new(Code::FacilitatorRelayerUnavailable, "the database failed"))
    }

    fn text(row: &Row, column: usize) -> Result<&str> {
        match row.get(column) {
            Some(SqlStorageValue::String(text)) => Ok(text),
            _ => Err(Code::FacilitatorRelayerUnavailable.into()),
        }
    }

    fn fact(&self, name: &str) -> Result<Option<String>> {
        let rows = self.run("SELECT body FROM facts WHERE name = ?", &[name])?;
        rows.first().map(|row| Self::text(row, 0).map(String::from)).transpose()
    }

    fn keep_fact(&self, name: &str, body: &str) -> Result<()> {
        self.run("INSERT OR REPLACE INTO facts (name, body) VALUES (?, ?)", &[name, body]).map(drop)
    }

    /// What is known of the account.
    pub(crate) fn account(&self) -> Result<Account> {
        self.fact("account")?.map_or_else(|| Ok(Account::default()), |text| Account::read(&text))
    }

    pub(crate) fn keep_account(&self, account: &Account) -> Result<()> {
        self.keep_fact("account", &account.write())
    }

    /// The network this relayer is of, once it sent anything.
    pub(crate) fn network(&self) -> Result<Option<Network>> {
        self.fact("network")?.map(|text| Network::parse(&text)).transpose()
    }

    pub(crate) fn keep_network(&self, network: &Network) -> Result<()> {
        self.keep_fact("network", network.as_str())
    }

    /// What is kept of a payment.
    pub(crate) fn record(&self, identity: &str) -> Result<Option<Record>> {
        let rows = self.run("SELECT body FROM payments WHERE identity = ?", &[identity])?;
        rows.first().map(|row| Record::read(Self::text(row, 0)?)).transpose()
    }

    pub(crate) fn keep(&self, identity: &str, record: &Record) -> Result<()> {
        let pending = if record.is_pending() { "1" } else { "0" };
        let (nonce, body) = (record.nonce().to_string(), record.write());
        let query = "INSERT OR REPLACE INTO payments (identity, pending, nonce, body) VALUES (?, ?, ?, ?)";
        self.run(query, &[identity, pending, &nonce, &body]).map(drop)
    }

    pub(crate) fn forget(&self, identity: &str) -> Result<()> {
        self.run("DELETE FROM payments WHERE identity = ?", &[identity]).map(drop)
    }

    /// The payments whose outcome is not known, in the order they were sent.
    pub(crate) fn pending(&self) -> Result<Vec<(String, Record)>> {
        let query = "SELECT identity, body FROM payments WHERE pending = 1 ORDER BY nonce LIMIT ?";
        let rows = self.run(query, &[BATCH])?;
        rows.iter().map(|row| Ok((Self::text(row, 0)?.into(), Record::read(Self::text(row, 1)?)?))).collect()
    }

    /// Forgets decided payments that nobody asks for any more.
    pub(crate) fn prune(&self, now: UnixSeconds) -> Result<()> {
        let query = "SELECT identity, body FROM payments WHERE pending = 0 ORDER BY nonce LIMIT ?";
        for row in self.run(query, &[BATCH])? {
            if Record::read(Self::text(&row, 1)?)?.is_old(now) {
                self.forget(Self::text(&row, 0)?)?;
            }
        }
        Ok(())
    }

    /// Sets the alarm, unless one is set: it must not be put off by those who come later.
    pub(crate) async fn wake(&self, later: Duration) {
        if matches!(self.0.get_alarm().await, Ok(None)) {
            // Without an alarm the next order sets one.
            let _ = self.0.set_alarm(later).await;
        }
    }
}
