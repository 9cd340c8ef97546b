//! What payments may come to together.

use alloc::string::String;
use alloc::vec::Vec;

use crate::client::book::Kind;
use crate::types::amount::{Amount, decimal};
use crate::types::json::{Message, Object};

/// A limit for the sum of payments: over a time, and of those that agree with everything it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most: dollars, or whole tokens where an asset is named; of [`SCALE`](super::SCALE) decimals.
    pub max: Amount,
    /// The time.
    pub per: Period,
    /// Only payments to this origin.
    pub origin: Option<String>,
    /// Only payments on this network.
    pub network: Option<String>,
    /// Only payments in this token, by its contract.
    pub asset: Option<String>,
    /// Only payments to this recipient.
    pub pay_to: Option<String>,
}

/// The time that a budget is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Any run of so many seconds. Windows roll: there is no midnight at which a budget is full again.
    Seconds(u64),
    /// All payments of one task, whenever they are made.
    Task,
    /// All payments.
    Ever,
}

impl Budget {
    /// Whether a payment of this kind counts here, seen from a call for `task`. What is not kept any more counts as any.
    pub fn counts(&self, of: &Kind, task: Option<&str>) -> bool {
        let same = |wanted: &Option<String>, have: &str| {
            wanted.as_deref().is_none_or(|wanted| have.is_empty() || wanted.eq_ignore_ascii_case(have))
        };
        same(&self.origin, &of.origin)
            && same(&self.network, &of.network)
            && same(&self.asset, &of.asset)
            && same(&self.pay_to, &of.pay_to)
            && (self.asset.is_some() || of.dollar)
            && (self.per != Period::Task || of.task.as_deref() == task)
    }

    /// The budget in words: `2 per day at https://api.example.com`.
    pub fn words(&self) -> String {
        let mut words = Vec::from([self.max.to_tokens(super::SCALE), " per ".into(), self.per.word()]);
        let narrows = [(" at ", &self.origin), (" on ", &self.network), (" in ", &self.asset), (" to ", &self.pay_to)];
        for (joint, what) in narrows {
            words.extend(what.iter().flat_map(|what| [joint.into(), what.clone()]));
        }
        words.concat()
    }
}

/// The periods that have a name.
pub(super) const NAMED: [(&str, Period); 6] = [
    ("hour", Period::Seconds(3600)),
    ("day", Period::Seconds(86_400)),
    ("week", Period::Seconds(604_800)),
    // Thirty days.
    ("month", Period::Seconds(2_592_000)),
    ("task", Period::Task),
    ("ever", Period::Ever),
];

impl Period {
    /// As the policy says it.
    pub fn word(self) -> String {
        match (NAMED.iter().find(|(_, period)| *period == self), self) {
            (Some((name, _)), _) => (*name).into(),
            (None, Self::Seconds(seconds)) => [&decimal(seconds), " s"].concat(),
            (None, _) => String::new(),
        }
    }
}

impl Message for Budget {
    fn members(&self, to: &mut Object) {
        to.text("max", &self.max.to_tokens(super::SCALE));
        match (self.per, self.per.word()) {
            (Period::Seconds(seconds), word) if word.ends_with(" s") => to.number("per", seconds),
            (_, word) => to.text("per", &word),
        };
        to.optional_text("origin", self.origin.as_deref()).optional_text("network", self.network.as_deref());
        to.optional_text("asset", self.asset.as_deref()).optional_text("payTo", self.pay_to.as_deref());
    }
}
