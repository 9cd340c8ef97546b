//! What a transaction offers for its gas (EIP-1559), and what its replacement must offer.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Result};
use crate::evm::reads::Block;

/// Wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fees {
    /// For the block's proposer.
    #[serde(with = "digits")]
    pub tip: u128,
    /// At most, base fee included.
    #[serde(with = "digits")]
    pub most: u128,
}

impl Fees {
    /// The fees to offer now.
    ///
    /// A block's base fee is at most an eighth above the one before. Twice the base fee is good for the next six blocks,
    /// however full they are; where the cap does not allow that, it must at least be good for the next one.
    ///
    /// # Errors
    /// `facilitator_fee_cap` when the next block may cost more than the cap.
    pub fn estimate(block: &Block, tip: u128, cap: u128) -> Result<Self> {
        let least = more(block.base_fee).and_then(|base| base.checked_add(tip));
        let good = block.base_fee.checked_mul(2).and_then(|base| base.checked_add(tip));
        match (least, good) {
            (Some(least), Some(good)) if least <= cap => Ok(Self { tip, most: good.min(cap) }),
            _ => Err(Code::FacilitatorFeeCap.into()),
        }
    }

    /// The fees of a replacement: an eighth more of both, since nodes take no less than a tenth, and no less than is
    /// offered now; none above the cap.
    pub fn raised(self, block: &Block, tip: u128, cap: u128) -> Option<Self> {
        let tip = more(self.tip)?.max(tip);
        let most = more(self.most)?;
        let good = block.base_fee.checked_mul(2)?.checked_add(tip)?.min(cap);
        let raised = Self { tip, most: most.max(good) };
        (raised.most <= cap && raised.tip <= raised.most).then_some(raised)
    }
}

/// An eighth more, rounded up, and at least one more.
fn more(fee: u128) -> Option<u128> {
    fee.checked_add(fee.div_ceil(8).max(1))
}

/// Large integers as decimal digits in what is kept.
mod digits {
    use alloc::string::{String, ToString};

    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::error::Code;

    pub(super) fn serialize<S: Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&number.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom(Code::InvalidAmount))
    }
}
