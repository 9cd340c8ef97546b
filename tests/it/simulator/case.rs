//! One authorization in the world of a schedule.

use x402_core::ledger::payment::ATTEMPTS;
use x402_core::ledger::record::{Money, Record, Settle, State};
use x402_core::types::time::UnixSeconds;

use super::Rng;
use super::world::START;

/// Seconds an authorization is valid.
pub(super) const VALIDITY: u64 = 400;

/// An answer of the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// The request it answers.
    pub(crate) request: u8,
    /// Which execution gave it.
    pub(crate) serial: u32,
}

/// One authorization: what is true of it, whatever anybody believes.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What its route wants.
    pub(crate) settle: Settle,
    pub(crate) repeatable: bool,
    pub(crate) expires: u64,
    /// The disk: the ledger's record and the kept answer.
    pub(crate) record: Option<Record>,
    pub(crate) kept: Option<Content>,
    /// When its book last looked for it in vain.
    pub(crate) looked: Option<UnixSeconds>,
    /// How often it was handed to somebody who may settle it.
    pub(crate) handed: u32,
    /// A facilitator holds it and has not sent it yet; the chain has not mined it yet.
    pub(crate) held: bool,
    pub(crate) pending: bool,
    /// When it moved; whether by somebody else's hand; whether the payer has cancelled it.
    pub(crate) moved: Option<u64>,
    pub(crate) preempted: bool,
    pub(crate) cancelled: bool,
    /// A facilitator said that it failed, and it had not.
    pub(crate) lied: bool,
    /// Executions at the origin that did the work, or may have.
    pub(crate) worked: u32,
    pub(crate) asked: u32,
    pub(crate) answered: bool,
    pub(crate) bound_to: Option<u8>,
    /// The answers that left the gate with charged content.
    pub(crate) delivered: Vec<u32>,
    /// Somebody was told that it is of no use any more.
    pub(crate) told_spent: bool,
}

impl Case {
    pub(super) fn new(rng: &mut Rng, settle: Settle) -> Self {
        Self {
            settle,
            repeatable: rng.percent(50),
            expires: START + VALIDITY,
            record: None,
            kept: None,
            looked: None,
            handed: 0,
            held: false,
            pending: false,
            moved: None,
            preempted: false,
            cancelled: false,
            lied: false,
            worked: 0,
            asked: 0,
            answered: false,
            bound_to: None,
            delivered: Vec::new(),
            told_spent: false,
        }
    }

    /// Whether the record says that it settled and that its request can still be answered for the first time.
    pub(super) fn is_owed(&self) -> bool {
        self.record.as_ref().is_some_and(|of| of.state() == State::Owed && of.attempt < ATTEMPTS)
    }

    /// Whether the record says that its outcome is open.
    pub(crate) fn is_open(&self) -> bool {
        self.record.as_ref().is_some_and(|of| matches!(of.money, Money::Settling { .. } | Money::Unknown { .. }))
    }
}
