//! Prices as people write them, and the amounts they mean.

use alloc::string::String;

use serde::Deserialize;

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::types::amount::Amount;
use crate::types::asset::{self, Asset, TransferMethod};
use crate::types::network::Network;

/// A price in a configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Price {
    /// `"$0.01"`, `"0.01"` or `"1 USDC"`: whole tokens of a known asset.
    Money(String),
    /// Atomic units, of the network's default asset or of one named here.
    Atomic(AtomicPrice),
}

/// A price in atomic units.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtomicPrice {
    /// How many.
    pub amount: Amount,
    /// The token contract; the network's default asset when absent.
    #[serde(default)]
    pub asset: Option<Address>,
    /// The token's EIP-712 name, for a token the table does not know.
    #[serde(default)]
    pub name: Option<String>,
    /// The token's EIP-712 version, for a token the table does not know.
    #[serde(default)]
    pub version: Option<String>,
}

/// A price on one network: how much of which token, and the token's EIP-712 domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetAmount {
    /// The token contract, with its checksum.
    pub asset: String,
    /// Atomic units, more than zero.
    pub amount: Amount,
    /// The token's EIP-712 name.
    pub name: String,
    /// The token's EIP-712 version.
    pub version: String,
}

impl Price {
    /// What the price means on a network.
    ///
    /// # Errors
    /// `invalid_price`, `price_rounds_to_zero`, `unknown_asset`.
    pub fn on(&self, network: &Network) -> Result<AssetAmount> {
        let found = match self {
            Self::Money(text) => money(text, network)?,
            Self::Atomic(price) => price.on(network)?,
        };
        if found.amount.is_zero() { Err(Code::PriceRoundsToZero.into()) } else { Ok(found) }
    }
}

impl AtomicPrice {
    fn on(&self, network: &Network) -> Result<AssetAmount> {
        let known = match &self.asset {
            Some(address) => asset::by_address(network, &address.to_checksum()),
            None => Some(default(network)?),
        };
        let name = self.name.as_deref().or(known.map(|asset| asset.name));
        let version = self.version.as_deref().or(known.map(|asset| asset.version));
        let address = self.asset.map(Address::to_checksum).or_else(|| known.map(|asset| asset.address.into()));
        match (address, name, version) {
            (Some(address), Some(name), Some(version)) => {
                Ok(AssetAmount { asset: address, amount: self.amount, name: name.into(), version: version.into() })
            }
            _ => Err(Error::new(Code::UnknownAsset, "give the token's EIP-712 name and version beside its address")),
        }
    }
}

/// Reads `[$]digits[.digits][ SYMBOL]`.
fn money(text: &str, network: &Network) -> Result<AssetAmount> {
    let trimmed = text.trim();
    let unsigned = trimmed.strip_prefix('$').map_or(trimmed, str::trim_start);
    let (number, symbol) = match unsigned.split_once(char::is_whitespace) {
        Some((number, symbol)) => (number, Some(symbol.trim_start())),
        None => (unsigned, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !digits(whole) || !digits(fraction) {
        return Err(Error::new(Code::InvalidPrice, "expected digits, such as $0.01"));
    }
    let asset = match symbol {
        Some(symbol) if !symbol.eq_ignore_ascii_case("USD") => {
            asset::by_symbol(network, symbol).ok_or_else(|| Error::new(Code::UnknownAsset, String::from(symbol)))?
        }
        _ => default(network)?,
    };
    if asset.method != TransferMethod::Eip3009 {
        return Err(Error::new(Code::UnsupportedScheme, "this network's asset does not move by EIP-3009"));
    }
    // Below the smallest unit the price would be free, between two units it would be another price.
    if fraction.trim_end_matches('0').len() > usize::from(asset.decimals) {
        return Err(Error::new(Code::PriceRoundsToZero, "more decimals than the asset has"));
    }
    let amount = Amount::parse_tokens(number, asset.decimals).map_err(|_| Error::from(Code::InvalidPrice))?;
    Ok(AssetAmount { asset: asset.address.into(), amount, name: asset.name.into(), version: asset.version.into() })
}

fn default(network: &Network) -> Result<&'static Asset> {
    asset::default_asset(network).ok_or_else(|| {
        Error::new(
            Code::UnknownAsset,
            "this network has no default asset; give a price as amount, asset, name and version",
        )
    })
}
