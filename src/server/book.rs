//! A paid request and its book: what a gate tells the one writer of the payer's records, and what the word that comes
//! back means for the request.
//!
//! ```text
//! gate ── Claim ──► book: apply, keep ── Said ──► Verify │ VerifyThenExecute │ Replay │ an answer
//! gate ── Report ─► book: apply, keep, settle, apply, keep ── Said ──► Execute │ Deliver │ an answer
//! ```

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::evm::keccak::{keccak256, keccak256_all};
use crate::facilitator::Settlement;
use crate::facilitator::bill::Bill;
use crate::facilitator::order;
use crate::ledger::event::{Event, Policy, RequestHash};
use crate::ledger::outcome::Outcome;
use crate::ledger::record::State;
use crate::server::answers::settlement_header;
use crate::server::gate::{Answer, Gate, Header, Sale};
use crate::server::offer::SettlePolicy;
use crate::types::amount::Amount;
use crate::types::facilitator::SettleResponse;
use crate::types::json;
use crate::types::time::UnixSeconds;

/// Seconds that an origin is given to begin its answer.
pub const PATIENCE_BEGIN: u32 = 60;
/// Seconds that an origin is given for the rest of an answer that is kept.
pub const PATIENCE_BODY: u32 = 30;
/// Both, as the ledger counts them.
const PATIENCE: u64 = 90;

/// What a request with a payment brings to its book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// What the payment is kept under: its network, asset, payer and nonce.
    pub key: String,
    /// The request.
    pub request: RequestHash,
    /// Whether it may be sent to the origin again.
    pub repeatable: bool,
    /// When the rule wants it settled.
    pub rule: Rule,
    /// Atomic units.
    pub amount: Amount,
    /// When the authorization ends.
    pub expires: UnixSeconds,
    /// Whether the authorization has ended, but for what it bought before.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub late: bool,
    /// What the payer calls the purchase, if it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many books the gate knows.
    pub books: u32,
}

/// Which payment a claim is about whose purchase has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Its own.
    Own,
    /// The one the purchase was begun with.
    First,
    /// Neither: the name is another request's.
    Conflict,
}

/// When a rule wants its payments settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Before the answer leaves.
    After,
    /// Before the origin is asked.
    Before,
    /// Later, up to this exposure of the payer in atomic units.
    Optimistic(Amount),
}

/// What a gate reports of the work it was handed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The payment's key.
    pub key: String,
    /// What happened.
    pub event: Event,
    /// How the payment is settled, once it was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill: Option<Bill>,
    /// The head of an answer whose body comes beside the report, to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
}

/// The head of an origin's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// Names and values, in turns.
    pub headers: Vec<String>,
}

/// What a book says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// What the gate does next.
    pub outcome: Outcome,
    /// The transaction that failed, if one did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub transaction: String,
    /// The head of the answer that is replayed; its body comes beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The key of the payment that the purchase of this name was begun with, when it is not the claim's own: what the gate
    /// does next, it does for that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Whether it is the purchase's name that is bound to another request, and not the payment.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub by_name: bool,
    /// When the payment settled, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<UnixSeconds>,
}

/// What a gate does next for a request.
#[derive(Debug)]
pub enum Next {
    /// Verifies, and reports under this number.
    Verify(u32),
    /// Verifies, asks the origin if the payment is good, and reports under this number.
    VerifyThenExecute(u32),
    /// Asks the origin, and reports under this number.
    Execute(u32),
    /// Claims the payment again.
    Claim,
    /// Delivers the origin's answer that it holds, with these headers in place of its own; for the log, whether it was
    /// paid: `settled`, or `unsettled` for what is free or settles later.
    Deliver(Vec<Header>, &'static str),
    /// Delivers the answer that was kept, with these headers in place of its own.
    Replay(Head, Vec<Header>),
    /// Answers this.
    Answer(Answer),
}

/// The hash of a request: what its payment is bound to.
pub fn request_hash(method: &str, url: &str, body: &[u8]) -> RequestHash {
    RequestHash(keccak256_all(&[method.as_bytes(), b"\n", url.as_bytes(), b"\n", &keccak256(body)]))
}

/// The number of the book of a payer, among so many.
pub fn shard(payer: &str, books: u32) -> u32 {
    let hash = keccak256(payer.as_bytes());
    let word = hash.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    word.checked_rem(books).unwrap_or(0)
}

impl Claim {
    /// Reads a claim.
    ///
    /// # Errors
    /// `gate_internal` for text that this version did not write.
    pub fn read(text: &str) -> Result<Self> {
        json::read(text, Code::GateInternal)
    }

    /// Writes a claim.
    pub fn write(&self) -> String {
        json::write(self)
    }

    /// The time of the claim: nothing begins in the last seconds of an authorization, which are the settlement's.
    pub fn time(&self, now: UnixSeconds) -> UnixSeconds {
        if self.late { now.max(self.expires) } else { now }
    }

    /// Whose exposure counts: the payer, with the network and the asset.
    pub fn account(&self) -> &str {
        self.key.rsplit_once(':').map_or("", |(account, _)| account)
    }

    /// Whose book it is: the payer's address.
    pub fn payer(&self) -> &str {
        self.account().rsplit(':').next().unwrap_or_default()
    }

    /// Which payment this claim is about, when a purchase of its name was begun with another one, for that request, and
    /// has come to this state. A purchase that was charged or still may be is not bought twice: the request gets what the
    /// first payment bought. One that came to nothing leaves its name to the next payment.
    pub fn named(&self, request: &RequestHash, state: Option<State>) -> Named {
        match state {
            None | Some(State::Released | State::Failed | State::Abandoned) => Named::Own,
            Some(_) if self.request == *request => Named::First,
            Some(_) => Named::Conflict,
        }
    }

    /// Whether what the payer owes already counts.
    pub const fn counts(&self) -> bool {
        matches!(self.rule, Rule::Optimistic(_))
    }

    /// The ledger's event, for a payer who owes this much already. Two need a report between the verification and the
    /// origin: a settlement in advance, and a request that must not be sent twice, which a crash while it is verified would
    /// lose otherwise, though nothing was done for it.
    pub const fn event(&self, exposed: Amount) -> Event {
        let policy = match self.rule {
            Rule::After => Policy::After,
            Rule::Before => Policy::Before,
            Rule::Optimistic(bound) => Policy::Optimistic { exposed, bound },
        };
        let Self { request, repeatable, amount, expires, .. } = *self;
        let straight = repeatable && !matches!(self.rule, Rule::Before);
        Event::Claim { request, repeatable, policy, amount, expires, patience: PATIENCE, straight }
    }
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// `gate_internal` for text that this version did not write.
    pub fn read(text: &str) -> Result<Self> {
        json::read(text, Code::GateInternal)
    }

    /// Writes a report.
    pub fn write(&self) -> String {
        json::write(self)
    }
}

impl Said {
    /// A book's word without anything beside it.
    pub const fn plain(outcome: Outcome) -> Self {
        Self { outcome, transaction: String::new(), head: None, first: None, by_name: false, settled: None }
    }

    /// Reads what a book said.
    ///
    /// # Errors
    /// `gate_book_unavailable` for text that this version did not write.
    pub fn read(text: &str) -> Result<Self> {
        json::read(text, Code::GateBookUnavailable)
    }

    /// Writes it.
    pub fn write(&self) -> String {
        json::write(self)
    }

    /// Whether a word to a claim may be another one soon: somebody works on the very payment, or the chain may tell.
    pub const fn is_passing(&self) -> bool {
        matches!(self.outcome, Outcome::Busy(_) | Outcome::Pending(_))
    }

    /// The word to a claim that was answered by a settlement: the answer that was kept until then is delivered.
    #[must_use]
    pub fn of_kept(mut self) -> Self {
        if let Outcome::Deliver(settlement) = self.outcome {
            self.outcome = Outcome::Replay(settlement);
        }
        self
    }
}

/// What a settlement tells the ledger, and the transaction that failed, if one did.
pub fn settled(attempt: u32, settlement: Settlement) -> (Event, String) {
    let reason = |error: &Error| error.code().to_string();
    match settlement {
        Settlement::Settled(settlement) => (Event::Settled { settlement }, String::new()),
        Settlement::Failed(error, transaction) => {
            (Event::SettleFailed { attempt, reason: reason(&error) }, transaction)
        }
        Settlement::Unknown(transaction) => (Event::SettleUnknown { attempt, transaction }, String::new()),
        Settlement::Unsent(error) => (Event::Unsent { attempt, reason: reason(&error) }, String::new()),
    }
}

impl Gate {
    /// What a request brings to its book.
    pub fn claim(&self, sale: &Sale<'_>, method: &str, url: &str, body: &[u8]) -> Claim {
        let network = &sale.network.network;
        let bound = |bounds: &[(_, Amount)]| bounds.iter().find(|(on, _)| on == network).map(|(_, bound)| *bound);
        Claim {
            key: order::key(network, &sale.checked),
            request: request_hash(method, url, body),
            repeatable: matches!(method, "GET" | "HEAD"),
            rule: match &sale.listing.settle {
                SettlePolicy::After => Rule::After,
                SettlePolicy::Before => Rule::Before,
                SettlePolicy::Optimistic(bounds) => Rule::Optimistic(bound(bounds).unwrap_or(Amount::ZERO)),
            },
            amount: sale.checked.amount(),
            expires: sale.checked.expires(),
            late: sale.late,
            name: sale.name.clone(),
            books: self.config().ledger.books,
        }
    }

    /// What a book's word means for a request; none means that the book could not be asked.
    /// `payment` is the key of the payment it is about.
    pub fn heed(&self, sale: &Sale<'_>, payment: &str, said: Option<Said>) -> Next {
        let Some(Said { outcome, transaction, head, by_name, settled, .. }) = said else {
            return Next::Answer(self.pending(sale, String::new()));
        };
        let paid = |settlement: Option<&SettleResponse>| {
            let mut headers = self.delivered(sale, settlement);
            if let (Some(_), Some(at)) = (settlement, settled) {
                headers.extend(self.give(sale.wish.as_ref(), sale.checked.identity().payer, payment, at, sale.at));
            }
            headers
        };
        let code = |reason: &str| Code::parse(reason).unwrap_or(Code::GateInternal);
        Next::Answer(match outcome {
            Outcome::Verify(attempt) => return Next::Verify(attempt),
            Outcome::VerifyThenExecute(attempt) => return Next::VerifyThenExecute(attempt),
            Outcome::Execute(attempt) => return Next::Execute(attempt),
            Outcome::Again => return Next::Claim,
            Outcome::Deliver(settlement) => {
                let word = if settlement.is_some() { "settled" } else { "unsettled" };
                return Next::Deliver(paid(settlement.as_ref()), word);
            }
            Outcome::Replay(settlement) => match head {
                Some(head) => return Next::Replay(head, paid(settlement.as_ref())),
                None => self.faulted(sale, Code::GateBookUnavailable),
            },
            Outcome::Owed(settlement) => self.owed(sale, Code::LedgerOwed, &settlement),
            Outcome::ReceiptOnly(settlement) => self.owed(sale, Code::LedgerAnswerGone, &settlement),
            Outcome::Busy(seconds) => self.busy(sale, seconds),
            Outcome::Pending(transaction) => self.pending(sale, transaction),
            // Nothing was bought under the terms of before.
            Outcome::Released(_) if sale.earlier => self.refused(sale, Code::NoMatchingRequirements),
            Outcome::Released(reason) => self.unverified(sale, &code(&reason).into()),
            Outcome::Spent(reason) => self.unsettled(sale, code(&reason), transaction),
            Outcome::Abandoned => self.faulted(sale, Code::LedgerAbandoned),
            Outcome::Conflict if by_name => self.faulted(sale, Code::GateIdentifierConflict),
            Outcome::Conflict => self.faulted(sale, Code::GatePaymentConflict),
            Outcome::Stale => self.faulted(sale, Code::DuplicatePayment),
            Outcome::Done => self.faulted(sale, Code::GateClientGone),
            Outcome::Settle(_) => self.faulted(sale, Code::GateInternal),
        })
    }

    /// The answer to a payment that settled and has nothing to show for it: the receipt, beside why.
    fn owed(&self, sale: &Sale<'_>, code: Code, settlement: &SettleResponse) -> Answer {
        let mut answer = self.faulted(sale, code);
        answer.headers.push(settlement_header(sale, settlement));
        answer
    }
}
