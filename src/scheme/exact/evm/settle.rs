//! The facilitator's second part: the call that moves the money, and the proof that it did.

use alloc::vec::Vec;

use crate::error::{Code, Result};
use crate::evm::address::Address;
use crate::evm::keccak::{Bytes32, keccak256};
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

/// Whether a receipt proves the payment: the asset emitted both the signed transfer and the use of its nonce. A
/// successful status alone proves nothing, since some tokens do not revert.
///
/// # Errors
/// `invalid_exact_evm_transaction_failed` when the transaction reverted, `invalid_exact_evm_transfer_event_mismatch`
/// when an event is missing.
pub fn settled(checked: &Checked, receipt: &Receipt) -> Result<()> {
    if !receipt.success {
        return Err(Code::ExactEvmTransactionFailed.into());
    }
    let of = &checked.payload.authorization;
    let transfer = Event {
        topics: [keccak256(b"Transfer(address,address,uint256)"), of.from.to_word(), of.to.to_word()].into(),
        data: of.value.to_be_bytes().into(),
    };
    let used = Event {
        topics: [keccak256(b"AuthorizationUsed(address,bytes32)"), of.from.to_word(), of.nonce].into(),
        data: Vec::new(),
    };
    let emitted = |event: &Event| receipt.logs.iter().any(|log| event.is(log, &checked.terms.asset));
    if emitted(&transfer) && emitted(&used) { Ok(()) } else { Err(Code::ExactEvmTransferEventMismatch.into()) }
}

struct Event {
    topics: Vec<Bytes32>,
    data: Vec<u8>,
}

impl Event {
    fn is(&self, log: &Log, asset: &Address) -> bool {
        log.address == *asset && log.topics == self.topics && log.data == self.data
    }
}
