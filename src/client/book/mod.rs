//! The payer's book: what was signed for and may still be taken, and what was spent, as a pure function.
//!
//! `(book, event, now) → (book, outcome)`. One writer reads, decides and writes without anything in between, and does
//! what the outcome says. Whatever crashes, the book says what may have left, and nothing that may have left is forgotten
//! while it counts.
//!
//! ```text
//!        reserve            send                  answered: success
//!   ·──────────► Reserved ────────► Sent ──────────────────────────► Paid ──► a sum
//!                   │                 │ anything else, or nothing
//!                   │                 ├── the chain cannot be asked ─────────► a sum
//!                   │                 ├── the chain: used, or never asked ───► a sum
//!                   │                 └── the chain: ended unused ─► ·
//!                   └── release, or its end ─► ·
//! ```
//!
//! # Rules worth knowing
//!
//! - A reservation is checked against every budget and written in one turn, before anything is signed. It counts like a
//!   payment.
//! - It is given back where the payment provably never left: it was refused before the wallet was asked to sign, or the
//!   wallet said no. Any other end, a crash too, leaves it until its authorization is worth nothing.
//! - What was sent counts, whatever the server says: one that says "failed" can still settle it, or lies. Only the chain
//!   takes it back: a final block past the authorization's end that shows it unused.
//! - A payment is in a window until the window has passed since the *last* second in which it could settle. So no window
//!   of that length holds more than the budget, whenever the server settled what it was given.
//! - So a clock that is set back, or back and forth, refills nothing: that last second is the chain's, not the clock's. A
//!   clock that runs ahead by more than half a minute does refill, and makes two requests of one: nothing here knows the
//!   true time. Budgets `per` task or ever have no clock.
//! - What is old is kept coarsely: two sums of one kind are put together, at the time of the later, when they are apart
//!   by no more than a sixteenth of their age, or ten seconds. So a sum counts a little too long, never too short, and a
//!   book of years stays small.
//! - Many kinds are kept coarsely too: beyond 512, those that were spent on longest ago lose their recipient, then their
//!   origin, and count for every one; an origin's many recipients go before another's only one. When even so there are more,
//!   the oldest task is forgotten: a book knows the last five hundred tasks, whoever is paid for them. Whose recipient is not
//!   kept may be paid at any.
//! - Calls with one [`Identity`] share one payment: while it lives, it is presented again and no other is signed.

mod kept;
mod turn;

use alloc::string::String;
use alloc::vec::Vec;

pub(crate) use kept::{sealed, unsealed};
pub use turn::{Change, Claim, Event, Outcome, apply, apply_keeping};

use crate::client::call::Identity;
use crate::client::policy::{Budget, Period, Policy};
use crate::evm::keccak::Bytes32;
use crate::types::amount::Amount;
use crate::types::time::UnixSeconds;

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// The audit log's last hash.
    pub head: Bytes32,
    /// The number of the audit log's last entry.
    pub count: u64,
    /// Authorizations that are not settled for good.
    pub open: Vec<Open>,
    /// What was spent, each kind once.
    pub sums: Vec<Sum>,
}

/// What budgets know of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// The origin that is paid; empty for one that is not kept any more, which may be any.
    pub origin: String,
    /// The network.
    pub network: String,
    /// The token contract.
    pub asset: String,
    /// The recipient; empty for any, as above.
    pub pay_to: String,
    /// The task it was made for; empty for one that was forgotten.
    pub task: Option<String>,
    /// Whether the token is worth a dollar.
    pub dollar: bool,
}

/// What is not known any more of a kind that is said more coarsely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Recipient,
    Origin,
    Task,
}

impl Kind {
    /// The next that says less, and what is lost: the recipient first, the task last, since another recipient costs a server
    /// nothing, and a task is what the payer's side names.
    fn coarser(&self) -> Option<(Loss, Self)> {
        let empty = String::new();
        if !self.pay_to.is_empty() {
            return Some((Loss::Recipient, Self { pay_to: empty, ..self.clone() }));
        }
        if !self.origin.is_empty() {
            return Some((Loss::Origin, Self { origin: empty, ..self.clone() }));
        }
        let kept = self.task.as_ref().is_some_and(|task| !task.is_empty());
        kept.then(|| (Loss::Task, Self { task: Some(empty), ..self.clone() }))
    }

    /// Whether they differ in nothing but the recipient.
    fn beside(&self, other: &Self) -> bool {
        self.dollar == other.dollar
            && self.origin == other.origin
            && self.network == other.network
            && self.asset == other.asset
            && self.task == other.task
    }
}

/// How far an authorization has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing was sent.
    #[default]
    Reserved,
    /// It was about to be sent, or was.
    Sent,
    /// The server says that it settled.
    Paid,
}

/// One authorization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Its nonce, in hex.
    pub id: String,
    /// How far it has come.
    pub state: State,
    /// What budgets know of it.
    pub kind: Kind,
    /// Whole tokens, of [`SCALE`](crate::client::policy::SCALE) decimals.
    pub amount: Amount,
    /// Atomic units.
    pub units: String,
    /// The token's symbol.
    pub symbol: String,
    /// Who pays.
    pub payer: String,
    /// The Unix second, by the chain's clock, from which it is worth nothing.
    pub valid_before: UnixSeconds,
    /// The payer's time at which it ends, see [`end`](crate::client::clock::end).
    pub until: UnixSeconds,
    /// Whether the chain can be asked about it.
    pub provable: bool,
    /// What makes another call the same request.
    pub identity: Option<Identity>,
    /// The payment, where another call may present it again.
    pub payment: Option<String>,
}

/// What was spent on one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// What budgets know of it.
    pub kind: Kind,
    /// When, from the earliest to the latest.
    pub runs: Vec<Run>,
}

/// What was spent at one time or near it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whole tokens, of [`SCALE`](crate::client::policy::SCALE) decimals.
    pub amount: Amount,
    /// The earliest that is in it.
    pub since: UnixSeconds,
    /// The latest, at which all of it counts.
    pub at: UnixSeconds,
}

impl Book {
    /// What counts against a budget at a time, seen from a call for `task`, without the authorization `except`.
    pub fn spent(&self, budget: &Budget, task: Option<&str>, now: UnixSeconds, except: &str) -> Amount {
        let counts = |kind: &Kind, at: UnixSeconds| {
            let within = match budget.per {
                Period::Seconds(seconds) => at.plus(seconds) > now,
                Period::Task | Period::Ever => true,
            };
            within && budget.counts(kind, task)
        };
        let open = self.open.iter().filter(|of| of.id != except).map(|of| (&of.kind, of.until, of.amount));
        let sums = self.sums.iter().flat_map(|of| of.runs.iter().map(|run| (&of.kind, run.at, run.amount)));
        let counted = open.chain(sums).filter(|(kind, at, _)| counts(kind, *at));
        // What does not fit a word is above every budget.
        let most = Amount::from_be_bytes(&[0xff; 32]);
        counted.fold(Amount::ZERO, |sum, (.., amount)| sum.checked_add(amount).unwrap_or(most))
    }

    /// Every budget of a policy with what is spent of it.
    pub fn budgets<'p>(
        &self,
        policy: &'p Policy,
        task: Option<&str>,
        now: UnixSeconds,
    ) -> impl Iterator<Item = (&'p Budget, Amount)> {
        policy.budgets.iter().map(move |budget| (budget, self.spent(budget, task, now, "")))
    }

    /// The payments of a request, under way or made, that still live. Another account's buy another account something.
    pub fn of_request<'b>(
        &'b self,
        identity: Identity,
        payer: &'b str,
        now: UnixSeconds,
    ) -> impl Iterator<Item = &'b Open> {
        let same = move |open: &&Open| open.identity.is_some_and(|of| of.hash == identity.hash) && open.payer == payer;
        self.open.iter().filter(same).filter(move |open| open.until > now)
    }

    /// Whether an origin was paid before, and never this recipient.
    fn names_another(&self, kind: &Kind) -> bool {
        let sent = self.open.iter().filter(|of| of.state != State::Reserved).map(|of| &of.kind);
        let mut before =
            sent.chain(self.sums.iter().map(|of| &of.kind)).filter(|of| of.origin == kind.origin).peekable();
        before.peek().is_some() && before.all(|of| of.pay_to != kind.pay_to && !of.pay_to.is_empty())
    }
}
