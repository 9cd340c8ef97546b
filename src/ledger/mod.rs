//! The ledger: what became of every authorization, as a pure function.

pub mod alarm;
pub mod event;
pub mod outcome;
pub mod payment;
pub mod record;
