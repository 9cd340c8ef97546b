//! Books that are wrong on purpose: a simulator that does not catch them proves nothing.

use x402_core::client::book::{Book, Change, Event, Kind, Open, Outcome, Run, State, apply_keeping};
use x402_core::client::policy::Policy;
use x402_core::client::trace::Trace;
use x402_core::types::time::UnixSeconds;

macro_rules! mutants {
    ($($(#[doc = $what:literal])+ $name:ident,)*) => {
        /// What is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mutant {
            /// Nothing.
            None,
            $($(#[doc = $what])+ $name,)*
        }

        /// Every mutant.
        pub(crate) const ALL: &[Mutant] = &[$(Mutant::$name,)*];
    };
}

mutants! {
    /// What is reserved does not count.
    ReservedIsFree,
    /// A reservation is not checked against the budgets.
    SkipBudgets,
    /// Of several budgets, only the first is looked at.
    FirstBudgetOnly,
    /// What was reserved before somebody thought about it is not checked again when it has ended meanwhile.
    RenewUnchecked,
    /// That a payment is about to be sent is not written down.
    SkipSend,
    /// A reservation is given back before its authorization has ended, which is sent all the same.
    LapseEarly,
    /// What the server says has failed is given back.
    FailedIsFree,
    /// What is given back may have been sent already.
    ReleaseSent,
    /// What was paid is forgotten.
    PaidIsForgotten,
    /// What nobody proved is forgotten in the end.
    UnprovenIsForgotten,
    /// A payment counts from when it was signed, not from when it could last settle.
    CountFromSigning,
    /// Sums of one kind count at the time of the earliest.
    CoarseEarly,
    /// Sums of different tasks are put together.
    ForgetTask,
    /// What has become too many kinds is not counted any more.
    ForgetKinds,
    /// What is not kept of a payment, its recipient or its origin, counts as another.
    CoarseIsAnother,
    /// Whoever goes on with a payment and has no budget per task has its task forgotten.
    ForgetByOthers,
    /// An authorization that is unused today counts as one that stays so.
    ProofBeforeEnd,
    /// An authorization that the chain shows as used is given back.
    ProofIgnoresUse,
    /// Two calls of one identity are two requests.
    IgnoreIdentity,
    /// A request that somebody else is paying for is paid for too.
    DoNotWait,
    /// Reservations that end are never given back.
    NeverLapse,
    /// What was signed for longer than it was reserved ends with its reservation.
    EndsAsReserved,
}

fn first_only(policy: &Policy) -> Policy {
    Policy { budgets: policy.budgets.iter().take(1).cloned().collect(), ..policy.clone() }
}

fn unlimited(policy: &Policy) -> Policy {
    Policy { budgets: Vec::new(), ..policy.clone() }
}

/// The book, with the mutant's fault.
pub(crate) fn apply_with(
    mutant: Mutant,
    kinds: usize,
    book: &Book,
    policy: &Policy,
    event: &Event,
    now: UnixSeconds,
) -> Change {
    let (mut book, mut event) = (book.clone(), event.clone());
    let kept = book.clone();
    let limits = match (mutant, &event) {
        (Mutant::SkipBudgets, Event::Reserve(_)) => unlimited(policy),
        (Mutant::FirstBudgetOnly, Event::Reserve(_)) => first_only(policy),
        (Mutant::RenewUnchecked, Event::Reserve(claim)) if !claim.asked => unlimited(policy),
        _ => policy.clone(),
    };
    match (mutant, &mut event) {
        (Mutant::ReservedIsFree, Event::Reserve(_)) => book.open.retain(|open| open.state != State::Reserved),
        (Mutant::LapseEarly, Event::Reserve(_)) => {
            book.open.retain(|open| open.state != State::Reserved || open.until.0 > now.0 + 300);
        }
        (Mutant::NeverLapse, _) => {
            book.open
                .iter_mut()
                .filter(|of| of.state == State::Reserved)
                .for_each(|of| of.until = UnixSeconds(u64::MAX));
        }
        (Mutant::IgnoreIdentity, Event::Reserve(claim)) => claim.open.identity = None,
        (Mutant::DoNotWait, Event::Reserve(_)) => {
            book.open.iter_mut().filter(|of| of.state == State::Reserved).for_each(|of| of.identity = None);
        }
        (Mutant::EndsAsReserved, Event::Send { ends, .. }) => *ends = Default::default(),
        (Mutant::ProofBeforeEnd, Event::Proved { block, .. }) => *block = UnixSeconds(u64::MAX),
        (Mutant::ProofIgnoresUse, Event::Proved { used, .. }) => *used = false,
        (Mutant::ReleaseSent, Event::Release { id }) => book.open.retain(|open| open.id != *id),
        (Mutant::FailedIsFree, Event::Answered { id, paid: false }) => book.open.retain(|open| open.id != *id),
        _ => {}
    }
    let mut change = apply_keeping(kinds, &book, &limits, &event, now);
    let folded = |open: &&Open| open.state != State::Reserved && !change.book.open.iter().any(|of| of.id == open.id);
    let over: Vec<Open> = kept.open.iter().filter(folded).cloned().collect();
    let known: Vec<_> = kept.sums.iter().flat_map(|sum| sum.runs.iter().map(|run| run.at)).collect();
    match (mutant, &event) {
        (Mutant::ReservedIsFree, Event::Reserve(_)) => {
            let hidden = kept.open.iter().filter(|of| !change.book.open.iter().any(|other| other.id == of.id));
            let hidden: Vec<Open> = hidden.cloned().collect();
            change.book.open.extend(hidden);
        }
        (Mutant::SkipSend, Event::Send { .. }) => change.book.open = kept.open,
        (Mutant::LapseEarly, Event::Send { .. }) => change.outcome = Outcome::Done,
        (Mutant::IgnoreIdentity, Event::Reserve(_)) if matches!(change.outcome, Outcome::Wait) => {
            change.outcome = Outcome::Reserved(Trace::default());
        }
        (Mutant::PaidIsForgotten, Event::Answered { paid: true, .. }) => change.book.sums = kept.sums,
        (Mutant::UnprovenIsForgotten, _) if over.iter().any(|open| open.state == State::Sent) => {
            change.book.sums = kept.sums;
        }
        (Mutant::CountFromSigning, _) => {
            let fresh = |run: &&mut Run| !known.contains(&run.at);
            for run in change.book.sums.iter_mut().flat_map(|sum| &mut sum.runs).filter(fresh) {
                run.at = run.at.min(now);
                run.since = run.since.min(now);
            }
        }
        (Mutant::CoarseEarly, _) => {
            for sum in &mut change.book.sums {
                let first = sum.runs.iter().map(|run| run.since).min();
                sum.runs.iter_mut().for_each(|run| run.at = first.unwrap_or(run.at));
            }
        }
        (Mutant::ForgetTask, _) => change.book.sums.iter_mut().for_each(|sum| sum.kind.task = None),
        (Mutant::ForgetKinds, _) => {
            change.book.sums.retain(|sum| !sum.kind.pay_to.is_empty());
        }
        (Mutant::CoarseIsAnother, _) => {
            for sum in &mut change.book.sums {
                for part in [&mut sum.kind.origin, &mut sum.kind.pay_to] {
                    if part.is_empty() {
                        *part = "another".into();
                    }
                }
            }
        }
        (Mutant::ForgetByOthers, _) if policy.budgets.is_empty() => {
            let known = |kind: &Kind| kept.sums.iter().any(|sum| sum.kind == *kind);
            let fresh = change.book.sums.iter_mut().filter(|sum| !known(&sum.kind));
            fresh.for_each(|sum| sum.kind.task = None);
        }
        _ => {}
    }
    change
}
