//! What a payer allows.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::types::amount::Amount;
use crate::types::asset::Asset;
use crate::types::json::Fields;
use crate::types::network::Network;

/// Whole dollars and cents that one payment may cost when the policy does not say: small enough to lose.
const DEFAULT_CAP: &str = "0.10";
/// Seconds an authorization may be valid for when the policy does not say.
const DEFAULT_VALIDITY: u64 = 600;

/// The payer's limits. What is not allowed here is not signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The cap for one payment, in whole tokens: every known asset is a dollar.
    pub max_per_payment: String,
    /// The networks; none means any.
    pub networks: Option<Vec<Network>>,
    /// The recipients; none means any.
    pub pay_to: Option<Vec<Address>>,
    /// Seconds an authorization may be valid for.
    pub max_validity_seconds: u64,
    /// Whether terms of version 1 are accepted.
    pub v1: bool,
    /// Whether a deployed contract wallet signs, whose signature only the chain can check.
    pub contract_wallet: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_per_payment: DEFAULT_CAP.into(),
            networks: None,
            pay_to: None,
            max_validity_seconds: DEFAULT_VALIDITY,
            v1: false,
            contract_wallet: false,
        }
    }
}

impl Policy {
    /// Reads a policy's JSON: `maxPerPayment` (`"$0.10"`), `networks`, `payTo`, `maxValiditySeconds`, `v1`,
    /// `contractWallet`, each optional.
    ///
    /// # Errors
    /// `payer_invalid_options` with the fault; an unknown key is one, since a limit that is not read is no limit.
    pub fn read(text: &str) -> Result<Self> {
        const CODE: Code = Code::PayerConfig;
        let fields = Fields::read(text, CODE)?;
        fields.only(&["maxPerPayment", "networks", "payTo", "maxValiditySeconds", "v1", "contractWallet"])?;
        let default = Self::default();
        let max_per_payment = match fields.optional_text("maxPerPayment")? {
            Some(text) => String::from(text.trim().trim_start_matches('$').trim_start()),
            None => default.max_per_payment,
        };
        // Eighteen decimals are the most any known asset has.
        Amount::parse_tokens(&max_per_payment, 18)
            .map_err(|_| Error::new(CODE, "maxPerPayment looks like \"$0.10\""))?;
        let max_validity_seconds = fields.optional_number("maxValiditySeconds")?;
        if max_validity_seconds == Some(0) {
            return Err(Error::new(CODE, "maxValiditySeconds is at least 1"));
        }
        Ok(Self {
            max_per_payment,
            networks: fields.optional_texts("networks", Network::parse)?,
            pay_to: fields.optional_texts("payTo", Address::parse)?,
            max_validity_seconds: max_validity_seconds.unwrap_or(default.max_validity_seconds),
            v1: fields.optional_flag("v1")?.unwrap_or(false),
            contract_wallet: fields.optional_flag("contractWallet")?.unwrap_or(false),
        })
    }

    /// The cap for one payment in an asset's atomic units; what is finer than a unit is cut off.
    pub fn cap_in(&self, asset: &Asset) -> Amount {
        let (whole, fraction) = self.max_per_payment.split_once('.').unwrap_or((&self.max_per_payment, "0"));
        let fraction: String = fraction.chars().take(usize::from(asset.decimals)).collect();
        let fraction = if fraction.is_empty() { "0" } else { &fraction };
        Amount::parse_tokens(&[whole, ".", fraction].concat(), asset.decimals).unwrap_or(Amount::ZERO)
    }
}
