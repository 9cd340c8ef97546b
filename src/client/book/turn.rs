//! One turn of the book: what happened, and what is to be done.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Book, Loss, Open, Run, State, Sum};
use crate::client::policy::{Policy, SCALE};
use crate::client::trace::Trace;
use crate::error::{Code, Error, Result};
use crate::types::time::UnixSeconds;

/// Seconds past its end for which an authorization that was sent, and of which nothing good was heard, waits for the
/// chain's word where it can be asked, and how many wait at most. Then it is spent for good.
const PROVABLE: u64 = 86_400;
const WAITING: usize = 256;
/// A spent sum may count too long by this fraction of its age, or by so many seconds.
const COARSE: u64 = 16;
const GRAIN: u64 = 10;
/// Kinds of payments that are kept apart; see [`Kind::coarser`](super::Kind).
const KINDS: usize = 512;

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A payment is wanted, or wanted again after somebody thought about it.
    Reserve(Box<Claim>),
    /// It is signed, and the next thing that happens is that it is sent.
    Send {
        /// The authorization.
        id: String,
        /// The payment, for other calls of the same identity.
        payment: String,
        /// When it ends, as it was signed: by the chain's clock, and by the payer's. It counts until the later of this and
        /// what was reserved.
        ends: (UnixSeconds, UnixSeconds),
    },
    /// An answer came.
    Answered {
        /// The authorization.
        id: String,
        /// Whether it says that the payment settled.
        paid: bool,
    },
    /// It provably never left, and never will.
    Release {
        /// The authorization.
        id: String,
    },
    /// The chain was asked.
    Proved {
        /// The authorization.
        id: String,
        /// Whether it was used.
        used: bool,
        /// The time of the final block at which it was asked.
        block: UnixSeconds,
    },
    /// Nothing but time.
    Tick,
}

/// A reservation that is wanted.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What would be open. Its state is not looked at.
    pub open: Open,
    /// Whether somebody is asked about it before it is signed.
    pub asked: bool,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Nothing more.
    Done,
    /// It is reserved; these rules were asked.
    Reserved(Trace),
    /// The same request was paid for already: its payment is presented again.
    Present(Box<Open>),
    /// The same request is being paid for by somebody else: look again soon.
    Wait,
    /// It is refused; these rules were asked.
    Refused(Error, Trace),
}

/// What a turn comes to.
#[derive(Clone, Debug)]
pub struct Change {
    /// The book to write; for a refusal too, since time has passed.
    pub book: Book,
    /// What is to be done.
    pub outcome: Outcome,
    /// Reservations that ended without anything being sent.
    pub lapsed: Vec<Open>,
}

/// Lets something happen to a book.
pub fn apply(book: &Book, policy: &Policy, event: &Event, now: UnixSeconds) -> Change {
    apply_keeping(KINDS, book, policy, event, now)
}

/// [`apply`] for a book that keeps so many kinds of payments apart.
pub fn apply_keeping(kinds: usize, book: &Book, policy: &Policy, event: &Event, now: UnixSeconds) -> Change {
    let mut book = book.clone();
    let lapsed = book.lapse(now);
    let outcome = match event {
        Event::Reserve(claim) => book.reserve(policy, claim, now),
        Event::Send { id, payment, ends: (valid_before, until) } => match book.find(id) {
            Some(open) => {
                if open.state == State::Reserved {
                    open.state = State::Sent;
                    open.payment = open.identity.map(|_| payment.clone());
                    open.valid_before = open.valid_before.max(*valid_before);
                    open.until = open.until.max(*until);
                }
                Outcome::Done
            }
            None => Outcome::Refused(Code::PayerReservationLost.into(), Trace::default()),
        },
        Event::Answered { id, paid } => {
            if let Some(open) = book.find(id).filter(|open| *paid && open.state == State::Sent) {
                open.state = State::Paid;
            }
            Outcome::Done
        }
        Event::Release { id } => {
            book.open.retain(|open| open.id != *id || open.state != State::Reserved);
            Outcome::Done
        }
        Event::Proved { id, used, block } => {
            book.prove(id, *used, *block);
            Outcome::Done
        }
        Event::Tick => Outcome::Done,
    };
    book.settle(now);
    book.compact(now);
    book.coarsen(kinds);
    Change { book, outcome, lapsed }
}

impl Book {
    fn find(&mut self, id: &str) -> Option<&mut Open> {
        self.open.iter_mut().find(|open| open.id == id)
    }

    /// Reservations whose end has come are given back: nothing was sent, and what was signed is worth nothing.
    fn lapse(&mut self, now: UnixSeconds) -> Vec<Open> {
        let (lapsed, open) = core::mem::take(&mut self.open)
            .into_iter()
            .partition(|open| open.state == State::Reserved && open.until <= now);
        self.open = open;
        self.settle(now);
        lapsed
    }

    /// What is over becomes a sum.
    fn settle(&mut self, now: UnixSeconds) {
        let (over, open) = core::mem::take(&mut self.open).into_iter().partition(|open: &Open| match open.state {
            State::Reserved => false,
            State::Sent if open.provable => open.until.plus(PROVABLE) <= now,
            State::Sent => open.identity.is_none() || open.until <= now,
            State::Paid => open.until <= now || !open.identity.is_some_and(|of| of.lasting),
        });
        self.open = open;
        for open in &mut self.open {
            if open.until <= now {
                // Nobody may present it any more.
                open.payment = None;
            }
        }
        let mut over: Vec<Open> = over;
        // The oldest come first.
        let waits = |open: &Open| open.state == State::Sent && open.until <= now;
        while let Some(at) = self.open.iter().position(waits).filter(|_| self.open.len() > WAITING) {
            over.push(self.open.remove(at));
        }
        over.into_iter().for_each(|open| self.spend(open));
    }

    fn spend(&mut self, open: Open) {
        let Open { kind, amount, until, .. } = open;
        self.add(Sum { kind, runs: Vec::from([Run { amount, since: until, at: until }]) });
    }

    fn add(&mut self, more: Sum) {
        let Some(sum) = self.sums.iter_mut().find(|sum| sum.kind == more.kind) else { return self.sums.push(more) };
        for run in more.runs {
            let place = sum.runs.partition_point(|of| of.at <= run.at);
            sum.runs.insert(place, run);
        }
    }

    /// Keeps no more kinds apart than these: what was spent on longest ago is said more coarsely. Where one origin names several
    /// recipients, they are put together first; a task is forgotten last.
    fn coarsen(&mut self, kinds: usize) {
        while self.sums.len() > kinds {
            let coarser = |(at, sum): (usize, &Sum)| {
                let (loss, kind) = sum.kind.coarser()?;
                let alone = self.sums.iter().filter(|other| other.kind.beside(&sum.kind)).count() < 2;
                let rank = (loss == Loss::Task, loss != Loss::Recipient || alone, sum.runs.last().map(|run| run.at));
                Some((rank, at, kind))
            };
            let least = self.sums.iter().enumerate().filter_map(coarser).min_by_key(|(rank, ..)| *rank);
            let Some((_, at, kind)) = least else { return };
            let Sum { runs, .. } = self.sums.remove(at);
            self.add(Sum { kind, runs });
        }
    }

    /// Puts together what is near enough for its age.
    fn compact(&mut self, now: UnixSeconds) {
        for sum in &mut self.sums {
            let mut kept: Vec<Run> = Vec::new();
            // From the latest to the earliest.
            for run in sum.runs.iter().rev() {
                let near = |later: &&mut Run| later.at.since(run.since) <= (now.since(later.at) / COARSE).max(GRAIN);
                match kept.last_mut().filter(near).and_then(|of| Some((of.amount.checked_add(run.amount)?, of))) {
                    Some((amount, later)) => {
                        later.amount = amount;
                        later.since = later.since.min(run.since);
                    }
                    None => kept.push(*run),
                }
            }
            kept.reverse();
            sum.runs = kept;
        }
    }

    fn reserve(&mut self, policy: &Policy, claim: &Claim, now: UnixSeconds) -> Outcome {
        let mut wanted = claim.open.clone();
        wanted.state = State::Reserved;
        if let Some(identity) = wanted.identity {
            match self.of_request(identity, &wanted.payer, now).find(|open| open.id != wanted.id) {
                Some(open) if open.state == State::Reserved => return Outcome::Wait,
                Some(open) => return Outcome::Present(Box::new(open.clone())),
                None => {}
            }
        }
        let mut trace = Trace::default();
        if let Err(error) = self.hold(policy, claim, now, &mut trace) {
            return Outcome::Refused(error, trace);
        }
        match self.find(&wanted.id) {
            Some(open) => *open = wanted,
            None => self.open.push(wanted),
        }
        Outcome::Reserved(trace)
    }

    fn hold(&self, policy: &Policy, Claim { open, asked }: &Claim, now: UnixSeconds, trace: &mut Trace) -> Result<()> {
        if policy.pin_recipients {
            let said = match (self.names_another(&open.kind), asked) {
                (false, _) => Ok("the recipient is as before, or the first"),
                (true, true) => Ok("the recipient is another than before, which is asked about"),
                (true, false) => Err(Error::from(Code::PayerRecipientChanged)),
            };
            trace.ask("pinRecipients", said)?;
        }
        let task = open.kind.task.as_deref();
        for budget in policy.budgets.iter().filter(|budget| budget.counts(&open.kind, task)) {
            let spent = self.spent(budget, task, now, &open.id);
            let left = budget.max.checked_sub(spent).unwrap_or_default();
            let words = [&open.amount.to_tokens(SCALE), " of ", &left.to_tokens(SCALE), " left in ", &budget.words()];
            let said = words.concat();
            let fits = open.amount <= left;
            trace.ask("budgets", if fits { Ok(said) } else { Err(Error::new(Code::PayerOverBudget, said)) })?;
        }
        Ok(())
    }

    /// What the chain says ends it: used is spent; unused at the end was never taken and never will be.
    fn prove(&mut self, id: &str, used: bool, block: UnixSeconds) {
        let Some(at) = self.open.iter().position(|open| open.id == id && open.state != State::Reserved) else { return };
        let ended = self.open.get(at).is_some_and(|open| block >= open.valid_before);
        if used || ended {
            let open = self.open.remove(at);
            if used {
                self.spend(open);
            }
        }
    }
}
