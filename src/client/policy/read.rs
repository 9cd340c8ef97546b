//! A policy as people write it. A key that is not known is refused: a limit that is not read is no limit.

use alloc::string::String;
use alloc::vec::Vec;

use super::budget::NAMED;
use super::{Budget, Deny, Period, Policy, Prefer, SCALE, Token};
use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::types::amount::{Amount, decimal};
use crate::types::json::Fields;
use crate::types::network::Network;
use crate::types::url;

const CODE: Code = Code::PayerConfig;

impl Policy {
    /// Reads a policy's JSON; every key is optional, and those that are not known are refused.
    ///
    /// # Errors
    /// `payer_invalid_options` with the fault.
    pub fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, CODE)?;
        fields.only(&[
            "maxPerPayment",
            "budgets",
            "origins",
            "networks",
            "payTo",
            "schemes",
            "deny",
            "assets",
            "prefer",
            "maxValiditySeconds",
            "httpsOnly",
            "pinRecipients",
            "v1",
            "contractWallet",
        ])?;
        // Made whole first: what is dropped where reading ends early is one thing then, which is smaller.
        let mut policy = Self::default();
        if let Some(money) = optional_money(&fields, "maxPerPayment")? {
            policy.max_per_payment = money;
        }
        policy.budgets = each(&fields, "budgets", Budget::read)?;
        policy.origins = fields.optional_texts("origins", origin)?;
        policy.networks = fields.optional_texts("networks", Network::parse)?;
        policy.pay_to = fields.optional_texts("payTo", Address::parse)?;
        policy.schemes = fields.optional_texts("schemes", |text| Ok(text.into()))?;
        if let Some(deny) = fields.optional_verbatim("deny") {
            policy.deny.fill(deny.as_str())?;
        }
        policy.assets = each(&fields, "assets", Token::read)?;
        if let Some(prefer) = fields.optional_verbatim("prefer").filter(|text| text.as_str() != "\"cheapest\"") {
            policy.prefer.fill(prefer.as_str())?;
        }
        if let Some(seconds) = fields.optional_number("maxValiditySeconds")? {
            if seconds == 0 {
                return Err(Error::new(CODE, "maxValiditySeconds is at least 1"));
            }
            policy.max_validity_seconds = seconds;
        }
        policy.https_only = fields.optional_flag("httpsOnly")?.unwrap_or(true);
        policy.pin_recipients = fields.optional_flag("pinRecipients")?.unwrap_or(false);
        policy.v1 = fields.optional_flag("v1")?.unwrap_or(false);
        policy.contract_wallet = fields.optional_flag("contractWallet")?.unwrap_or(false);
        // Dollars cannot count what has no value in dollars.
        let uncounted = |token: &&Token| {
            let named = |of: &Budget| {
                let here = of.network.as_ref().is_none_or(|network| network == token.network.as_str());
                let asset = of.asset.as_ref().is_some_and(|asset| asset.eq_ignore_ascii_case(&token.address));
                asset && here && of.origin.is_none() && of.pay_to.is_none()
            };
            !token.dollar && !policy.budgets.is_empty() && !policy.budgets.iter().any(named)
        };
        match policy.assets.iter().find(uncounted) {
            Some(token) => {
                Err(Error::new(CODE, ["no budget counts every payment in the asset ", &token.symbol].concat()))
            }
            None => Ok(policy),
        }
    }
}

impl Budget {
    fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, CODE)?;
        fields.only(&["max", "per", "origin", "network", "asset", "payTo"])?;
        let max = optional_money(&fields, "max")?.ok_or_else(|| Error::new(CODE, "a budget has a max"))?;
        let seconds = fields.optional_number("per").ok().flatten();
        let named = |text: &str| NAMED.iter().find(|(name, _)| *name == text).map(|(_, period)| *period);
        let per = match seconds {
            Some(0) => None,
            Some(seconds) => Some(Period::Seconds(seconds)),
            None => named(&fields.text("per")?),
        };
        let per =
            per.ok_or_else(|| Error::new(CODE, "a budget is per hour, day, week, month, task, ever or seconds"))?;
        Ok(Self {
            max,
            per,
            origin: optional(&fields, "origin", origin)?,
            network: optional(&fields, "network", |text| Network::parse(text).map(|of| of.as_str().into()))?,
            asset: optional(&fields, "asset", address)?,
            pay_to: optional(&fields, "payTo", address)?,
        })
    }
}

impl Token {
    fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, CODE)?;
        fields.only(&["network", "address", "symbol", "name", "version", "decimals", "dollar", "maxPerPayment"])?;
        let decimals = u8::try_from(fields.number("decimals")?).ok().filter(|decimals| *decimals <= SCALE);
        let dollar = fields.optional_flag("dollar")?.unwrap_or(false);
        let cap = optional_money(&fields, "maxPerPayment")?;
        if !dollar && cap.is_none() {
            return Err(Error::new(CODE, "an asset that is no dollar has a maxPerPayment of its own, in tokens"));
        }
        Ok(Self {
            network: fields.text_as("network", Network::parse)?,
            address: fields.text_as("address", address)?,
            symbol: fields.text("symbol")?,
            name: fields.text("name")?,
            version: fields.text("version")?,
            decimals: decimals.ok_or_else(|| Error::new(CODE, "an asset has at most 18 decimals"))?,
            dollar,
            cap,
        })
    }
}

impl Deny {
    fn fill(&mut self, text: &str) -> Result<()> {
        let fields = Fields::read(text, CODE)?;
        fields.only(&["origins", "networks", "payTo"])?;
        self.origins = fields.optional_texts("origins", origin)?.unwrap_or_default();
        self.networks = fields.optional_texts("networks", Network::parse)?.unwrap_or_default();
        self.pay_to = fields.optional_texts("payTo", Address::parse)?.unwrap_or_default();
        Ok(())
    }
}

impl Prefer {
    fn fill(&mut self, text: &str) -> Result<()> {
        let fields = Fields::read(text, CODE)?;
        fields.only(&["networks", "assets"])?;
        self.networks = fields.optional_texts("networks", Network::parse)?.unwrap_or_default();
        self.assets = fields.optional_texts("assets", |text| Ok(text.into()))?.unwrap_or_default();
        Ok(())
    }
}

/// A list of objects; none of them when it is absent.
fn each<T>(fields: &Fields<'_>, key: &str, read: fn(&str) -> Result<T>) -> Result<Vec<T>> {
    fields.optional_list(key)?.unwrap_or_default().into_iter().map(read).collect()
}

fn optional(fields: &Fields<'_>, key: &str, read: fn(&str) -> Result<String>) -> Result<Option<String>> {
    if fields.has(key) { fields.text_as(key, read).map(Some) } else { Ok(None) }
}

/// Dollars such as `"$0.10"`, or whole tokens, of [`SCALE`] decimals.
pub(crate) fn optional_money(fields: &Fields<'_>, key: &str) -> Result<Option<Amount>> {
    let Some(text) = fields.optional_text(key)? else { return Ok(None) };
    let text = text.trim();
    let number = text.strip_prefix('$').unwrap_or(text).trim_start();
    let money = Amount::parse_tokens(number, SCALE);
    money.map(Some).map_err(|_| Error::new(CODE, [key, " looks like \"$0.10\""].concat()))
}

fn address(text: &str) -> Result<String> {
    Address::parse(text).map(Address::to_checksum)
}

/// An origin, in the form that URLs are held against. A path would be lost, so it is refused; and so is what no URL has once
/// it was read: a pattern, escapes, letters beyond ASCII, a port with zeros before it, an address that is no dotted quad.
fn origin(text: &str) -> Result<String> {
    let bare = text.strip_suffix('/').unwrap_or(text);
    let host = url::host(bare)?;
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, port),
        _ => (host, "443"),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    // Of addresses with colons only this machine's: the others have many spellings.
    let written = name == "[::1]" || name.bytes().all(letter);
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let octet = |part: &str| part.parse::<u8>().is_ok_and(|octet| decimal(octet.into()) == part);
    let address = last.starts_with(|first: char| first.is_ascii_digit());
    let quad = name.split('.').count() == 4 && name.split('.').all(octet);
    let port = port.parse::<u16>().is_ok_and(|number| decimal(number.into()) == port);
    let whole = bare.ends_with(host) && written && port && (!address || quad);
    if whole { url::origin(bare) } else { Err(Error::new(Code::InvalidUrl, "write it as a browser shows it")) }
}
