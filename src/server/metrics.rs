//! Metrics in the OpenMetrics text format, from what the books and the relayers count.
//!
//! A record is kept for a day after its authorization ends, so what is counted by state is a gauge. What settled is a counter:
//! a book goes on counting what it forgets.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Code, Result};
use crate::ledger::record::State;
use crate::server::gate::{Answer, Gate};
use crate::server::ops::told;
use crate::types::amount::{Amount, decimal};
use crate::types::json::{Fields, Message, Object};
use crate::types::time::UnixSeconds;

/// The media type of the format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Payments of one state, token and amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The word of a [`State`].
    pub state: String,
    /// The network and the asset: an account without its payer.
    pub token: String,
    /// Atomic units, in decimal digits.
    pub amount: String,
    /// How many.
    pub count: u64,
    /// Whether they are still on record.
    pub kept: bool,
    /// When the first of them came to its state.
    pub oldest: u64,
}

/// What a book counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Its payments.
    pub groups: Vec<Group>,
    /// How many answers it keeps.
    pub answers: u64,
}

impl Message for Group {
    fn members(&self, to: &mut Object) {
        to.text("state", &self.state).text("token", &self.token).text("amount", &self.amount);
        to.number("count", self.count).flag("kept", self.kept).number("oldest", self.oldest);
    }
}

impl Message for Summary {
    fn members(&self, to: &mut Object) {
        to.list("groups", &self.groups).number("answers", self.answers);
    }
}

impl Summary {
    /// Reads it.
    ///
    /// # Errors
    /// `gate_book_unavailable` for text that this version did not write.
    pub fn read(text: &str) -> Result<Self> {
        const CODE: Code = Code::GateBookUnavailable;
        let fields = Fields::read(text, CODE)?;
        let group = |text: &str| {
            let fields = Fields::read(text, CODE)?;
            Ok(Group {
                state: fields.text("state")?,
                token: fields.text("token")?,
                amount: fields.text("amount")?,
                count: fields.number("count")?,
                kept: fields.flag("kept")?,
                oldest: fields.number("oldest")?,
            })
        };
        let groups = fields.list("groups")?.into_iter().map(group).collect::<Result<_>>()?;
        Ok(Self { groups, answers: fields.number("answers")? })
    }
}

/// A metric of the text: samples by their labels, in order.
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: Vec<(String, String)>,
}

impl Metric {
    const fn new(name: &'static str, kind: &'static str, help: &'static str) -> Self {
        Self { name, kind, help, samples: Vec::new() }
    }

    #[inline(never)]
    fn add(&mut self, labels: &[(&str, &str)], value: &str) {
        let pairs = labels.iter().map(|(name, value)| [name, "=\"", &escaped(value), "\""].concat());
        let labels = pairs.collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { ["{", &labels, "}"].concat() };
        self.samples.push((labels, value.into()));
    }

    /// Nothing is said of a metric that nobody could tell.
    fn write(&self, text: &mut String) {
        let Self { name, kind, help, samples } = self;
        if samples.is_empty() {
            return;
        }
        let suffix = if *kind == "counter" { "_total" } else { "" };
        text.extend(["# TYPE ", name, " ", kind, "\n# HELP ", name, " ", help, "\n"]);
        for (labels, value) in samples {
            text.extend([name, suffix, labels, " ", value, "\n"]);
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A token's network and asset.
fn token(of: &str) -> (&str, &str) {
    of.rsplit_once(':').unwrap_or((of, ""))
}

/// Adds, and stays at the end of numbers: what is shown is never less than what was there.
fn plus(sum: Amount, more: Amount) -> Amount {
    sum.checked_add(more).unwrap_or_else(|| Amount::from_be_bytes(&[u8::MAX; 32]))
}

/// So many times an amount.
fn times(amount: Amount, count: u64) -> Amount {
    let (mut sum, mut doubled, mut left) = (Amount::ZERO, amount, count);
    while left > 0 {
        if left & 1 == 1 {
            sum = plus(sum, doubled);
        }
        doubled = plus(doubled, doubled);
        left >>= 1;
    }
    sum
}

/// Payments of one state and token.
struct Sum<'g> {
    state: &'g str,
    token: &'g str,
    count: u64,
    units: Amount,
}

/// Adds a group to the sum of its state and token.
fn add<'g>(sums: &mut Vec<Sum<'g>>, state: &'g str, group: &'g Group) {
    let worth = times(Amount::parse(&group.amount).unwrap_or(Amount::ZERO), group.count);
    match sums.iter_mut().find(|sum| sum.state == state && sum.token == group.token) {
        Some(sum) => {
            sum.count = sum.count.saturating_add(group.count);
            sum.units = plus(sum.units, worth);
        }
        None => sums.push(Sum { state, token: &group.token, count: group.count, units: worth }),
    }
}

impl Gate {
    /// The metrics, from what each book said in the order of their numbers, and what each relayer said on its network. None
    /// is one that could not be asked.
    pub fn metrics(&self, books: &[Option<String>], relayers: &[(String, Option<String>)], now: UnixSeconds) -> Answer {
        let read = |text: &Option<String>| Summary::read(text.as_deref()?).ok();
        let books: Vec<Option<Summary>> = books.iter().map(read).collect();
        let mut text = String::new();
        for metric in of_books(&books, now).iter().chain(&of_relayers(relayers)) {
            metric.write(&mut text);
        }
        text.push_str("# EOF\n");
        told(200, OPEN_METRICS, text)
    }
}

fn of_books(books: &[Option<Summary>], now: UnixSeconds) -> [Metric; 9] {
    let mut silent = Metric::new("x402_books_unreachable", "gauge", "Books that did not answer this time");
    let mut count = Metric::new("x402_book_payments", "gauge", "Payments on record, by book");
    let mut answers = Metric::new("x402_book_answers", "gauge", "Paid answers that are kept, by book");
    let mut payments = Metric::new("x402_payments", "gauge", "Payments on record, by state");
    let mut units = Metric::new("x402_payments_units", "gauge", "Atomic units of the payments on record, by state");
    let mut unknown = Metric::new("x402_unknown", "gauge", "Payments of which nobody knows whether they settled");
    let mut age = Metric::new("x402_unknown_oldest_seconds", "gauge", "How long ago the oldest of them became unknown");
    let mut settled = Metric::new("x402_settled", "counter", "Payments that settled");
    let mut settled_units = Metric::new("x402_settled_units", "counter", "Atomic units that settled");

    let mut states: Vec<Sum<'_>> = Vec::new();
    let mut totals: Vec<Sum<'_>> = Vec::new();
    let (mut unknowns, mut oldest) = (0_u64, None::<u64>);
    for (number, book) in books.iter().enumerate() {
        let Some(book) = book else { continue };
        let number = u64::try_from(number).map(decimal).unwrap_or_default();
        let kept = book.groups.iter().filter(|group| group.kept);
        let kept = kept.fold(0_u64, |sum, group| sum.saturating_add(group.count));
        count.add(&[("book", &number)], &decimal(kept));
        answers.add(&[("book", &number)], &decimal(book.answers));
        for group in &book.groups {
            let state = State::parse(&group.state);
            if matches!(state, Some(State::Settled | State::Owed)) {
                add(&mut totals, "", group);
            }
            if group.kept {
                add(&mut states, &group.state, group);
                if state == Some(State::Unknown) {
                    unknowns = unknowns.saturating_add(group.count);
                    oldest = Some(oldest.map_or(group.oldest, |known| known.min(group.oldest)));
                }
            }
        }
    }
    for Sum { state, token: of, count, units: sum } in &states {
        let (network, asset) = token(of);
        let labels = [("state", *state), ("network", network), ("asset", asset)];
        payments.add(&labels, &decimal(*count));
        units.add(&labels, &sum.text());
    }
    let missing = books.iter().fold(0_u64, |sum, book| sum.saturating_add(book.is_none().into()));
    silent.add(&[], &decimal(missing));
    unknown.add(&[], &decimal(unknowns));
    age.add(&[], &decimal(oldest.map_or(0, |since| now.since(UnixSeconds(since)))));
    // A counter that lacks a book would seem to start anew.
    if missing == 0 {
        for Sum { token: of, count, units: sum, .. } in &totals {
            let (network, asset) = token(of);
            settled.add(&[("network", network), ("asset", asset)], &decimal(*count));
            settled_units.add(&[("network", network), ("asset", asset)], &sum.text());
        }
    }
    [silent, count, answers, payments, units, unknown, age, settled, settled_units]
}

fn of_relayers(relayers: &[(String, Option<String>)]) -> [Metric; 4] {
    let mut up = Metric::new("x402_relayer_up", "gauge", "Whether the relayer of a network said how it is doing");
    let mut balance = Metric::new("x402_relayer_balance_wei", "gauge", "What a relayer holds, when it last knew");
    let mut low = Metric::new("x402_relayer_low", "gauge", "Whether a relayer should be funded");
    let mut pending = Metric::new("x402_relayer_pending", "gauge", "Settlements whose outcome a relayer does not know");
    for (network, said) in relayers {
        let said = said.as_deref().and_then(|text| Fields::read(text, Code::GateInternal).ok());
        let text = |key| said.as_ref().and_then(|said| said.optional_text(key).ok().flatten());
        let address = text("address").unwrap_or_default();
        let labels = [("network", network.as_str()), ("relayer", address.as_str())];
        up.add(&labels, &decimal(said.is_some().into()));
        let Some(said) = &said else { continue };
        if let Some(wei) = text("balance").and_then(|wei| Amount::parse(&wei).ok()) {
            balance.add(&labels, &wei.text());
        }
        if let Ok(Some(is_low)) = said.optional_flag("low") {
            low.add(&labels, &decimal(is_low.into()));
        }
        if let Ok(Some(many)) = said.optional_number("pending") {
            pending.add(&labels, &decimal(many));
        }
    }
    [up, balance, low, pending]
}
