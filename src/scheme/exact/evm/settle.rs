//! The facilitator's second part: the call that moves the money, and the proof that it did.

use alloc::vec::Vec;

use crate::error::{Code, Result};
use crate::evm::keccak::keccak256;
use crate::evm::reads::{Log, Receipt};
use crate::scheme::exact::evm::Checked;

/// Gas that a transfer may use. FiatToken's needs about 85 000; proxies and contract wallets need more.
pub const GAS_LIMIT: u64 = 300_000;

impl Checked {
    /// Calldata of the transfer, for [`Terms::asset`](crate::scheme::exact::evm::Terms::asset).
    pub fn transfer(&self) -> Vec<u8> {
        match &self.signature {
            Some(signature) => self.payload.authorization.transfer_by_key(signature),
            None => self.payload.authorization.transfer_by_contract(&self.payload.signature),
        }
    }
}

/// The events that prove the payment: the asset emits both the signed transfer and the use of its nonce. A successful
/// status alone proves nothing, since some tokens do not revert.
pub fn events(checked: &Checked) -> Vec<Log> {
    let of = &checked.payload.authorization;
    let address = checked.terms.asset;
    let transfer = [keccak256(b"Transfer(address,address,uint256)"), of.from.to_word(), of.to.to_word()];
    let used = [keccak256(b"AuthorizationUsed(address,bytes32)"), of.from.to_word(), of.nonce];
    Vec::from([
        Log { address, topics: transfer.into(), data: of.value.to_be_bytes().into() },
        Log { address, topics: used.into(), data: Vec::new() },
    ])
}

/// Whether a receipt proves the payment.
///
/// # Errors
/// `invalid_exact_evm_transaction_failed` when the transaction reverted, `invalid_exact_evm_transfer_event_mismatch`
/// when one of the [`events`] is missing.
pub fn settled(checked: &Checked, receipt: &Receipt) -> Result<()> {
    if !receipt.success {
        return Err(Code::ExactEvmTransactionFailed.into());
    }
    let emitted = |event: &Log| receipt.logs.contains(event);
    if events(checked).iter().all(emitted) { Ok(()) } else { Err(Code::ExactEvmTransferEventMismatch.into()) }
}
