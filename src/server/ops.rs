//! The gate's own endpoints, under `/.x402/`: health, metrics and payments for its operator, keys for its origin. No path
//! under that prefix is ever forwarded, whatever the rules say.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::hex;
use crate::evm::keccak::Bytes32;
use crate::ledger::record::State;
use crate::server::book::shard;
use crate::server::config::{Secrets, bearer};
use crate::server::gate::{Answer, Facts, Gate, Header, Step, shows};
use crate::types::json::{Fields, array, object, quoted};
use crate::types::network::Network;
use crate::types::time::UnixSeconds;

/// What the gate's own paths begin with.
pub const PREFIX: &str = "/.x402";
/// Payments on a page, unless the query says otherwise, and at most.
const PAGE: u32 = 100;
const PAGE_MOST: u32 = 1000;
/// Later than every time that is kept, and a number that every reader reads.
const NEVER: u64 = 0xffff_ffff;
/// Characters of a value in a query.
const VALUE: usize = 256;

/// Who may look into the gate.
pub struct Admin {
    /// The bearer token they need.
    pub token: String,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admin")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireAdmin {
    token: String,
}

impl WireAdmin {
    /// # Errors
    /// `gate_invalid_config` when the token is in the open, missing or short.
    pub(super) fn check(self, secrets: Secrets<'_>) -> Result<Admin> {
        Ok(Admin { token: bearer(&self.token, "admin.token", secrets)? })
    }
}

/// Something of the gate's own that takes asking others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// The key set of the origin contract.
    Keys,
    /// The metrics.
    Metrics,
    /// Payments.
    Payments(Box<Query>),
    /// Passes are revoked: a payer's, all or those of one payment.
    Revoke(Revocation),
}

/// Whose passes are revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Who paid.
    pub payer: Address,
    /// What the ledger keeps the payment under; all payments of the payer if none is named.
    pub payment: Option<String>,
}

impl Revocation {
    /// Reads a query: `payer=0x…`, or `payment=…` as `/.x402/payments` lists it.
    fn read(query: Option<&str>) -> Result<Self> {
        let fault = || Error::new(Code::GateInvalidQuery, "expected payer=0x… or payment=…");
        let (name, value) = query.and_then(|query| query.split_once('=')).ok_or_else(fault)?;
        match name {
            "payer" => Ok(Self { payer: Address::parse(value).map_err(|_| fault())?, payment: None }),
            "payment" => {
                let (payer, payment) = payment_key(value).ok_or_else(fault)?;
                Ok(Self { payer, payment: Some(payment) })
            }
            _ => Err(fault()),
        }
    }

    /// What is revoked: a payment, or a payer.
    pub fn subject(&self) -> String {
        self.payment.clone().unwrap_or_else(|| self.payer.to_checksum())
    }
}

/// A payment's key as the ledger writes it, and its payer: network, asset, payer and nonce, in any case of letters.
fn payment_key(text: &str) -> Option<(Address, String)> {
    let [namespace, reference, asset, payer, nonce] = text.split(':').collect::<Vec<_>>().try_into().ok()?;
    let address = |text: &str| Address::parse(&text.to_ascii_lowercase()).ok();
    let (asset, payer) = (address(asset)?, address(payer)?);
    let network = Network::parse(&[namespace, ":", reference].concat()).ok()?;
    let nonce: Bytes32 = hex::decode_array(&nonce.to_ascii_lowercase()).ok()?;
    let parts = [network.as_str(), &asset.to_checksum(), &payer.to_checksum(), &hex::encode(&nonce)];
    Some((payer, parts.join(":")))
}

/// How payments are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON document.
    Json,
    /// A JSON document per line.
    Ndjson,
    /// Comma-separated values (RFC 4180).
    Csv,
}

/// Which payments are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// In these states; in any if there are none.
    pub states: Vec<State>,
    /// Of this payer.
    pub payer: Option<Address>,
    /// On this network.
    pub network: Option<Network>,
    /// First presented then or later.
    pub since: Option<UnixSeconds>,
    /// First presented before.
    pub until: Option<UnixSeconds>,
    /// Only this one.
    pub id: Option<String>,
    /// How many at most.
    pub limit: u32,
    /// Where the last page ended: the book, and the last key seen in it.
    pub cursor: Option<(u32, String)>,
    /// How they are written.
    pub format: Format,
    /// The query without its cursor, for the link to the next page.
    rest: String,
}

/// What a book is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The words of [`State::as_str`]; any if there are none.
    pub states: Vec<String>,
    /// What the account ends with; empty for any.
    pub payer: String,
    /// What the account begins with; empty for any.
    pub network: String,
    /// First presented then or later.
    pub since: u64,
    /// First presented before.
    pub until: u64,
    /// Only this key; empty for any.
    pub key: String,
    /// Behind this key.
    pub after: String,
    /// How many at most.
    pub limit: u32,
}

/// The part of a path behind [`PREFIX`], if it is one of the gate's own.
pub(super) fn own_path(path: &str) -> Option<&str> {
    path.strip_prefix(PREFIX).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Gate {
    /// Decides about a request for something of the gate's own.
    pub(super) fn own_step(&self, path: &str, facts: &Facts<'_>) -> Result<Step<'_>> {
        let config = self.config();
        let own = match path {
            "/health" => None,
            "/jwks.json" if config.origin_context.is_some() => Some(Own::Keys),
            "/metrics" | "/payments" | "/passes" => {
                let admin = config.admin.as_ref().ok_or(Code::GateNotFound)?;
                if !shows(facts, &admin.token) {
                    return Err(Code::GateUnauthorized.into());
                }
                Some(match path {
                    "/metrics" => Own::Metrics,
                    "/payments" => Own::Payments(Box::new(Query::read(facts.query)?)),
                    _ if config.paywall.is_none() => return Err(Code::GateNotFound.into()),
                    _ => Own::Revoke(Revocation::read(facts.query)?),
                })
            }
            _ => return Err(Code::GateNotFound.into()),
        };
        let (fits, allow) = match own {
            Some(Own::Revoke(_)) => (facts.method == "DELETE", "DELETE"),
            _ => (facts.reads(), "GET, HEAD"),
        };
        if !fits {
            let mut answer = self.failure(Code::GateMethodNotAllowed, facts.origin);
            answer.headers.push(Header::fixed("allow", allow));
            return Ok(Step::Answer(answer));
        }
        Ok(own.map_or_else(|| Step::Answer(self.healthy()), Step::Own))
    }

    /// The answer to the operator whose revocation is written down.
    pub fn revoked() -> Answer {
        told(
            200,
            "application/json",
            object(|to| {
                to.flag("revoked", true);
            }),
        )
    }

    /// The answer of a gate that works: what it serves, and nothing that a stranger could not learn from its 402s.
    fn healthy(&self) -> Answer {
        let networks = self.config().networks.iter().map(|network| quoted(network.network.as_str()));
        let body = object(|to| {
            to.text("status", "ok").json("networks", &array(networks));
        });
        told(200, "application/json", body)
    }

    /// The answer of a gate that does not work to a request for its health; none for any other request.
    pub fn unhealthy(path: &str) -> Option<Answer> {
        let asked = path.strip_prefix(PREFIX) == Some("/health");
        let body = object(|to| {
            to.text("status", Code::GateConfig.as_str());
        });
        let mut answer = told(503, "application/json", body);
        answer.code = Some(Code::GateConfig);
        asked.then_some(answer)
    }
}

/// An answer for the operator.
pub(super) fn told(status: u16, media_type: &'static str, body: String) -> Answer {
    let headers = [Header::fixed("cache-control", "no-store"), Header::fixed("content-type", media_type)];
    Answer { status, headers: headers.into(), body, code: None, prepared: None }
}

impl Query {
    /// Reads a query. What is not understood is refused: a filter that is not read would show what was not asked for.
    ///
    /// # Errors
    /// `gate_invalid_query`.
    pub fn read(query: Option<&str>) -> Result<Self> {
        let mut read = Self {
            states: Vec::new(),
            payer: None,
            network: None,
            since: None,
            until: None,
            id: None,
            limit: PAGE,
            cursor: None,
            format: Format::Json,
            rest: String::new(),
        };
        let mut seen: Vec<&str> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(Code::GateInvalidQuery)?;
            if seen.contains(&name) {
                return Err(wrong(name));
            }
            seen.push(name);
            read.take(name, &plain(value).ok_or_else(|| wrong(name))?)?;
            if name != "cursor" {
                read.rest.extend([pair, "&"]);
            }
        }
        Ok(read)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<()> {
        let seconds = |text: &str| text.parse().map(UnixSeconds).map_err(|_| wrong(name));
        match name {
            "state" => {
                let states = value.split(',').map(|word| State::parse(word).ok_or_else(|| wrong(name)));
                self.states = states.collect::<Result<_>>()?;
            }
            "payer" => self.payer = Some(Address::parse(value).map_err(|_| wrong(name))?),
            "network" => self.network = Some(Network::parse(value).map_err(|_| wrong(name))?),
            "since" => self.since = Some(seconds(value)?),
            "until" => self.until = Some(seconds(value)?),
            "id" if value.split(':').count() == 5 => self.id = Some(value.into()),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=PAGE_MOST).contains(limit));
                self.limit = limit.ok_or_else(|| wrong(name))?;
            }
            "cursor" => {
                let (book, key) = value.split_once('.').ok_or_else(|| wrong(name))?;
                self.cursor = Some((book.parse().map_err(|_| wrong(name))?, key.into()));
            }
            "format" => {
                self.format = match value {
                    "json" => Format::Json,
                    "ndjson" => Format::Ndjson,
                    "csv" => Format::Csv,
                    _ => return Err(wrong(name)),
                };
            }
            _ => return Err(wrong(name)),
        }
        Ok(())
    }

    /// Where the next page begins, as a target.
    pub(super) fn next(&self, cursor: &str) -> String {
        [PREFIX, "/payments?", &self.rest, "cursor=", cursor].concat()
    }

    /// The only book that is asked, if it is known.
    pub(super) fn only_book(&self, books: u32) -> Option<u32> {
        if let Some(payer) = self.payer {
            return Some(shard(&payer.to_string(), books));
        }
        let (account, _) = self.id.as_deref()?.rsplit_once(':')?;
        Some(shard(account.rsplit(':').next()?, books))
    }

    /// What is asked of a book behind a key.
    pub(super) fn ask(&self, after: &str, limit: u32) -> Ask {
        let network = self.network.as_ref().map(|network| [network.as_str(), ":"].concat());
        Ask {
            states: self.states.iter().map(|state| state.as_str().into()).collect(),
            payer: self.payer.map(|payer| [":", &payer.to_string()].concat()).unwrap_or_default(),
            network: network.unwrap_or_default(),
            since: self.since.map_or(0, |at| at.0),
            until: self.until.map_or(NEVER, |at| at.0),
            key: self.id.clone().unwrap_or_default(),
            after: after.into(),
            limit,
        }
    }
}

impl Ask {
    /// Reads what a book is asked for.
    ///
    /// # Errors
    /// `gate_internal` for text that this version did not write.
    pub fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, Code::GateInternal)?;
        let states = fields.optional_texts("states", |word| Ok(word.into()))?;
        Ok(Self {
            states: states.unwrap_or_default(),
            payer: fields.text("payer")?,
            network: fields.text("network")?,
            since: fields.number("since")?,
            until: fields.number("until")?,
            key: fields.text("key")?,
            after: fields.text("after")?,
            limit: u32::try_from(fields.number("limit")?).map_err(|_| Code::GateInternal)?,
        })
    }

    /// Writes it.
    pub fn write(&self) -> String {
        object(|to| {
            to.json("states", &array(self.states.iter().map(|state| quoted(state))));
            to.text("payer", &self.payer).text("network", &self.network);
            to.number("since", self.since).number("until", self.until);
            to.text("key", &self.key).text("after", &self.after).number("limit", self.limit.into());
        })
    }
}

fn wrong(name: &str) -> Error {
    Error::new(Code::GateInvalidQuery, name)
}

/// A value of a query without its escapes; none for a broken or long one.
fn plain(value: &str) -> Option<String> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok().filter(|text| text.len() <= VALUE)
}
