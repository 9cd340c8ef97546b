//! What an EIP-1193 wallet is asked, and what its answers mean.

use alloc::format;
use alloc::string::String;

use crate::client::intent::Intent;
use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::types::json;

/// EIP-1193: the user said no.
const USER_REJECTED: &str = "4001";
/// EIP-3326: the wallet does not know the chain.
const UNKNOWN_CHAIN: &str = "4902";

/// The account that a wallet named first; wallets write addresses in any case of letters.
///
/// # Errors
/// `payer_wallet_failed`.
pub fn account(text: &str) -> Result<Address> {
    let parsed = Address::parse(&text.to_ascii_lowercase());
    parsed.map_err(|_| Error::new(Code::PayerWalletFailed, "its account is no address"))
}

/// The parameters of `wallet_switchEthereumChain`, unless the wallet is on this chain already.
pub fn switch(chain_id: u64, current: Option<&str>) -> Option<String> {
    let digits = current.and_then(|current| current.strip_prefix("0x")).unwrap_or_default();
    if u64::from_str_radix(digits, 16) == Ok(chain_id) {
        return None;
    }
    Some(format!("[{{\"chainId\":\"0x{chain_id:x}\"}}]"))
}

/// The parameters of `eth_signTypedData_v4`: the account, and the document as text.
pub fn sign_request(intent: &Intent) -> String {
    json::write(&[&intent.payer().to_checksum(), &json::write(&intent.typed_data)])
}

/// Why a wallet did not do what it was asked, by the number of its error.
pub fn refusal(number: Option<&str>) -> Error {
    match number {
        Some(USER_REJECTED) => Code::PayerWalletRejected.into(),
        Some(UNKNOWN_CHAIN) => Error::new(Code::PayerWalletFailed, "it does not know the chain that is paid on"),
        _ => Code::PayerWalletFailed.into(),
    }
}
