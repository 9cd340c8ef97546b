//! A small world around the ledger: workers that crash, messages that are lost, late or come twice, a chain that is slow,
//! facilitators that say nothing or the untrue, an origin that fails, clients that go away, clocks that jump. Every
//! schedule comes from a seed; the promises about money (I1 to I6) are checked at every step of it.
//!
//! `cargo xtask simulate gate` runs it at any length.

pub(crate) mod book;
pub(crate) mod case;
pub(crate) mod gate;
pub(crate) mod mutant;
pub(crate) mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use self::mutant::Mutant;
use self::world::World;

/// A promise that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// Which, and how.
    pub(crate) what: String,
}

/// What checks return.
pub(crate) type Checked<T = ()> = Result<T, Violation>;

/// Says which promise was broken, and how.
pub(crate) fn violated<T>(what: impl Into<String>) -> Checked<T> {
    Err(Violation { what: what.into() })
}

/// Deterministic randomness: xorshift64*, seeded through splitmix64 so that neighbouring seeds have nothing in common.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((state ^ (state >> 31)).max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether something with this chance in a hundred happens.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// A place in a list; none in an empty one.
    pub(crate) fn place<T>(&mut self, list: &[T]) -> Option<usize> {
        if list.is_empty() { None } else { usize::try_from(self.below(list.len() as u64)).ok() }
    }
}

/// What schedules came to see: one that nothing happens in keeps every promise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Payments that ended settled, and failed.
    pub(crate) settled: u64,
    pub(crate) failed: u64,
    /// Times that an outcome became unknown.
    pub(crate) doubted: u64,
    /// Answers that were delivered, and requests that were turned away as another's.
    pub(crate) delivered: u64,
    pub(crate) conflicts: u64,
    /// Workers and books that ended at a bad moment.
    pub(crate) crashes: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.settled += other.settled;
        self.failed += other.failed;
        self.doubted += other.doubted;
        self.delivered += other.delivered;
        self.conflicts += other.conflicts;
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
pub(crate) fn trace(seed: u64, mutant: Mutant) -> Vec<String> {
    let mut world = World::new(seed, mutant, true);
    let end = world.run();
    let mut lines = world.trace.unwrap_or_default();
    lines.extend(end.err().map(|violation| violation.what));
    lines
}

/// What many schedules came to.
#[derive(Debug, Default)]
pub(crate) struct Report<T = Tally> {
    /// How many broke a promise.
    pub(crate) violations: u64,
    /// The first that did, by its seed.
    pub(crate) first: Option<(u64, Violation)>,
    /// What the others came to see.
    pub(crate) tally: T,
}

/// Runs schedules on every core.
pub(crate) fn many(seed: u64, schedules: u64, mutant: Mutant) -> Report {
    spread(seed, schedules, |seed| run(seed, mutant), Tally::add)
}

/// Runs what comes from a seed on every core.
pub(crate) fn spread<T: Default + Send>(
    seed: u64,
    schedules: u64,
    run: impl Fn(u64) -> Checked<T> + Sync,
    add: fn(&mut T, &T),
) -> Report<T> {
    const BATCH: u64 = 500;
    let next = AtomicU64::new(0);
    let work = || {
        let mut report = Report { violations: 0, first: None, tally: T::default() };
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            if from >= schedules {
                return report;
            }
            for at in from..(from + BATCH).min(schedules) {
                let seed = seed.wrapping_add(at);
                match run(seed) {
                    Ok(tally) => add(&mut report.tally, &tally),
                    Err(violation) => {
                        report.violations += 1;
                        report.first.get_or_insert((seed, violation));
                    }
                }
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let reports: Vec<Report<T>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a schedule does not panic")).collect()
    });
    let mut tally = T::default();
    reports.iter().for_each(|report| add(&mut tally, &report.tally));
    let violations = reports.iter().map(|report| report.violations).sum();
    let first = reports.into_iter().filter_map(|report| report.first).min_by_key(|(at, _)| at.wrapping_sub(seed));
    Report { violations, first, tally }
}
