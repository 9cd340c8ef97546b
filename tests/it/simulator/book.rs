//! The book: the one writer of the records. It settles by itself, and its alarm does what nobody waits for.

use x402_core::ledger::alarm::{Chore, due};
use x402_core::ledger::event::Event;
use x402_core::ledger::outcome::Outcome;
use x402_core::ledger::record::{Money, Record, Settle};
use x402_core::types::time::UnixSeconds;

use super::case::Content;
use super::mutant::apply_with;
use super::world::{World, proof};
use super::{Checked, violated};

/// Where a settlement stands.
#[derive(Clone, Debug)]
enum Stage {
    Send,
    Await,
    Reply(Event),
}

/// A settlement under way: it lives in the book's memory and ends with it.
#[derive(Clone, Debug)]
pub(crate) struct Settler {
    pub(crate) id: usize,
    attempt: u32,
    stage: Stage,
}

impl World {
    /// Reads, decides, writes, in one turn.
    pub(crate) fn write(&mut self, id: usize, event: &Event) -> Outcome {
        let now = self.now();
        let (next, outcome) = apply_with(self.mutant, self.cases[id].record.as_ref(), event, now);
        self.note(|| {
            let state = next.as_ref().map(|of| format!("{:?} {:?}", of.delivery, of.money));
            format!("#{id} {event:?} -> {outcome:?}; {}", state.unwrap_or_else(|| "unchanged".into()))
        });
        self.tally.conflicts += u64::from(outcome == Outcome::Conflict);
        if let Some(next) = next {
            let old = self.cases[id].record.replace(next);
            let new = self.cases[id].record.as_ref();
            let unknown = |of: &Record| matches!(of.money, Money::Unknown { .. });
            self.tally.doubted += u64::from(new.is_some_and(unknown) && !old.as_ref().is_some_and(unknown));
            if let (Some(old), Some(new)) = (&old, new)
                && (new.log.len() < old.log.len() || new.log.first() != old.log.first())
            {
                self.forgotten = Some(id);
            }
        }
        outcome
    }

    /// An event comes to the book, with the answer it tells of; the book acts on what is its own to do.
    pub(crate) fn tell(&mut self, id: usize, event: &Event, content: Option<Content>) -> Outcome {
        // What the payer's other payments expose is read in the turn that decides.
        let outcome = match event {
            Event::Claim { request, straight, .. } => self.write(id, &self.claim(id, request.0[0], *straight)),
            event => self.write(id, event),
        };
        if let (Event::Answered { charged: true, kept: true, .. }, false) = (event, outcome == Outcome::Stale) {
            self.cases[id].kept = content;
        }
        if let Outcome::Settle(attempt) = outcome {
            self.settlers.push(Settler { id, attempt, stage: Stage::Send });
        }
        outcome
    }

    /// A copy of a message that was on its way for long.
    pub(crate) fn deliver_late(&mut self) -> Checked {
        let Some(at) = self.rng.place(&self.late) else { return Ok(()) };
        let (id, event, content) = self.late.swap_remove(at);
        let outcome = self.tell(id, &event, content);
        // Nobody hears it, unless it settled something.
        if matches!(event, Event::Settled { .. }) { self.wake(id, &outcome) } else { Ok(()) }
    }

    /// The book is evicted: its memory is gone, its disk is not. Started again, it may doubt at once what was under way.
    pub(crate) fn evict(&mut self) {
        self.note(|| "the book is evicted".into());
        self.tally.crashes += 1;
        self.settlers.clear();
        self.workers.retain(|worker| !worker.waits());
        for case in &mut self.cases {
            case.looked = None;
        }
        if self.rng.percent(50) {
            for id in 0..self.cases.len() {
                let Some(record) = &self.cases[id].record else { continue };
                if matches!(record.money, Money::Settling { .. }) {
                    let attempt = record.attempt;
                    self.write(id, &Event::SettleUnknown { attempt, transaction: String::new() });
                }
            }
        }
    }

    /// The owner's time for kept answers ends for one that is settled.
    pub(crate) fn drop_answer(&mut self) {
        let Some(id) = self.rng.place(&self.cases) else { return };
        let settled = |of: &Record| matches!(of.money, Money::Settled { .. });
        if self.cases[id].kept.is_some() && self.cases[id].record.as_ref().is_some_and(settled) {
            self.cases[id].kept = None;
            self.write(id, &Event::Dropped);
        }
    }

    pub(crate) fn step_settler(&mut self) -> Checked {
        let Some(at) = self.rng.place(&self.settlers) else { return Ok(()) };
        let mut settler = self.settlers.swap_remove(at);
        let (id, attempt) = (settler.id, settler.attempt);
        settler.stage = match settler.stage {
            Stage::Send => match self.send(id, attempt)? {
                Some(stage) => stage,
                None => return Ok(()),
            },
            Stage::Await => {
                let case = &self.cases[id];
                if case.moved.is_some() {
                    Stage::Reply(Event::Settled { settlement: proof(id) })
                } else if !case.pending && !case.held {
                    Stage::Reply(Event::SettleFailed { attempt, reason: "reverted".into() })
                } else if self.rng.percent(40) {
                    Stage::Reply(Event::SettleUnknown { attempt, transaction: format!("0x{id}") })
                } else {
                    Stage::Await
                }
            }
            Stage::Reply(event) => {
                if !self.calm && self.rng.percent(40) {
                    self.late.push((id, event.clone(), None));
                }
                let outcome = self.tell(id, &event, None);
                return if outcome == Outcome::Stale { Ok(()) } else { self.wake(id, &outcome) };
            }
        };
        self.settlers.push(settler);
        Ok(())
    }

    /// A settlement is handed to a facilitator, who may refuse, be away, keep silent, hesitate, lie or do it. None means
    /// that nothing is ever heard.
    fn send(&mut self, id: usize, attempt: u32) -> Checked<Option<Stage>> {
        let luck = if self.calm { 99 } else { self.rng.below(100) };
        let (time, lies) = (self.time, self.lies);
        let case = &mut self.cases[id];
        let settle = case.record.as_ref().map_or(case.settle, |of| of.settle);
        if !case.answered && settle != Settle::Before {
            return violated(format!("I2: #{id} settles and the origin gave no answer"));
        }
        let reply = |event| Ok(Some(Stage::Reply(event)));
        let unknown = || Event::SettleUnknown { attempt, transaction: String::new() };
        let failed = || Event::SettleFailed { attempt, reason: "refused".into() };
        if case.moved.is_some() {
            // Another hand was faster: the transfer is there, and that is what counts.
            return reply(Event::Settled { settlement: proof(id) });
        }
        if case.cancelled || time >= case.expires || luck < 5 {
            return reply(failed());
        }
        match luck {
            5..17 => reply(Event::Unsent { attempt, reason: "away".into() }),
            17..20 => reply(unknown()),
            _ => {
                case.handed += 1;
                case.held = luck < 40;
                case.pending = !case.held;
                match luck {
                    20..30 => reply(unknown()),
                    30..36 => Ok(None),
                    50..60 if lies => {
                        case.lied = true;
                        reply(failed())
                    }
                    _ => Ok(Some(Stage::Await)),
                }
            }
        }
    }

    /// The alarm: whatever is due for any record.
    pub(crate) fn alarm(&mut self) -> Checked {
        for id in 0..self.cases.len() {
            // What one chore leads to may be due at once.
            for _ in 0..3 {
                let Some(record) = &self.cases[id].record else { break };
                let (at, chore) = due(record, self.cases[id].looked);
                if at > self.now() || chore == Chore::Forget {
                    break;
                }
                let attempt = record.attempt;
                match chore {
                    Chore::Lapse => {
                        self.write(id, &Event::Tick);
                    }
                    Chore::Settle => {
                        if record.settle != Settle::Optimistic {
                            return violated(format!("I2: #{id} is charged and nobody waits for it"));
                        }
                        self.tell(id, &Event::SettleStarted, None);
                    }
                    Chore::Reconcile => self.reconcile(id, attempt)?,
                    Chore::Forget => {}
                }
            }
        }
        Ok(())
    }

    fn reconcile(&mut self, id: usize, attempt: u32) -> Checked {
        self.cases[id].looked = Some(self.now());
        let (luck, lag) = (self.rng.below(100), self.rng.below(20));
        let (case, time) = (&self.cases[id], self.time);
        let block = time - lag;
        let under_way = self.settlers.iter().any(|of| of.id == id && matches!(of.stage, Stage::Send));
        let event = match case.moved {
            _ if luck < 20 && !self.calm => return Ok(()),
            Some(_) => Event::Settled { settlement: proof(id) },
            // The relayer has never heard of it and never will.
            None if case.handed == 0 && !under_way && luck < 50 => Event::Unsent { attempt, reason: "unheard".into() },
            None if case.cancelled => Event::SettleFailed { attempt, reason: "cancelled".into() },
            None => Event::Unused { block: UnixSeconds(block) },
        };
        let outcome = self.tell(id, &event, None);
        if outcome == Outcome::Stale { Ok(()) } else { self.wake(id, &outcome) }
    }
}
