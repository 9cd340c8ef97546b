//! What is true, whatever the book believes: authorizations, the chain, the clocks.

use x402_core::client::book::{Book, Event, Kind, Outcome};
use x402_core::client::policy::{Budget, Period, Policy};
use x402_core::types::amount::Amount;
use x402_core::types::time::UnixSeconds;

use super::Tally;
use super::call::Caller;
use super::mutant::{Mutant, apply_with};
use crate::simulator::{Checked, Rng, violated};

/// When every schedule begins.
const START: u64 = 1_000_000;
/// Seconds that the payer's clock and the chain's may differ.
const SKEW: u64 = 20;

/// One authorization: what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) amount: u64,
    pub(crate) identity: Option<(u8, bool)>,
    pub(crate) provable: bool,
    /// The chain's time from which it is worth nothing.
    pub(crate) valid_before: u64,
    /// It has left, so that a server may settle it.
    pub(crate) sent: bool,
    /// A call heard that it settled, true or not; or that it did not.
    pub(crate) told: Option<bool>,
    /// The payer's latest clock when it settled.
    pub(crate) settled: Option<u64>,
}

/// The world of one schedule.
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) mutant: Mutant,
    pub(crate) policy: Policy,
    /// Kinds that the book keeps apart; few, so that it meets more.
    kinds: usize,
    pub(crate) book: Book,
    pub(crate) all: Vec<Authorization>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) tally: Tally,
    pub(crate) trace: Option<Vec<String>>,
    /// The chain's time.
    pub(crate) time: u64,
    /// How far the payer's clock is ahead of it and behind, and how far it was set back.
    ahead: u64,
    behind: u64,
    back: u64,
    /// The latest that the payer's clock has shown.
    latest: u64,
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Mutant, traced: bool) -> Self {
        let mut rng = Rng::new(seed);
        let budgets = (0..=rng.below(2)).map(|_| budget(&mut rng)).collect();
        let (ahead, behind) = if rng.percent(50) { (rng.below(SKEW), 0) } else { (0, rng.below(SKEW)) };
        Self {
            policy: Policy { budgets, ..Policy::default() },
            // One for each task must be among them: no budget of this world is for longer than a book remembers.
            kinds: 2 + usize::try_from(rng.below(6)).unwrap_or(0),
            rng,
            mutant,
            book: Book::default(),
            all: Vec::new(),
            callers: Vec::new(),
            tally: Tally::default(),
            trace: traced.then(Vec::new),
            time: START,
            ahead,
            behind,
            back: 0,
            latest: 0,
        }
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        let time = self.time - START;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{time:>6} {}", line()));
        }
    }

    /// What the payer's clock shows.
    pub(crate) fn clock(&mut self) -> UnixSeconds {
        let clock = self.time + self.ahead - self.behind - self.back;
        self.latest = self.latest.max(clock);
        UnixSeconds(clock)
    }

    /// One atomic update of the store.
    pub(crate) fn turn(&mut self, event: &Event) -> Outcome {
        let now = self.clock();
        // Who asks the chain, or goes on with a payment after a crash, may have another policy.
        let other = !matches!(event, Event::Reserve(_)) && self.rng.percent(30);
        let policy = if other { Policy::default() } else { self.policy.clone() };
        let change = apply_with(self.mutant, self.kinds, &self.book, &policy, event, now);
        self.note(|| format!("{event:?} -> {:?}", change.outcome));
        self.book = change.book;
        change.outcome
    }

    /// # Errors
    /// The first promise that was broken.
    pub(crate) fn run(&mut self) -> Checked {
        let steps = 40 + self.rng.below(70);
        for _ in 0..steps {
            self.step();
            self.hold()?;
        }
        if self.rng.percent(2) && Book::read(&self.book.write()).as_ref() != Ok(&self.book) {
            return violated("the book is not what was written");
        }
        self.end()
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..14 => self.arrive(),
            14..66 => self.advance(),
            66..69 => self.crash(),
            69..80 => self.settle(),
            80..84 => self.ask_chain(),
            84..87 => {
                // It never shows more than it would if nobody touched it.
                self.back = if self.rng.percent(50) { self.rng.below(2_000) } else { 0 };
            }
            87..98 => self.time += self.rng.below(40),
            _ => self.time += 200 + self.rng.below(900),
        }
    }

    /// A server settles what it was given, whatever it said.
    fn settle(&mut self) {
        let time = self.time;
        let can = |of: &Authorization| of.sent && of.settled.is_none() && time < of.valid_before;
        let held: Vec<usize> = (0..self.all.len()).filter(|at| can(&self.all[*at])).collect();
        let Some(at) = self.rng.place(&held).map(|place| held[place]) else { return };
        self.clock();
        self.all[at].settled = Some(self.latest);
        self.tally.settled += 1;
        self.tally.late += u64::from(self.all[at].told != Some(true));
        self.note(|| format!("#{at} settles"));
    }

    /// Somebody asks the chain about what is open; its last final block is a little old.
    fn ask_chain(&mut self) {
        let Some(place) = self.rng.place(&self.book.open) else { return };
        let id = self.book.open[place].id.clone();
        let block = UnixSeconds(self.time - self.rng.below(30));
        let used = self.all.iter().any(|of| of.id == id && of.settled.is_some());
        let before = self.book.open.len();
        self.turn(&Event::Proved { id, used, block });
        self.tally.proved += u64::from(!used && self.book.open.len() < before);
    }

    /// I9: what has moved and what could still move is within every budget, in every window; a request has one payment.
    fn hold(&mut self) -> Checked {
        self.clock();
        let (time, latest) = (self.time, self.latest);
        let lives = |of: &Authorization| of.sent && of.settled.is_none() && time < of.valid_before;
        for budget in &self.policy.budgets {
            let within = |of: &Authorization| match (of.settled, budget.per) {
                (None, _) => lives(of),
                (Some(at), Period::Seconds(seconds)) => at + seconds > latest,
                (Some(_), _) => true,
            };
            for task in ["a", "b"] {
                let counts = |of: &&Authorization| within(of) && budget.counts(&of.kind, Some(task));
                let sum: u64 = self.all.iter().filter(counts).map(|of| of.amount).sum();
                if Amount::from(sum) > budget.max {
                    return violated(format!("I9: {sum} is above {}", budget.words()));
                }
            }
        }
        for (place, of) in self.all.iter().enumerate() {
            let Some((identity, lasting)) = of.identity else { continue };
            let open = |of: &Authorization| lives(of) && (lasting || of.told != Some(true));
            let twin = |other: &&Authorization| other.identity == Some((identity, lasting)) && open(other);
            if open(of) && self.all.iter().take(place).any(|other| twin(&other)) {
                return violated(format!("I9: the request {identity} has two payments"));
            }
        }
        Ok(())
    }

    /// Long after the last call everything has ended: nothing is open, and windows are empty again.
    fn end(&mut self) -> Checked {
        self.callers.clear();
        self.back = 0;
        self.time += 10_000_000;
        self.turn(&Event::Tick);
        let now = self.clock();
        if !self.book.open.is_empty() {
            return violated("something stays open for ever");
        }
        for budget in &self.policy.budgets {
            let spent = self.book.spent(budget, Some("a"), now, "");
            if matches!(budget.per, Period::Seconds(_)) && !spent.is_zero() {
                return violated("a window never empties");
            }
        }
        Ok(())
    }
}

pub(super) fn kind(rng: &mut Rng) -> Kind {
    let of = |rng: &mut Rng, names: [&str; 2]| String::from(if rng.percent(60) { names[0] } else { names[1] });
    Kind {
        origin: of(rng, ["x", "y"]),
        network: "n".into(),
        asset: "t".into(),
        // A server may name a new one each time.
        pay_to: if rng.percent(20) { rng.below(1_000).to_string() } else { of(rng, ["p", "q"]) },
        task: Some(of(rng, ["a", "b"])),
        dollar: true,
    }
}

fn budget(rng: &mut Rng) -> Budget {
    let per = match rng.below(5) {
        0 => Period::Task,
        1 => Period::Ever,
        2 => Period::Seconds(60),
        3 => Period::Seconds(500),
        _ => Period::Seconds(2_000),
    };
    let named = |rng: &mut Rng, name: &str| rng.percent(25).then(|| String::from(name));
    Budget {
        max: (4 + rng.below(20)).into(),
        per,
        origin: named(rng, "x"),
        network: None,
        asset: None,
        pay_to: named(rng, "p"),
    }
}
