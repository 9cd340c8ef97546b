//! What is to be done for a record without anybody asking.

use crate::ledger::event::{Entry, Event};
use crate::ledger::record::{Delivery, Money, Record};
use crate::types::time::UnixSeconds;

/// What a book's alarm does for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chore {
    /// Apply [`Event::Tick`]: a lease has run out.
    Lapse,
    /// Apply [`Event::SettleStarted`] and settle.
    Settle,
    /// Ask the relayer and the chain what became of it, and apply what they say.
    Reconcile,
    /// Forget the record and its answer: nobody needs either any more.
    Forget,
}

/// Seconds after its end that an authorization is remembered, so that no clock of ours takes it for a new one.
pub const KEEP: u64 = 86_400;

/// What is to be done for a record next without anybody asking, and when: a time that has passed means now. `looked` is
/// when it was last done without effect.
pub fn due(record: &Record, looked: Option<UnixSeconds>) -> (UnixSeconds, Chore) {
    let since = record.log.last().map_or(UnixSeconds(0), |entry| entry.at);
    // The older it is, the longer the pause.
    let again = |pause: u64| looked.map_or(since.plus(pause), |at| at.plus((at.since(since) / 10).clamp(5, 300)));
    let retries = matches!(record.log.last(), Some(Entry { event: Event::Unsent { .. }, .. }));
    match (&record.money, &record.delivery) {
        (Money::Settling { lease }, _) | (_, Delivery::Claimed { lease } | Delivery::Executing { lease }) => {
            (lease.plus(1), Chore::Lapse)
        }
        (Money::Unknown { .. }, _) => (again(2), Chore::Reconcile),
        (Money::Untouched, Delivery::Answered { .. }) => (again(if retries { 10 } else { 0 }), Chore::Settle),
        _ => (record.expires.plus(KEEP), Chore::Forget),
    }
}
