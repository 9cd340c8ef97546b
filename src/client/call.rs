//! What one call asks for, beyond what the policy says of every call, and what is known when it is made.

use alloc::string::String;
use alloc::vec::Vec;

use crate::client::policy::{SCALE, Token, optional_money};
use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::keccak::{Bytes32, keccak256, keccak256_all};
use crate::scheme::exact::evm::Terms;
use crate::types::amount::Amount;
use crate::types::json::Fields;
use crate::types::network::Network;

/// The options of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The most that it may cost in dollars, of [`SCALE`] decimals: the price that the caller was told elsewhere.
    pub max_price: Option<Amount>,
    /// The offer that was quoted before, which this must be or be cheaper than.
    pub quote: Option<Quoted>,
    /// Whether identical calls share one payment.
    pub single_flight: bool,
    /// The task it is made for.
    pub task: Option<String>,
    /// What the payer has, as far as nodes were asked.
    pub funds: Vec<Funds>,
}

/// What an account has of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Funds {
    /// The network.
    pub network: Network,
    /// The token contract.
    pub asset: Address,
    /// Atomic units.
    pub amount: Amount,
}

/// An offer that was seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// The network.
    pub network: Network,
    /// The token contract.
    pub asset: Address,
    /// The recipient.
    pub pay_to: Address,
    /// Atomic units.
    pub amount: Amount,
}

impl Call {
    /// Reads a call's options: `maxPrice`, `quote`, `singleFlight`, `task`, each optional.
    ///
    /// # Errors
    /// `payer_invalid_options`; for an unknown key too.
    pub fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, Code::PayerConfig)?;
        fields.only(&["maxPrice", "quote", "singleFlight", "task"])?;
        let quote = match fields.optional_verbatim("quote") {
            Some(quote) => Some(Quoted::read(quote.as_str())?),
            None => None,
        };
        Ok(Self {
            max_price: optional_money(&fields, "maxPrice")?,
            quote,
            single_flight: fields.optional_flag("singleFlight")?.unwrap_or(false),
            task: fields.optional_text("task")?.filter(|task| !task.is_empty()),
            funds: Vec::new(),
        })
    }

    /// Holds a price, of [`SCALE`] decimals, against the most that the call may cost.
    ///
    /// # Errors
    /// `payer_above_max_price`; also for a token without a value in dollars.
    pub fn price(&self, token: &Token, price: Amount) -> Result<String> {
        let Some(most) = self.max_price else { return Ok("the call names no price".into()) };
        let said = |how: &str| [&price.to_tokens(SCALE), " ", &token.symbol, how, &most.to_tokens(SCALE)].concat();
        let within = token.dollar && price <= most;
        if within {
            Ok(said(" is within "))
        } else {
            Err(Error::new(Code::PayerAboveMaxPrice, said(" is not within ")))
        }
    }

    /// Holds an offer's terms against what the payer has; none where no node was asked, since it may be enough. The error is
    /// `payer_insufficient_funds`.
    pub fn covers(&self, token: &Token, terms: &Terms) -> Option<Result<String>> {
        let of = |funds: &&Funds| funds.network == token.network && funds.asset == terms.asset;
        let funds = self.funds.iter().find(of)?;
        let [have, needed] = [funds.amount, terms.amount].map(|amount| amount.to_tokens(token.decimals));
        let said = [&have, " ", &token.symbol, " are there, ", &needed, " are needed"].concat();
        let enough = terms.amount <= funds.amount;
        Some(if enough { Ok(said) } else { Err(Error::new(Code::PayerInsufficientFunds, said)) })
    }

    /// Holds an offer's terms against what was quoted.
    ///
    /// # Errors
    /// `payer_quote_changed`.
    pub fn quoted(&self, network: &Network, terms: &Terms) -> Result<&'static str> {
        let Some(quote) = &self.quote else { return Ok("nothing was quoted before") };
        let change = if *network != quote.network || terms.asset != quote.asset {
            "another asset"
        } else if terms.pay_to != quote.pay_to {
            "another recipient"
        } else if terms.amount > quote.amount {
            "a dearer price"
        } else {
            return Ok("it is what was quoted");
        };
        Err(Error::new(Code::PayerQuoteChanged, change))
    }
}

impl Quoted {
    /// Reads the four fields of a quote, or of an offer of an explanation; the others are for people.
    fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, Code::PayerConfig)?;
        Ok(Self {
            network: fields.text_as("network", Network::parse)?,
            asset: fields.text_as("asset", Address::parse)?,
            pay_to: fields.text_as("payTo", Address::parse)?,
            amount: fields.text_as("amount", Amount::parse)?,
        })
    }
}

/// What makes two calls one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of what they have in common.
    pub hash: Bytes32,
    /// Whether it names one purchase for good, as an `Idempotency-Key` does: then the payment is presented again after
    /// its answer too, and not only until then.
    pub lasting: bool,
}

impl Identity {
    /// The identity of a call: its `Idempotency-Key` at this URL, or else all of it, if identical calls share one payment.
    /// A server may answer by any header, so all of them belong to it; a key is a name by itself, also for a caller whose
    /// token was renewed.
    pub fn of(
        method: &str,
        url: &str,
        key: Option<&str>,
        (headers, body): (&str, &[u8]),
        single_flight: bool,
    ) -> Option<Self> {
        let lasting = key.is_some();
        let (headers, rest) = key.map_or((headers, body), |key| ("", key.as_bytes()));
        let parts = [
            &keccak256(method.as_bytes())[..],
            &keccak256(url.as_bytes()),
            &keccak256(headers.as_bytes()),
            &keccak256(rest),
            &[lasting.into()],
        ];
        (lasting || single_flight).then(|| Self { hash: keccak256_all(&parts), lasting })
    }
}
