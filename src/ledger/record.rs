//! What is remembered of one authorization.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Result};
use crate::ledger::event::{Entry, Event, RequestHash, proof};
use crate::types::amount::Amount;
use crate::types::facilitator::SettleResponse;
use crate::types::json;
use crate::types::time::UnixSeconds;

/// The format of the records this code writes and reads.
pub const FORMAT: u32 = 1;

/// When a payment settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Settle {
    /// After the origin has answered and before its answer leaves.
    After,
    /// Before the origin is asked.
    Before,
    /// After the answer has left, as long as the payer's exposure stays in its bound.
    Optimistic,
}

/// One authorization, from its first claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`FORMAT`].
    pub format: u32,
    /// The request it pays for. It never changes.
    pub request: RequestHash,
    /// Whether that request may be sent to the origin again: its method is safe.
    pub repeatable: bool,
    /// When it settles. It changes only while nothing has begun.
    pub settle: Settle,
    /// What it is worth, in atomic units.
    pub amount: Amount,
    /// When the authorization ends on chain: it settles in blocks before this time only.
    pub expires: UnixSeconds,
    /// Seconds that the origin has for its answer, before whoever waits for it counts as crashed.
    pub patience: u64,
    /// The number of the last piece of work that was handed out. A report under another number comes from a worker that
    /// the record went on without.
    pub attempt: u32,
    /// How often the origin gave an answer that is charged for.
    pub servings: u32,
    /// What has become of the request.
    pub delivery: Delivery,
    /// What has become of the money.
    pub money: Money,
    /// What happened, in order: the audit log of this payment.
    pub log: Vec<Entry>,
}

/// What has become of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Nobody works on it.
    Idle,
    /// A worker verifies the payment, or waits for its settlement in advance. The origin was not asked.
    Claimed {
        /// When the worker counts as crashed.
        lease: UnixSeconds,
    },
    /// The origin may have been asked.
    Executing {
        /// When the worker counts as crashed.
        lease: UnixSeconds,
    },
    /// The origin has answered, and the answer was delivered or is delivered once the money has moved.
    Answered {
        /// The status.
        status: u16,
        /// Whether the whole answer is kept.
        kept: bool,
    },
    /// The origin has answered, the answer is kept, and nothing was charged: it waits for the payment to be presented
    /// again.
    Waiting {
        /// The status.
        status: u16,
    },
    /// The origin may have done the work, there is no answer, and it must not be asked again.
    Lost,
}

/// What has become of the money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Money {
    /// The authorization was handed to nobody.
    Untouched,
    /// It may have been handed to the chain or a facilitator.
    Settling {
        /// When the outcome counts as unknown.
        lease: UnixSeconds,
    },
    /// It may or may not have moved, or may still; only the chain can tell.
    Unknown {
        /// The transaction to look for; empty if none is known.
        transaction: String,
    },
    /// It has moved.
    Settled {
        /// The proof.
        #[serde(with = "proof")]
        settlement: SettleResponse,
    },
    /// It has not moved, and this gate will not move it.
    Failed {
        /// Why: a code's string.
        reason: String,
        /// Whether a settlement was tried, so that a proof of it may still turn up.
        tried: bool,
    },
}

/// A record in one word, as the operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The payment is being verified.
    Claimed,
    /// The origin is being asked.
    Verified,
    /// The origin has answered; nothing was charged yet.
    Served,
    /// The settlement is under way.
    Settling,
    /// Nobody knows whether it settled.
    Unknown,
    /// It settled, and its request was answered or cannot be any more.
    Settled,
    /// It settled, and the answer to its request is still owed.
    Owed,
    /// It did not settle and will not.
    Failed,
    /// Nothing was charged, and it can be presented again.
    Released,
    /// Nothing was charged, and its request must not be tried again.
    Abandoned,
}

impl State {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Verified => "verified",
            Self::Served => "served",
            Self::Settling => "settling",
            Self::Unknown => "unknown",
            Self::Settled => "settled",
            Self::Owed => "owed",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Abandoned => "abandoned",
        }
    }

    /// Every word.
    pub const ALL: [Self; 10] = [
        Self::Claimed,
        Self::Verified,
        Self::Served,
        Self::Settling,
        Self::Unknown,
        Self::Settled,
        Self::Owed,
        Self::Failed,
        Self::Released,
        Self::Abandoned,
    ];

    /// The state of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl Record {
    /// Reads what was kept.
    ///
    /// # Errors
    /// `ledger_format` for what another version wrote, or nobody: it is not for this code to judge, and no reason to
    /// take the authorization for a new one.
    pub fn read(text: &str) -> Result<Self> {
        json::read_kept(text, FORMAT, Code::LedgerFormat)
    }

    /// Writes what is kept.
    pub fn write(&self) -> String {
        json::write(self)
    }

    /// The record in one word.
    pub const fn state(&self) -> State {
        match (&self.money, &self.delivery) {
            (Money::Settling { .. }, _) => State::Settling,
            (Money::Unknown { .. }, _) => State::Unknown,
            (Money::Failed { .. }, _) => State::Failed,
            (Money::Settled { .. }, Delivery::Answered { .. } | Delivery::Waiting { .. } | Delivery::Lost) => {
                State::Settled
            }
            (Money::Settled { .. }, _) => State::Owed,
            (Money::Untouched, Delivery::Idle) => State::Released,
            (Money::Untouched, Delivery::Claimed { .. }) => State::Claimed,
            (Money::Untouched, Delivery::Executing { .. }) => State::Verified,
            (Money::Untouched, Delivery::Answered { .. } | Delivery::Waiting { .. }) => State::Served,
            (Money::Untouched, Delivery::Lost) => State::Abandoned,
        }
    }

    /// When it settled, if it has.
    pub fn settled_at(&self) -> Option<UnixSeconds> {
        self.log.iter().rev().find(|entry| matches!(entry.event, Event::Settled { .. })).map(|entry| entry.at)
    }

    /// Whether somebody works on it at this moment.
    pub const fn is_worked_on(&self) -> bool {
        matches!(self.money, Money::Settling { .. })
            || matches!(self.delivery, Delivery::Claimed { .. } | Delivery::Executing { .. })
    }

    /// What the owner may lose to this payment, in atomic units: from the claim of an optimistic one until it has
    /// settled. What was delivered and failed to settle stays counted for as long as the record is kept, so that a payer
    /// who cheats does so once.
    pub const fn exposure(&self) -> Amount {
        match (self.settle, &self.money, &self.delivery) {
            (Settle::After | Settle::Before, _, _)
            | (_, Money::Settled { .. }, _)
            | (_, _, Delivery::Idle | Delivery::Waiting { .. } | Delivery::Lost)
            | (_, Money::Failed { .. }, Delivery::Claimed { .. } | Delivery::Executing { .. }) => Amount::ZERO,
            _ => self.amount,
        }
    }

    /// The sum of [`Record::exposure`] over records, as a store keeps them; the end of numbers when there is none, which
    /// admits nothing.
    pub fn exposed(exposures: impl IntoIterator<Item = Amount>) -> Amount {
        let sum = exposures.into_iter().try_fold(Amount::ZERO, Amount::checked_add);
        sum.unwrap_or_else(|| Amount::from_be_bytes(&[u8::MAX; 32]))
    }
}
