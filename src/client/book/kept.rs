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
        let open: Result<Vec<Open>> = fields.list("open")?.into_iter().map(Open::read).collect();
        let sums: Result<Vec<Sum>> = fields.list("sums")?.into_iter().map(Sum::read).collect();
        Ok(Self {
            head: fields.text_as("head", hex::decode_array)?,
            count: fields.number("count")?,
            open: open?,
            sums: sums?,
        })
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

    fn read(fields: &Fields<'_>) -> Result<Self> {
        Ok(Self {
            origin: fields.text("origin")?,
            network: fields.text("network")?,
            asset: fields.text("asset")?,
            pay_to: fields.text("payTo")?,
            task: fields.optional_text("task")?,
            dollar: fields.flag("dollar")?,
        })
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
        let state = fields.text("state")?;
        let state = STATES.iter().find(|(name, _)| *name == state).ok_or(CODE)?.1;
        let identity = match fields.optional_flag("lasting")? {
            Some(lasting) => Some(Identity { hash: fields.text_as("identity", hex::decode_array)?, lasting }),
            None => None,
        };
        Ok(Self {
            id: fields.text("id")?,
            state,
            kind: Kind::read(&fields)?,
            amount: fields.text_as("amount", Amount::parse)?,
            units: fields.text("units")?,
            symbol: fields.text("symbol")?,
            payer: fields.text("payer")?,
            valid_before: time(&fields, "validBefore")?,
            until: time(&fields, "until")?,
            provable: fields.flag("provable")?,
            identity,
            payment: fields.optional_text("payment")?,
        })
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
        let runs: Option<Vec<Run>> = fields.text("runs")?.split(',').map(run).collect();
        Ok(Self { kind: Kind::read(&fields)?, runs: runs.ok_or(CODE)? })
    }
}
