//! The world of one schedule: time, the chain, the origin, the disk, and the promises.

use x402_core::ledger::alarm::{Chore, due};
use x402_core::ledger::event::{Event, Policy, RequestHash};
use x402_core::ledger::log::replay;
use x402_core::ledger::outcome::Outcome;
use x402_core::ledger::payment::{ATTEMPTS, LEASE, SERVINGS};
use x402_core::ledger::record::{Delivery, Money, Record, Settle};
use x402_core::types::amount::Amount;
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::time::UnixSeconds;

use super::book::Settler;
use super::case::{Case, Content, VALIDITY};
use super::gate::Worker;
use super::mutant::Mutant;
use super::{Checked, Rng, Tally, violated};

/// Authorizations in one schedule, all of one payer, and what each is worth.
const AUTHORIZATIONS: usize = 3;
pub(crate) const AMOUNT: u64 = 10;
/// Seconds that a worker gives the origin.
const PATIENCE: u64 = 30;
pub(super) const START: u64 = 100_000;
/// Turns before everything is brought to its end.
const TURNS: usize = 70;

pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) mutant: Mutant,
    pub(crate) trace: Option<Vec<String>>,
    /// True time, which the chain keeps, and how wrong the gate's clock is.
    pub(crate) time: u64,
    skew: i64,
    /// The most that the owner would lose to this payer.
    pub(crate) bound: u64,
    /// Whether facilitators of this schedule lie.
    pub(crate) lies: bool,
    pub(crate) cases: Vec<Case>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) settlers: Vec<Settler>,
    /// Copies of messages that are still on their way.
    pub(crate) late: Vec<(usize, Event, Option<Content>)>,
    pub(crate) serial: u32,
    /// The end has begun: nothing new goes wrong.
    pub(crate) calm: bool,
    pub(crate) tally: Tally,
    /// A write that lost what was written before.
    pub(crate) forgotten: Option<usize>,
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Mutant, traced: bool) -> Self {
        let mut rng = Rng::new(seed);
        // Half of the schedules are of one policy, so that its payments meet each other.
        let policies = [Settle::After, Settle::Before, Settle::Optimistic];
        let any = |rng: &mut Rng| rng.place(&policies).map_or(Settle::After, |at| policies[at]);
        let only = if rng.percent(50) { Some(any(&mut rng)) } else { None };
        let mut case = || {
            let settle = only.unwrap_or_else(|| any(&mut rng));
            Case::new(&mut rng, settle)
        };
        let cases = (0..AUTHORIZATIONS).map(|_| case()).collect();
        let bound = rng.below(3) * AMOUNT;
        let lies = rng.percent(10);
        Self {
            rng,
            mutant,
            trace: traced.then(Vec::new),
            time: START,
            skew: 0,
            bound,
            lies,
            cases,
            workers: Vec::new(),
            settlers: Vec::new(),
            late: Vec::new(),
            serial: 0,
            calm: false,
            tally: Tally::default(),
            forgotten: None,
        }
    }

    /// The gate's clock.
    pub(crate) fn now(&self) -> UnixSeconds {
        UnixSeconds(self.time.saturating_add_signed(self.skew))
    }

    /// Notes a line, if anybody wants to read it.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        let (time, now) = (self.time - START, self.now().0.wrapping_sub(START));
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{time:>4} (gate: {:>4})  {}", now.cast_signed(), line()));
        }
    }

    pub(crate) fn run(&mut self) -> Checked {
        for _ in 0..TURNS {
            self.turn()?;
            self.check()?;
        }
        self.wind_down()?;
        (0..AUTHORIZATIONS).try_for_each(|id| self.judge(id))
    }

    fn turn(&mut self) -> Checked {
        match self.rng.below(100) {
            0..12 => self.arrive(),
            12..20 => self.mine(),
            20..28 => self.alarm()?,
            28..36 => self.pass_time(),
            36..40 => self.crash(),
            40..42 => self.evict(),
            42..50 => self.deliver_late()?,
            50..53 => self.meddle(),
            53..55 => self.drop_answer(),
            55..73 => self.step_settler()?,
            _ => self.step_worker()?,
        }
        Ok(())
    }

    fn pass_time(&mut self) {
        self.time += if self.rng.percent(8) { LEASE + 1 + self.rng.below(2) * PATIENCE } else { self.rng.below(8) };
        if self.rng.percent(10) {
            let (sign, jump) = (self.rng.percent(50), self.rng.below(301).cast_signed());
            self.skew = if sign { jump } else { -jump };
            self.note(|| "the clock jumps".into());
        }
    }

    /// A block: what was sent before its authorization's end moves, unless the payer has cancelled it.
    pub(crate) fn mine(&mut self) {
        let time = self.time;
        for case in &mut self.cases {
            if case.held && (self.calm || self.rng.percent(50)) {
                case.held = false;
                case.pending = true;
            }
            if case.pending && case.moved.is_none() && time < case.expires && !case.cancelled {
                case.moved = Some(time);
            }
            case.pending = false;
        }
    }

    /// The payer cancels an authorization, or somebody else settles one that they saw on its way.
    fn meddle(&mut self) {
        let Some(id) = self.rng.place(&self.cases) else { return };
        let cancels = self.rng.percent(40);
        let (time, case) = (self.time, &mut self.cases[id]);
        if case.moved.is_some() || case.cancelled || time >= case.expires {
            return;
        }
        if cancels {
            case.cancelled = true;
        } else if case.is_open() {
            case.moved = Some(time);
            case.preempted = true;
        }
        self.note(|| format!("#{id} is {}", if cancels { "cancelled" } else { "settled by a stranger" }));
    }

    /// What is to be promised at every moment.
    fn check(&self) -> Checked {
        if let Some(id) = self.forgotten {
            return violated(format!("I6: #{id} lost a part of its log"));
        }
        for (id, case) in self.cases.iter().enumerate() {
            if case.handed > 1 {
                return violated(format!("I3: #{id} was handed over for settlement twice"));
            }
            if case.told_spent && case.moved.is_some() && !case.preempted && !case.lied {
                return violated(format!("I4: the payer was told that #{id} is of no use, and it moved"));
            }
            if case.delivered.len() > usize::try_from(SERVINGS).unwrap_or(0) {
                return violated(format!("I3: #{id} bought {} answers", case.delivered.len()));
            }
            if case.asked > ATTEMPTS {
                return violated(format!("I3: #{id} asked the origin {} times", case.asked));
            }
        }
        Ok(())
    }

    /// An origin's answer leaves the gate, charged or to be charged.
    pub(crate) fn delivered(&mut self, id: usize, content: Option<Content>, request: u8, verified: bool) -> Checked {
        let Some(content) = content else { return violated(format!("I6: #{id} is answered and nothing is kept")) };
        self.note(|| format!("#{id} delivers {content:?}"));
        self.tally.delivered += 1;
        let case = &mut self.cases[id];
        if content.request != request {
            return violated(format!("I3: #{id} paid for request {} and got {}", request, content.request));
        }
        if !case.delivered.contains(&content.serial) {
            case.delivered.push(content.serial);
        }
        let Some(record) = &case.record else { return violated(format!("I6: #{id} is served and not on disk")) };
        if case.moved.is_none() && record.settle != Settle::Optimistic {
            return violated(format!("I1: #{id} is served and nothing had settled"));
        }
        if case.moved.is_none() && !verified {
            return violated(format!("I1: #{id} is served unsettled and nobody had verified it"));
        }
        let unpaid = self.cases.iter().filter(|case| !case.delivered.is_empty() && case.moved.is_none()).count();
        if u64::try_from(unpaid).unwrap_or(u64::MAX) * AMOUNT > self.bound {
            return violated(format!("I1: {unpaid} answers are unpaid, the bound is {}", self.bound));
        }
        Ok(())
    }

    /// The claim of a request on an authorization.
    pub(crate) fn claim(&self, id: usize, request: u8, straight: bool) -> Event {
        let case = &self.cases[id];
        let others = self.cases.iter().enumerate().filter(|(other, _)| *other != id);
        let exposures = others.filter_map(|(_, case)| case.record.as_ref()).map(|of| self.mutant.exposure(of));
        Event::Claim {
            request: RequestHash([request; 32]),
            repeatable: case.repeatable,
            policy: match case.settle {
                Settle::After => Policy::After,
                Settle::Before => Policy::Before,
                Settle::Optimistic => {
                    Policy::Optimistic { exposed: Record::exposed(exposures), bound: Amount::from(self.bound) }
                }
            },
            amount: Amount::from(AMOUNT),
            expires: UnixSeconds(case.expires),
            patience: PATIENCE,
            straight,
        }
    }

    /// Everything ends: messages arrive, workers finish, leases run out, the chain is final.
    fn wind_down(&mut self) -> Checked {
        self.calm = true;
        self.skew = 0;
        for round in 0..8 {
            while !self.late.is_empty() {
                self.deliver_late()?;
            }
            for _ in 0..400 {
                if self.workers.iter().all(Worker::waits) && self.settlers.is_empty() {
                    break;
                }
                self.mine();
                self.step_settler()?;
                self.step_worker()?;
                self.check()?;
            }
            self.workers.clear();
            self.mine();
            self.time += if round == 3 { VALIDITY + 400 } else { LEASE + PATIENCE + 310 };
            self.alarm()?;
            self.check()?;
        }
        Ok(())
    }

    /// What is to be promised at the end.
    fn judge(&mut self, id: usize) -> Checked {
        let Some(record) = self.cases[id].record.clone() else { return Ok(()) };
        if self.mutant == Mutant::None && replay(&record.log).as_ref() != Some(&record) {
            return violated(format!("I6: the log of #{id} does not replay to its record: {record:?}"));
        }
        if record.log.len() > 400
            || (self.trace.is_some() || self.serial.is_multiple_of(16)) && !survives_the_disk(&record)
        {
            return violated(format!("I6: #{id} is not read as it was written"));
        }
        if due(&record, None).1 != Chore::Forget {
            return violated(format!("I4: #{id} is undecided at the end: {:?} {:?}", record.money, record.delivery));
        }
        if self.cases[id].lied && self.cases[id].moved.is_some() {
            // Somebody finds the proof in the end, as the daily comparison with the chain does.
            self.write(id, &Event::Settled { settlement: proof(id) });
        }
        let (case, record) = (&self.cases[id], self.cases[id].record.as_ref().unwrap_or(&record));
        let settled = matches!(record.money, Money::Settled { .. });
        self.tally.settled += u64::from(settled);
        self.tally.failed += u64::from(matches!(record.money, Money::Failed { .. }));
        if settled != case.moved.is_some() && (settled || !case.preempted) {
            return violated(format!("I4: #{id} moved: {:?}, the record says {:?}", case.moved, record.money));
        }
        if case.moved.is_none() && !case.delivered.is_empty() && record.settle != Settle::Optimistic {
            return violated(format!("I1: #{id} was served and never paid"));
        }
        if case.moved.is_some() && !case.answered && record.settle != Settle::Before {
            return violated(format!("I2: #{id} paid for no answer"));
        }
        let (had, unsafe_lost) = (record.delivery.clone(), record.delivery == Delivery::Lost);
        let stranger = self.claim(id, 9, false);
        let retry = self.claim(id, record.request.0[0], false);
        if self.write(id, &stranger) != Outcome::Conflict {
            return violated(format!("I3: #{id} is taken for another request"));
        }
        for _ in 0..=ATTEMPTS {
            let attempt = match self.write(id, &retry) {
                Outcome::Execute(attempt) if settled && !unsafe_lost => attempt,
                Outcome::Replay(Some(_)) if settled && self.cases[id].kept.is_some() => return Ok(()),
                Outcome::ReceiptOnly(_) if settled && !self.cases[id].is_owed() => return Ok(()),
                Outcome::Spent(_) | Outcome::Abandoned if !settled => return Ok(()),
                other => {
                    let story = format!("#{id} is {had:?}, settled: {settled}, and its retry is answered {other:?}");
                    return violated(format!("I4: {story}"));
                }
            };
            self.serve_again(id, attempt)?;
            self.check()?;
        }
        violated(format!("I3: #{id} is served for ever"))
    }

    /// A retry of what was paid: the origin serves it, or fails, and its answer is too large to keep.
    fn serve_again(&mut self, id: usize, attempt: u32) -> Checked {
        let request = self.cases[id].record.as_ref().map_or(0, |of| of.request.0[0]);
        self.cases[id].asked += 1;
        if self.rng.percent(30) {
            self.write(id, &Event::OriginFailed { attempt, asked: false });
            return Ok(());
        }
        if self.cases[id].worked > 0 && !self.cases[id].repeatable {
            return violated(format!("I3: #{id} executed an unsafe request twice"));
        }
        self.cases[id].worked += 1;
        self.serial += 1;
        let content = Content { request, serial: self.serial };
        let event = Event::Answered { attempt, status: 200, charged: true, kept: false, present: true };
        match self.write(id, &event) {
            Outcome::Deliver(Some(_)) => self.delivered(id, Some(content), request, true),
            other => violated(format!("I4: #{id} is paid and served, and the book says {other:?}")),
        }
    }
}

fn survives_the_disk(record: &Record) -> bool {
    Record::read(&record.write()).is_ok_and(|read| read == *record)
}

/// The proof that an authorization has moved.
pub(crate) fn proof(id: usize) -> SettleResponse {
    SettleResponse::settled("payer".into(), format!("0x{id}"), "eip155:84532".into())
}
