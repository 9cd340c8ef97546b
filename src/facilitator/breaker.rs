//! Which facilitators are asked to verify: one that failed several times in a row is left alone for a while, so that not
//! every payment waits for it first. Where no other is left it is asked all the same. A settlement is none of its
//! business: that goes to whoever verified.
//!
//! ```text
//! closed ─ faults in a row ─► open ─ its time is over ─► one trial ─ a word ─► closed
//!                              ▲                             └─ a fault ─► open, twice as long
//! ```

use crate::types::time::UnixSeconds;

/// Faults in a row that open it.
const FAULTS: u32 = 3;
/// Seconds that it is open for, the first time and at most.
const FIRST: u64 = 15;
const LONGEST: u64 = 300;
/// Seconds that a trial may take before another one is let through.
const TRIAL: u64 = 15;

/// What is remembered of one facilitator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { faults: u32 },
    Open { until: UnixSeconds, pause: u64 },
    HalfOpen { since: UnixSeconds, pause: u64 },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { faults: 0 }
    }
}

impl Breaker {
    /// Whether it is asked now. Once its time is over, one that is let through is the trial.
    pub fn admits(&mut self, now: UnixSeconds) -> bool {
        match self.0 {
            State::Closed { .. } => true,
            State::Open { until, pause } if now >= until => {
                self.0 = State::HalfOpen { since: now, pause };
                true
            }
            State::HalfOpen { since, pause } if now.since(since) >= TRIAL => {
                self.0 = State::HalfOpen { since: now, pause };
                true
            }
            State::Open { .. } | State::HalfOpen { .. } => false,
        }
    }

    /// Takes note of what came of asking: a word on the payment, good or bad, or a fault.
    pub fn heard(&mut self, word: bool, now: UnixSeconds) {
        self.0 = match self.0 {
            _ if word => State::default(),
            State::Closed { faults } if faults.saturating_add(1) < FAULTS => {
                State::Closed { faults: faults.saturating_add(1) }
            }
            State::Closed { .. } => State::Open { until: now.plus(FIRST), pause: FIRST },
            State::HalfOpen { pause, .. } => {
                let pause = pause.saturating_mul(2).min(LONGEST);
                State::Open { until: now.plus(pause), pause }
            }
            // Asked before it opened, and answered late.
            open @ State::Open { .. } => open,
        };
    }
}
