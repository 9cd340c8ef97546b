//! What is to be done for a record without anybody asking.

use crate::ledger::event::Event;
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

/// Seconds between two looks or two tries, at first and at most.
const FIRST_PAUSE: u64 = 5;
const LONGEST_PAUSE: u64 = 300;
/// Seconds after its end that an authorization is remembered, so that no clock of ours takes it for a new one.
pub const KEEP: u64 = 86_400;
/// Seconds that a payment is remembered which was refused whenever it came. Anybody can sign what no money is behind, and
/// a book has room for those who pay.
pub const KEEP_REFUSED: u64 = 600;

/// What is to be done for a record next without anybody asking, and when: a time that has passed means now. `looked` is
/// when [`Chore::Reconcile`] was done last without telling anything; none is always safe.
pub fn due(record: &Record, looked: Option<UnixSeconds>) -> (UnixSeconds, Chore) {
    let since = record.log.last().map_or(UnixSeconds(0), |entry| entry.at);
    match (&record.money, &record.delivery) {
        (Money::Settling { lease }, _) | (_, Delivery::Claimed { lease } | Delivery::Executing { lease }) => {
            (lease.plus(1), Chore::Lapse)
        }
        (Money::Unknown { .. }, _) => {
            // The older it is, the longer the pause.
            let again = |at: UnixSeconds| at.plus((at.since(since) / 10).clamp(FIRST_PAUSE, LONGEST_PAUSE));
            (looked.map_or(since, again), Chore::Reconcile)
        }
        (Money::Untouched, Delivery::Answered { .. }) => {
            let failures = record.log.iter().filter(|entry| matches!(entry.event, Event::Unsent { .. })).count();
            let pause = (0..failures).try_fold(FIRST_PAUSE, |pause, _| pause.checked_mul(2)).unwrap_or(LONGEST_PAUSE);
            (since.plus(if failures == 0 { 0 } else { pause.min(LONGEST_PAUSE) }), Chore::Settle)
        }
        (Money::Untouched, Delivery::Idle) if only_refused(record) => {
            (since.plus(KEEP_REFUSED).min(record.expires.plus(KEEP)), Chore::Forget)
        }
        _ => (record.expires.plus(KEEP), Chore::Forget),
    }
}

/// Whether every claim ended with its refusal, so that nothing was done for it and nobody works on it who could still say
/// something.
fn only_refused(record: &Record) -> bool {
    record.log.chunks(2).all(|pair| {
        matches!(pair, [claim, end] if matches!(claim.event, Event::Claim { .. }) && matches!(end.event, Event::Refused { .. }))
    })
}
