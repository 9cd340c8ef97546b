//! Payments that a request is being served for at this moment: a copy that arrives meanwhile is refused before anything
//! is done for it.
//!
//! This is the near guard, of one isolate. The far one, the relayer's record, holds across all of them.

use alloc::collections::BTreeMap;

use crate::error::{Code, Result};
use crate::facilitator::{Checked, Identity};
use crate::types::network::Network;
use crate::types::time::UnixSeconds;

/// Seconds a claim lasts at most: a request whose client went away may never release it.
const LONGEST: u64 = 60;
/// Claims held at once; beyond it the gate is busy.
const MOST: usize = 10_000;

/// A payment on its network.
pub type Key = (Network, Identity);

/// The payments in flight, and when each was claimed.
#[derive(Debug, Default)]
pub struct InFlight(BTreeMap<Key, UnixSeconds>);

impl InFlight {
    /// Claims a payment for one request.
    ///
    /// # Errors
    /// `duplicate_payment` while another request holds it, `gate_facilitator_unavailable` when too many are in flight.
    pub fn claim(&mut self, network: &Network, checked: &Checked, now: UnixSeconds) -> Result<Key> {
        if self.0.len() >= MOST {
            self.0.retain(|_, since| now.since(*since) < LONGEST);
        }
        let key = (network.clone(), checked.identity());
        match self.0.get(&key) {
            Some(since) if now.since(*since) < LONGEST => Err(Code::DuplicatePayment.into()),
            None if self.0.len() >= MOST => Err(Code::GateFacilitatorUnavailable.into()),
            _ => {
                self.0.insert(key.clone(), now);
                Ok(key)
            }
        }
    }

    /// Ends a claim.
    pub fn release(&mut self, key: &Key) {
        self.0.remove(key);
    }
}
