//! A small world around the payer's book: calls in several tabs and processes over one store, that crash between any two
//! steps; wallets that say no or nothing; servers that settle late, lie, answer twice or never; a chain that is asked; and a
//! clock that is set back and forth. Every schedule comes from a seed; the promise about money (I9) is checked at every
//! step of it, by what was sent and what the chain did, not by what the book says.
//!
//! `cargo xtask simulate payer` runs it at any length.

pub(crate) mod call;
pub(crate) mod mutant;
pub(crate) mod world;

use self::mutant::Mutant;
use self::world::World;
use crate::simulator::{Checked, Report, spread};

/// What schedules came to see: one that nothing happens in keeps every promise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Payments that were sent, and that the chain made.
    pub(crate) sent: u64,
    pub(crate) settled: u64,
    /// Of those, after the payer was told that they had failed, or nothing.
    pub(crate) late: u64,
    /// Reservations that were refused for a budget.
    pub(crate) refused: u64,
    /// Payments that were presented again, and calls that waited for another.
    pub(crate) presented: u64,
    pub(crate) waited: u64,
    /// Payments that the chain's word gave back.
    pub(crate) proved: u64,
    /// Calls that ended at a bad moment.
    pub(crate) crashes: u64,
}

impl Tally {
    pub(crate) const fn counts(&self) -> [u64; 8] {
        [self.sent, self.settled, self.late, self.refused, self.presented, self.waited, self.proved, self.crashes]
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.settled += other.settled;
        self.late += other.late;
        self.refused += other.refused;
        self.presented += other.presented;
        self.waited += other.waited;
        self.proved += other.proved;
        self.crashes += other.crashes;
    }
}

/// Runs one schedule to its end.
///
/// # Errors
/// The first promise that was broken.
pub(crate) fn run(seed: u64, mutant: Mutant) -> Checked<Tally> {
    let mut world = World::new(seed, mutant, false);
    world.run().map(|()| world.tally)
}

/// What happened in a schedule, line by line.
pub(crate) fn trace(seed: u64) -> Vec<String> {
    let mut world = World::new(seed, Mutant::None, true);
    let end = world.run();
    let mut lines = world.trace.unwrap_or_default();
    lines.extend(end.err().map(|violation| violation.what));
    lines
}

/// Runs schedules on every core.
pub(crate) fn many(seed: u64, schedules: u64) -> Report<Tally> {
    spread(seed, schedules, |seed| run(seed, Mutant::None), Tally::add)
}
