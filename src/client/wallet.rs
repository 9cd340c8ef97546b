//! What an EIP-1193 wallet is asked, and what its answers mean.

use alloc::string::String;

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::hex;

/// EIP-1193: the user said no.
const USER_REJECTED: i32 = 4001;
/// EIP-3326: the wallet does not know the chain.
const UNKNOWN_CHAIN: i32 = 4902;

/// The account that a wallet named first; wallets write addresses in any case of letters.
///
/// # Errors
/// `payer_wallet_failed`.
pub fn account(text: &str) -> Result<Address> {
    let parsed = Address::parse(&text.to_ascii_lowercase());
    parsed.map_err(|_| Error::new(Code::PayerWalletFailed, "its account is no address"))
}

/// The parameters of `wallet_switchEthereumChain`, unless the wallet is on this chain already.
pub fn switch(chain_id: u64, current: &str) -> Option<String> {
    if u64::from_str_radix(current.strip_prefix("0x").unwrap_or_default(), 16) == Ok(chain_id) {
        return None;
    }
    let digits = hex::encode(&chain_id.to_be_bytes());
    // Wallets take a quantity: without zeros before it.
    Some(["[{\"chainId\":\"0x", digits.trim_start_matches(['0', 'x']), "\"}]"].concat())
}

/// Why a wallet did not do what it was asked, by the number of its error.
pub fn refusal(number: Option<i32>) -> Error {
    match number {
        Some(USER_REJECTED) => Code::PayerWalletRejected.into(),
        Some(UNKNOWN_CHAIN) => Error::new(Code::PayerWalletFailed, "it does not know the chain that is paid on"),
        _ => Code::PayerWalletFailed.into(),
    }
}
