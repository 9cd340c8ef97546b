//! What a payer allows.

mod budget;
mod read;
mod token;

use alloc::string::String;
use alloc::vec::Vec;

pub use budget::{Budget, Period};
pub(crate) use read::optional_money;
pub use token::Token;

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::types::amount::Amount;
use crate::types::network::Network;

/// Decimals in which money and tokens of every kind are held against each other: the most that a token may have.
pub const SCALE: u8 = 18;
/// Whole dollars and cents that one payment may cost when the policy does not say: small enough to lose.
const DEFAULT_CAP: u64 = 100_000_000_000_000_000;
/// Seconds an authorization may be valid for when the policy does not say.
const DEFAULT_VALIDITY: u64 = 600;

/// The payer's limits. What is not allowed here is not signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The cap for one payment in dollars, of [`SCALE`] decimals.
    pub max_per_payment: Amount,
    /// What payments may come to together.
    pub budgets: Vec<Budget>,
    /// The origins; none means any.
    pub origins: Option<Vec<String>>,
    /// The networks; none means any.
    pub networks: Option<Vec<Network>>,
    /// The recipients; none means any.
    pub pay_to: Option<Vec<Address>>,
    /// The schemes; none means any that this payer speaks.
    pub schemes: Option<Vec<String>>,
    /// What is not paid, whatever else allows it.
    pub deny: Deny,
    /// Tokens beyond the known ones.
    pub assets: Vec<Token>,
    /// Which of several allowed offers is taken.
    pub prefer: Prefer,
    /// Seconds an authorization may be valid for.
    pub max_validity_seconds: u64,
    /// Whether payments go over https only, or to this very machine.
    pub https_only: bool,
    /// Whether an origin that was paid before must name a recipient that it named before.
    pub pin_recipients: bool,
    /// Whether terms of version 1 are accepted.
    pub v1: bool,
    /// Whether a deployed contract wallet signs, whose signature only the chain can check.
    pub contract_wallet: bool,
}

/// What is never paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deny {
    /// Origins.
    pub origins: Vec<String>,
    /// Networks.
    pub networks: Vec<Network>,
    /// Recipients.
    pub pay_to: Vec<Address>,
}

/// An order among offers that are all allowed: by network, then by asset, then by price. What is named first comes first,
/// what is not named last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// Networks.
    pub networks: Vec<Network>,
    /// Assets, by contract or symbol.
    pub assets: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_per_payment: DEFAULT_CAP.into(),
            budgets: Vec::new(),
            origins: None,
            networks: None,
            pay_to: None,
            schemes: None,
            deny: Deny::default(),
            assets: Vec::new(),
            prefer: Prefer::default(),
            max_validity_seconds: DEFAULT_VALIDITY,
            https_only: true,
            pin_recipients: false,
            v1: false,
            contract_wallet: false,
        }
    }
}

impl Policy {
    /// The token at this address, if it is a known one or one that the policy names.
    pub fn token(&self, network: &Network, address: &str) -> Option<Token> {
        let named = |token: &&Token| token.network == *network && token.address.eq_ignore_ascii_case(address);
        self.assets.iter().find(named).cloned().or_else(|| Token::known(network, address))
    }

    /// Holds a price, of [`SCALE`] decimals, against the cap for one payment of its token.
    ///
    /// # Errors
    /// `payer_over_cap`.
    pub fn cap(&self, token: &Token, price: Amount) -> Result<String> {
        let (cap, unit) = match token.cap {
            Some(cap) => (cap, [" ", &token.symbol].concat()),
            None => (self.max_per_payment, String::new()),
        };
        let (price_text, cap_text) = (price.to_tokens(SCALE), [&cap.to_tokens(SCALE), unit.as_str()].concat());
        let said = |how: &str| [&price_text, " ", &token.symbol, how, &cap_text].concat();
        if price > cap { Err(Error::new(Code::PayerOverCap, said(" is above "))) } else { Ok(said(" is within ")) }
    }
}

/// Whether a list that allows and a list that denies agree to this.
pub(crate) fn listed<T: PartialEq>(allowed: Option<&Vec<T>>, denied: &[T], of: &T) -> bool {
    allowed.is_none_or(|allowed| allowed.contains(of)) && !denied.contains(of)
}
