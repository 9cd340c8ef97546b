//! The gate's workers: each carries one request, and may end at any step.

use x402_core::ledger::event::Event;
use x402_core::ledger::outcome::Outcome;

use super::case::Content;
use super::world::World;
use super::{Checked, violated};

/// Where a worker stands.
#[derive(Clone, Debug)]
enum Step {
    Claim,
    Verify {
        attempt: u32,
        straight: bool,
    },
    Ask(u32),
    Report(Event),
    /// Its book settles, and it waits for that.
    Wait,
    Over,
}

/// One request on its way.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) id: usize,
    pub(crate) request: u8,
    straight: bool,
    step: Step,
    /// The origin's answer, when it holds one that is charged for.
    content: Option<Content>,
    /// Whether its client is still there, and whether it has seen the payment verified.
    present: bool,
    verified: bool,
}

impl Worker {
    pub(crate) fn waits(&self) -> bool {
        matches!(self.step, Step::Wait)
    }
}

impl World {
    /// A request arrives: usually the same one again, sometimes another with the same authorization.
    pub(crate) fn arrive(&mut self) {
        let Some(id) = self.rng.place(&self.cases) else { return };
        let request = if self.rng.percent(88) { 1 } else { 2 };
        let (straight, present) = (self.rng.percent(60), true);
        self.note(|| format!("#{id} comes with request {request}"));
        self.workers.push(Worker { id, request, straight, step: Step::Claim, content: None, present, verified: false });
    }

    /// A worker ends without a word, or loses its client.
    pub(crate) fn crash(&mut self) {
        let Some(at) = self.rng.place(&self.workers) else { return };
        if self.rng.percent(30) {
            self.workers[at].present = false;
        } else {
            let worker = self.workers.swap_remove(at);
            self.tally.crashes += 1;
            self.note(|| format!("#{} loses the worker at {:?}", worker.id, worker.step));
        }
    }

    pub(crate) fn step_worker(&mut self) -> Checked {
        let Some(at) = self.rng.place(&self.workers) else { return Ok(()) };
        if self.workers[at].waits() {
            return Ok(());
        }
        let mut worker = self.workers.swap_remove(at);
        self.advance(&mut worker)?;
        if !matches!(worker.step, Step::Over) {
            self.workers.push(worker);
        }
        Ok(())
    }

    fn advance(&mut self, worker: &mut Worker) -> Checked {
        let id = worker.id;
        match worker.step.clone() {
            Step::Claim => {
                let event = self.claim(id, worker.request, worker.straight);
                self.report(worker, event)
            }
            Step::Verify { attempt, straight } => {
                let case = &self.cases[id];
                let good = case.moved.is_none() && !case.cancelled && self.time < case.expires;
                let good = good && (self.calm || self.rng.percent(85));
                worker.verified |= good;
                worker.step = match (good, straight) {
                    (true, true) => Step::Ask(attempt),
                    (true, false) => Step::Report(Event::Verified { attempt, present: worker.present }),
                    (false, _) => Step::Report(self.mutant.refusal(attempt)),
                };
                Ok(())
            }
            Step::Ask(attempt) => self.ask(worker, attempt),
            Step::Report(event) => self.report(worker, event),
            Step::Wait | Step::Over => Ok(()),
        }
    }

    /// The origin is asked. It does the work and says so, fails and says so, was not reached, or says nothing.
    fn ask(&mut self, worker: &mut Worker, attempt: u32) -> Checked {
        let (id, request, luck) = (worker.id, worker.request, self.rng.below(100));
        self.serial += 1;
        let (serial, kept) = (self.serial, self.rng.percent(65));
        let case = &mut self.cases[id];
        case.asked += 1;
        if *case.bound_to.get_or_insert(request) != request {
            return violated(format!("I3: #{id} executed two requests"));
        }
        if case.worked > 0 && !case.repeatable {
            return violated(format!("I3: #{id} executed an unsafe request twice"));
        }
        let (said, failed) = (luck < 66, (66..84).contains(&luck));
        let begun = said || luck >= 91;
        case.worked += u32::from(begun);
        case.answered |= said;
        let present = worker.present;
        worker.content = said.then_some(Content { request, serial });
        worker.step = Step::Report(match () {
            () if said => Event::Answered { attempt, status: 200, charged: true, kept, present },
            () if failed => Event::Answered { attempt, status: 500, charged: false, kept: false, present },
            () => Event::OriginFailed { attempt, asked: begun },
        });
        self.note(|| format!("#{id} executes {serial} under {attempt}: said {said}, begun {begun}"));
        Ok(())
    }

    /// A worker reports to the book. The message or the answer may be lost, and copies may come now or later.
    fn report(&mut self, worker: &mut Worker, event: Event) -> Checked {
        let (id, content) = (worker.id, worker.content);
        let luck = if self.calm { 100 } else { self.rng.below(100) };
        if luck < 3 {
            worker.step = Step::Over;
            return Ok(());
        }
        let mut outcome = self.tell(id, &event, content);
        let gone = matches!(
            event,
            Event::Answered { present: false, charged: true, .. } | Event::Verified { present: false, .. }
        );
        if gone && matches!(outcome, Outcome::Settle(_) | Outcome::Deliver(None)) {
            return violated(format!("I2: #{id} is charged for an answer that nobody waits for"));
        }
        if (3..6).contains(&luck) {
            let again = self.tell(id, &event, content);
            outcome = if luck == 3 { again } else { outcome };
        }
        if (6..16).contains(&luck) {
            self.late.push((id, event, content));
        }
        if (16..19).contains(&luck) {
            worker.step = Step::Over;
            return Ok(());
        }
        self.follow(worker, &outcome)
    }

    /// What a worker does with an outcome.
    fn follow(&mut self, worker: &mut Worker, outcome: &Outcome) -> Checked {
        let id = worker.id;
        worker.step = match outcome {
            Outcome::Verify(attempt) => Step::Verify { attempt: *attempt, straight: false },
            Outcome::VerifyThenExecute(attempt) => Step::Verify { attempt: *attempt, straight: true },
            Outcome::Execute(attempt) => Step::Ask(*attempt),
            Outcome::Again => Step::Claim,
            Outcome::Settle(_) => Step::Wait,
            Outcome::Deliver(_) => {
                if worker.content.is_some() {
                    self.delivered(id, worker.content, worker.request, worker.verified)?;
                }
                Step::Over
            }
            Outcome::Replay(_) => {
                // Whoever gave the kept answer had seen the payment verified.
                self.delivered(id, self.cases[id].kept, worker.request, true)?;
                Step::Over
            }
            Outcome::Spent(_) | Outcome::Abandoned => {
                self.cases[id].told_spent = true;
                Step::Over
            }
            Outcome::Busy(_) | Outcome::Pending(_) if self.settlers.iter().any(|of| of.id == id) => Step::Wait,
            Outcome::Stale if self.rng.percent(50) && !self.calm => {
                worker.content = None;
                Step::Claim
            }
            _ => Step::Over,
        };
        Ok(())
    }

    /// The settlement that workers wait for has ended: with its own answer in hand one delivers, the others ask again.
    pub(crate) fn wake(&mut self, id: usize, outcome: &Outcome) -> Checked {
        let mut executes = false;
        for at in (0..self.workers.len()).rev() {
            if self.workers[at].id != id || !self.workers[at].waits() {
                continue;
            }
            let mut worker = self.workers.swap_remove(at);
            match outcome {
                Outcome::Deliver(_) if worker.content.is_some() => self.follow(&mut worker, outcome)?,
                Outcome::Execute(_) if !executes => {
                    executes = true;
                    self.follow(&mut worker, outcome)?;
                }
                Outcome::Deliver(_) | Outcome::Execute(_) | Outcome::Done => worker.step = Step::Claim,
                other => self.follow(&mut worker, other)?,
            }
            if !matches!(worker.step, Step::Over) {
                self.workers.push(worker);
            }
        }
        Ok(())
    }
}
