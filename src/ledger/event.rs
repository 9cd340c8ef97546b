//! What can happen to an authorization.

use alloc::string::String;
use core::fmt::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Code, Result};
use crate::ledger::record::Settle;
use crate::types::amount::Amount;
use crate::types::facilitator::SettleResponse;
use crate::types::time::UnixSeconds;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: UnixSeconds,
    /// What.
    pub event: Event,
}

/// What can happen to an authorization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// A request came with it, and the payment passed every local check.
    Claim {
        /// The request.
        request: RequestHash,
        /// Whether it may be sent to the origin again.
        repeatable: bool,
        /// What its route wants.
        policy: Policy,
        /// What is paid, in atomic units.
        amount: Amount,
        /// When the authorization ends on chain.
        expires: UnixSeconds,
        /// Seconds that the worker gives the origin at most, for all of the answer that it reports.
        patience: u64,
        /// Whether the worker goes on from verifying to the origin without a report in between. It saves a hop, and
        /// costs this: from the claim on the origin counts as asked. A settlement in advance always reports.
        straight: bool,
    },
    /// The payment was verified.
    Verified {
        /// The work this reports on.
        attempt: u32,
        /// Whether the client is still there, as far as is known.
        present: bool,
    },
    /// The payment was not verified, or nobody could say; the origin was not asked.
    Refused {
        /// The work this reports on.
        attempt: u32,
        /// Why: a code's string.
        reason: String,
    },
    /// The origin answered.
    Answered {
        /// The work this reports on.
        attempt: u32,
        /// The status.
        status: u16,
        /// Whether an answer like this is charged for.
        charged: bool,
        /// Whether the whole answer is kept.
        kept: bool,
        /// Whether the client is still there, as far as is known.
        present: bool,
    },
    /// The origin gave no answer, or not all of one that had to be complete.
    OriginFailed {
        /// The work this reports on.
        attempt: u32,
        /// Whether it may have begun with the work.
        asked: bool,
    },
    /// The settlement of an answer that was delivered already begins.
    SettleStarted,
    /// The payment moved: somebody has the proof.
    Settled {
        /// The proof.
        #[serde(with = "proof")]
        settlement: SettleResponse,
    },
    /// The payment was handed to nobody, and the same payment can still settle. Only who knows may say so: a connection
    /// that was never made, a relayer that sends a payment once however often it is asked and has no record of it.
    Unsent {
        /// The work this reports on.
        attempt: u32,
        /// Why: a code's string.
        reason: String,
    },
    /// The payment did not move and will not: its transaction failed, or the facilitator refused it for good.
    SettleFailed {
        /// The work this reports on.
        attempt: u32,
        /// Why: a code's string.
        reason: String,
    },
    /// Nobody knows whether it moved.
    SettleUnknown {
        /// The work this reports on.
        attempt: u32,
        /// The transaction, if one is known.
        transaction: String,
    },
    /// A final block shows the authorization unused.
    Unused {
        /// The time of that block.
        block: UnixSeconds,
    },
    /// The kept answer is not kept any longer.
    Dropped,
    /// Time has passed; in a log, a lease ran out.
    Tick,
}

/// What a route wants, with what is needed to say whether it can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// [`Settle::After`].
    After,
    /// [`Settle::Before`].
    Before,
    /// [`Settle::Optimistic`], or [`Settle::After`] for what would exceed the bound.
    Optimistic {
        /// The sum of [`Record::exposure`](crate::ledger::record::Record::exposure) over the payer's other records, in
        /// atomic units, as it is in the turn that applies the claim.
        exposed: Amount,
        /// The most that the owner would lose to one payer, in the same units.
        bound: Amount,
    },
}

impl Policy {
    /// When a payment of this amount settles.
    pub fn settle(self, amount: Amount) -> Settle {
        match self {
            Self::After => Settle::After,
            Self::Before => Settle::Before,
            Self::Optimistic { exposed, bound } => match exposed.checked_add(amount) {
                Some(sum) if sum <= bound => Settle::Optimistic,
                _ => Settle::After,
            },
        }
    }
}

/// The hash of a request: its method, its URL and its body.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestHash(pub [u8; 32]);

impl RequestHash {
    /// Reads 64 lower-case hex digits.
    ///
    /// # Errors
    /// `invalid_hex`.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if text.len() != 64 || !plain {
            return Err(Code::InvalidHex.into());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let digits = text.get(at..).and_then(|rest| rest.get(..2)).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).map_err(|_| Code::InvalidHex)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for RequestHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RequestHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RequestHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(64);
        write!(text, "{self}").map_err(|_| serde::ser::Error::custom(Code::InvalidHex))?;
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for RequestHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|error| de::Error::custom(error.code()))
    }
}

/// A settlement in what is kept, read as it is read from a facilitator.
pub(super) mod proof {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::error::Code;
    use crate::types::facilitator::SettleResponse;
    use crate::types::json::Verbatim;

    pub(in crate::ledger) fn serialize<S: Serializer>(
        settlement: &SettleResponse,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        settlement.serialize(serializer)
    }

    pub(in crate::ledger) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SettleResponse, D::Error> {
        let text = Verbatim::deserialize(deserializer)?;
        SettleResponse::read(text.as_str(), Code::LedgerFormat).map_err(|error| de::Error::custom(error.code()))
    }
}
