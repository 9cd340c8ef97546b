//! Calls that pay: each is one call of `fetch` in some tab or process, and may end at any step.

use x402_core::client::book::{Claim, Event, Open, Outcome, State};
use x402_core::client::call::Identity;
use x402_core::client::clock;
use x402_core::types::time::UnixSeconds;

use super::world::{Authorization, World, kind};

/// Where a call stands.
#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve,
    /// Somebody thinks about it; then it is reserved again, from then on.
    Think,
    Renew,
    Sign,
    Send,
    Wire,
    Answer,
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Its authorization, or the one that it presents.
    at: usize,
    step: Step,
    validity: u64,
    presents: bool,
}

impl World {
    /// A call meets a 402.
    pub(crate) fn arrive(&mut self) {
        let identity =
            self.rng.percent(40).then(|| (u8::try_from(self.rng.below(2)).unwrap_or(0), self.rng.percent(50)));
        let at = self.all.len();
        let of = Authorization {
            id: format!("{at}"),
            kind: kind(&mut self.rng),
            amount: 1 + self.rng.below(4),
            identity,
            provable: self.rng.percent(60),
            valid_before: 0,
            sent: false,
            told: None,
            settled: None,
        };
        self.all.push(of);
        let validity = if self.rng.percent(50) { 60 } else { 600 };
        self.callers.push(Caller { at, step: Step::Reserve, validity, presents: false });
    }

    /// A call ends without a word.
    pub(crate) fn crash(&mut self) {
        let Some(at) = self.rng.place(&self.callers) else { return };
        let caller = self.callers.swap_remove(at);
        self.note(|| format!("#{} crashes at {:?}", caller.at, caller.step));
        self.tally.crashes += 1;
    }

    /// A call takes its next step.
    pub(crate) fn advance(&mut self) {
        let Some(place) = self.rng.place(&self.callers) else { return };
        let mut caller = self.callers.swap_remove(place);
        if let Some(next) = self.next(&mut caller) {
            caller.step = next;
            self.callers.push(caller);
        }
    }

    fn next(&mut self, caller: &mut Caller) -> Option<Step> {
        match caller.step {
            Step::Reserve => {
                let thinks = self.rng.percent(30);
                self.reserve(caller, true).map(|()| if thinks { Step::Think } else { Step::Sign })
            }
            Step::Think if self.rng.percent(20) => {
                self.release(caller);
                None
            }
            Step::Think => Some(Step::Renew),
            Step::Renew => self.reserve(caller, false).map(|()| Step::Sign),
            // The wallet says no, or nothing; then nothing is known of what it does later.
            Step::Sign => match self.rng.below(100) {
                0..8 => {
                    self.release(caller);
                    None
                }
                8..14 => None,
                _ => Some(Step::Send),
            },
            Step::Send if caller.presents => Some(Step::Wire),
            Step::Send => {
                let of = &mut self.all[caller.at];
                // Whoever signed late has signed for longer than was reserved.
                if self.rng.percent(20) {
                    of.valid_before += 300;
                }
                let (id, valid_before) = (of.id.clone(), UnixSeconds(of.valid_before));
                let now = self.clock();
                let ends = (valid_before, clock::end(now, now, valid_before));
                match self.turn(&Event::Send { id, payment: caller.at.to_string(), ends }) {
                    Outcome::Done => Some(Step::Wire),
                    _ => None,
                }
            }
            Step::Wire => {
                self.tally.sent += u64::from(!self.all[caller.at].sent);
                self.all[caller.at].sent = true;
                self.note(|| format!("#{} is sent", caller.at));
                // The request may be lost on its way there, or its answer on its way back.
                if self.rng.percent(15) { None } else { Some(Step::Answer) }
            }
            Step::Answer => {
                // True or not: servers lie, and settle later.
                let paid = self.rng.percent(60);
                let id = self.all[caller.at].id.clone();
                self.turn(&Event::Answered { id: id.clone(), paid });
                let told = &mut self.all[caller.at].told;
                *told = Some(paid || *told == Some(true));
                if !paid && self.rng.percent(10) {
                    // A call that was refused takes nothing back that it has sent.
                    self.turn(&Event::Release { id });
                }
                if self.rng.percent(20) { Some(Step::Answer) } else { None }
            }
        }
    }

    fn release(&mut self, caller: &Caller) {
        if !caller.presents {
            let id = self.all[caller.at].id.clone();
            self.turn(&Event::Release { id });
        }
    }

    /// Reserves for a call; none when it has ended. A call that waits stays where it is.
    fn reserve(&mut self, caller: &mut Caller, asked: bool) -> Option<()> {
        let now = self.clock();
        let of = &mut self.all[caller.at];
        let valid_before = now.plus(caller.validity);
        of.valid_before = valid_before.0;
        let identity = of.identity.map(|(identity, lasting)| {
            let mut hash = [identity; 32];
            hash[0] = u8::from(lasting);
            Identity { hash, lasting }
        });
        let open = Open {
            id: of.id.clone(),
            state: State::Reserved,
            kind: of.kind.clone(),
            amount: of.amount.into(),
            units: String::new(),
            symbol: String::new(),
            payer: String::new(),
            valid_before,
            until: clock::end(now, now, valid_before),
            provable: of.provable,
            identity,
            payment: None,
        };
        match self.turn(&Event::Reserve(Box::new(Claim { open, asked }))) {
            Outcome::Reserved(_) => Some(()),
            Outcome::Present(open) => {
                caller.presents = true;
                caller.at = open.payment.and_then(|at| at.parse().ok())?;
                self.tally.presented += 1;
                self.callers.push(Caller { step: Step::Wire, ..caller.clone() });
                None
            }
            Outcome::Wait => {
                self.tally.waited += 1;
                self.callers.push(caller.clone());
                None
            }
            Outcome::Refused(..) => {
                self.tally.refused += 1;
                None
            }
            Outcome::Done => None,
        }
    }
}
