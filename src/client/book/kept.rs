//! A book as it is kept: JSON that ends with its own hash, so that what was not written here is not believed.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Book, Kind, Open, Run, State, Sum};
use crate::client::call::Identity;
use crate::error::{Code, Error, Result};
use crate::evm::hex;
use crate::evm::keccak::keccak256;
use crate::types::amount::{Amount, decimal};
use crate::types::json::{Fields, Message, Object, quoted};
use crate::types::time::UnixSeconds;

const CODE: Code = Code::PayerStoreBroken;
/// The format that is written, and the only one that is read.
const FORMAT: u64 = 1;

/// Ends an object with the hash of what it said, under this key. Answers with the hash too.
pub(crate) fn sealed(key: &str, body: &str) -> (String, [u8; 32]) {
    let hash = keccak256(body.as_bytes());
    let open = body.strip_suffix('}').unwrap_or(body);
    ([open, ",", &quoted(key), ":", &quoted(&hex::encode(&hash)), "}"].concat(), hash)
}

/// What was said before the hash, and the hash; none when it is another's.
pub(crate) fn unsealed(key: &str, text: &str) -> Option<(String, [u8; 32])> {
    let (open, end) = text.rsplit_once(',')?;
    let body = [open, "}"].concat();
    let (again, hash) = sealed(key, &body);
    (again.ends_with(end) && again == text).then_some((body, hash))
}

impl Book {
    /// Writes the book.
    pub fn write(&self) -> String {
        sealed("seal", &Message::write(self)).0
    }

    /// Reads a book.
    ///
    /// # Errors
    /// `payer_store_broken` for anything that was not written by this version, to the letter.
    pub fn read(text: &str) -> Result<Self> {
        let (body, _) = unsealed("seal", text).ok_or(CODE)?;
        let fields = Fields::read(&body, CODE)?;
        if fields.number("format")? != FORMAT {
            return Err(Error::new(CODE, "it was written by another version"));
        }
        let head = fields.text_as("head", hex::decode_array)?;
        let mut book = Self { head, count: fields.number("count")?, ..Self::default() };
        for text in fields.list("open")? {
            book.open.push(Open::read(text)?);
        }
        for text in fields.list("sums")? {
            book.sums.push(Sum::read(text)?);
        }
        Ok(book)
    }
}

impl Message for Book {
    fn members(&self, to: &mut Object) {
        to.number("format", FORMAT).text("head", &hex::encode(&self.head));
        to.number("count", self.count).list("open", &self.open).list("sums", &self.sums);
    }
}

fn time(fields: &Fields<'_>, key: &str) -> Result<UnixSeconds> {
    fields.number(key).map(UnixSeconds)
}

impl Kind {
    fn members(&self, to: &mut Object) {
        to.text("origin", &self.origin).text("network", &self.network).text("asset", &self.asset);
        to.text("payTo", &self.pay_to).optional_text("task", self.task.as_deref()).flag("dollar", self.dollar);
    }

    fn fill(&mut self, fields: &Fields<'_>) -> Result<()> {
        self.origin = fields.text("origin")?;
        self.network = fields.text("network")?;
        self.asset = fields.text("asset")?;
        self.pay_to = fields.text("payTo")?;
        self.task = fields.optional_text("task")?;
        self.dollar = fields.flag("dollar")?;
        Ok(())
    }
}

const STATES: [(&str, State); 3] = [("reserved", State::Reserved), ("sent", State::Sent), ("paid", State::Paid)];

impl Message for Open {
    fn members(&self, to: &mut Object) {
        let state = STATES.iter().find(|(_, state)| *state == self.state).map_or("", |(name, _)| name);
        to.text("id", &self.id).text("state", state);
        self.kind.members(to);
        to.text("amount", &self.amount.text()).text("units", &self.units).text("symbol", &self.symbol);
        to.text("payer", &self.payer).number("validBefore", self.valid_before.0).number("until", self.until.0);
        to.flag("provable", self.provable);
        if let Some(Identity { hash, lasting }) = &self.identity {
            to.text("identity", &hex::encode(hash)).flag("lasting", *lasting);
        }
        to.optional_text("payment", self.payment.as_deref());
    }
}

impl Open {
    fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, CODE)?;
        let mut open = Self::default();
        open.kind.fill(&fields)?;
        let state = fields.text("state")?;
        open.state = STATES.iter().find(|(name, _)| *name == state).ok_or(CODE)?.1;
        if let Some(lasting) = fields.optional_flag("lasting")? {
            open.identity = Some(Identity { hash: fields.text_as("identity", hex::decode_array)?, lasting });
        }
        open.id = fields.text("id")?;
        open.amount = fields.text_as("amount", Amount::parse)?;
        open.units = fields.text("units")?;
        open.symbol = fields.text("symbol")?;
        open.payer = fields.text("payer")?;
        open.valid_before = time(&fields, "validBefore")?;
        open.until = time(&fields, "until")?;
        open.provable = fields.flag("provable")?;
        open.payment = fields.optional_text("payment")?;
        Ok(open)
    }
}

impl Message for Sum {
    fn members(&self, to: &mut Object) {
        self.kind.members(to);
        let run = |of: &Run| [&of.amount.text(), " ", &decimal(of.since.0), " ", &decimal(of.at.0)].concat();
        to.text("runs", &self.runs.iter().map(run).collect::<Vec<_>>().join(","));
    }
}

impl Sum {
    fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, CODE)?;
        let run = |text: &str| {
            let mut numbers = text.split(' ').map(|number| Amount::parse(number).ok());
            let mut next = || numbers.next().flatten();
            let (amount, since, at) = (next()?, next()?.to_u64()?, next()?.to_u64()?);
            Some(Run { amount, since: UnixSeconds(since), at: UnixSeconds(at) })
        };
        let mut sum = Self::default();
        sum.kind.fill(&fields)?;
        for text in fields.text("runs")?.split(',') {
            sum.runs.push(run(text).ok_or(CODE)?);
        }
        Ok(sum)
    }
}
