//! The payer's log: what was decided, sent and heard, in entries of which each holds the hash of the one before. It is
//! only ever added to, in the same atomic update as the book's change; no signature and no payment is in it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::client::book::{sealed, unsealed};
use crate::client::trace::Rule;
use crate::error::{Code, Error, Result};
use crate::evm::hex;
use crate::evm::keccak::Bytes32;
use crate::types::amount::decimal;
use crate::types::json::{Fields, object, quoted};
use crate::types::time::UnixSeconds;

const CODE: Code = Code::PayerStoreBroken;

/// On whose behalf the payer pays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// Who is accountable, in the caller's words.
    pub owner: Option<String>,
    /// What it is for.
    pub task: Option<String>,
    /// The networks whose chain can be asked what became of a payment.
    pub proves: Vec<String>,
}

/// What is known of an event: names and JSON, in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    members: Vec<(&'static str, String)>,
    rules: Vec<Rule>,
}

impl Who {
    /// Reads `owner`, `task` and `proves`, each optional.
    ///
    /// # Errors
    /// `payer_invalid_options`.
    pub fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, Code::PayerConfig)?;
        let proves = fields.optional_texts("proves", |text| Ok(text.into()))?.unwrap_or_default();
        let task = fields.optional_text("task")?.filter(|task| !task.is_empty());
        Ok(Self { owner: fields.optional_text("owner")?, task, proves })
    }
}

impl Facts {
    /// Adds a text; an empty one is none.
    #[must_use]
    pub fn text(mut self, name: &'static str, text: &str) -> Self {
        if !text.is_empty() {
            self.members.push((name, quoted(text)));
        }
        self
    }

    /// Adds what is JSON already.
    #[must_use]
    pub fn json(mut self, name: &'static str, json: impl Into<String>) -> Self {
        self.members.push((name, json.into()));
        self
    }

    /// Adds the rules that were asked.
    #[must_use]
    pub fn rules(mut self, rules: &[Rule]) -> Self {
        self.rules.extend_from_slice(rules);
        self
    }
}

/// The end of a log that is being added to.
#[derive(Clone, Debug)]
pub struct Log<'a> {
    /// The number of the last entry.
    pub count: u64,
    /// Its hash.
    pub head: Bytes32,
    /// Who pays.
    pub who: &'a Who,
    /// Now.
    pub at: UnixSeconds,
    /// What was added.
    pub entries: Vec<String>,
}

impl Log<'_> {
    /// Adds an entry.
    pub fn add(&mut self, event: &str, facts: &Facts) {
        self.count = self.count.saturating_add(1);
        let body = object(|to| {
            to.number("seq", self.count).number("at", self.at.0).text("event", event);
            to.optional_text("owner", self.who.owner.as_deref()).optional_text("task", self.who.task.as_deref());
            for (name, json) in &facts.members {
                to.json(name, json);
            }
            if !facts.rules.is_empty() {
                to.list("rules", &facts.rules);
            }
            to.text("previous", &hex::encode(&self.head));
        });
        let (entry, head) = sealed("hash", &body);
        self.head = head;
        self.entries.push(entry);
    }
}

/// The number of an entry, the hash it stands on and its own.
///
/// # Errors
/// `payer_store_broken` when it is not as it was written.
pub fn link(entry: &str) -> Result<(u64, Bytes32, Bytes32)> {
    let (body, hash) = unsealed("hash", entry).ok_or(CODE)?;
    let fields = Fields::read(&body, CODE)?;
    Ok((fields.number("seq")?, fields.text_as("previous", hex::decode_array)?, hash))
}

/// Holds entries against each other, one per line: each as it was written, numbered one after the other from `first` on,
/// standing on the one before. Answers with the last one's number and hash.
///
/// # Errors
/// `payer_log_broken` with the number of the first that is not.
pub fn verify(lines: &str, first: u64) -> Result<Option<(u64, Bytes32)>> {
    let mut before: Option<(u64, Bytes32)> = None;
    for (place, line) in (first..).zip(lines.lines()) {
        let follows = link(line).ok().filter(|(seq, previous, _)| match before {
            Some((last, head)) => Some(*seq) == last.checked_add(1) && *previous == head,
            None => *seq == first && (first > 1 || *previous == Bytes32::default()),
        });
        let Some((seq, _, hash)) = follows else {
            return Err(Error::new(Code::PayerLogBroken, ["entry ", &decimal(place), " of the log"].concat()));
        };
        before = Some((seq, hash));
    }
    Ok(before)
}

/// A URL as it is logged: without its query and fragment, which may hold anything, and without credentials.
pub fn plain(url: &str) -> String {
    let kept = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = kept.split_once("://") else { return kept.into() };
    let (host, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
    [scheme, "://", host.rsplit('@').next().unwrap_or_default(), path].concat()
}
