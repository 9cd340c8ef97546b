//! The tokens that a payer signs for.

use alloc::string::String;

use crate::types::amount::Amount;
use crate::types::asset::{self, TransferMethod};
use crate::types::network::Network;

/// A token that is paid in: a known one, or one that the policy names. What a server says of it must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The network it lives on.
    pub network: Network,
    /// The token contract.
    pub address: String,
    /// What people call it.
    pub symbol: String,
    /// The EIP-712 domain's `name`.
    pub name: String,
    /// The EIP-712 domain's `version`.
    pub version: String,
    /// Decimals: one token is 10^decimals atomic units.
    pub decimals: u8,
    /// Whether one token is worth one dollar, so that limits in dollars mean it.
    pub dollar: bool,
    /// The cap for one payment in whole tokens, of [`SCALE`](super::SCALE) decimals, where the one in dollars does not
    /// say.
    pub cap: Option<Amount>,
}

impl Token {
    /// The known asset at this address, if it moves by EIP-3009. Each is worth a dollar.
    pub fn known(network: &Network, address: &str) -> Option<Self> {
        let known = asset::by_address(network, address)?;
        (known.method == TransferMethod::Eip3009).then(|| Self {
            network: network.clone(),
            address: known.address.into(),
            symbol: known.symbol.into(),
            name: known.name.into(),
            version: known.version.into(),
            decimals: known.decimals,
            dollar: true,
            cap: None,
        })
    }

    /// Atomic units as whole tokens of [`SCALE`](super::SCALE) decimals; none for more than there can be.
    pub fn scaled(&self, amount: Amount) -> Option<Amount> {
        Amount::parse_tokens(&amount.to_tokens(self.decimals), super::SCALE).ok()
    }
}
