//! The events of a record, read again.

use alloc::vec::Vec;

use crate::ledger::event::Entry;
use crate::ledger::payment::apply;
use crate::ledger::record::{Record, State};

/// Replays a log to the record it describes.
pub fn replay(log: &[Entry]) -> Option<Record> {
    log.iter().fold(None, |record, entry| apply(record.as_ref(), &entry.event, entry.at).0.or(record))
}

/// The state after each entry of a log: with its cause beside it, the story of a payment.
pub fn states(log: &[Entry]) -> Vec<State> {
    let mut record: Option<Record> = None;
    let step = |entry: &Entry| {
        record = apply(record.as_ref(), &entry.event, entry.at).0.or_else(|| record.take());
        record.as_ref().map(Record::state)
    };
    log.iter().filter_map(step).collect()
}
