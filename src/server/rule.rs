//! One rule of the configuration: which requests it speaks for, and what it sells.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::evm::address::Address;
use crate::scheme::exact::evm::Terms;
use crate::server::config::{fault, recipient};
use crate::server::offer::{Identifier, Listing, SettlePolicy, exact_offer};
use crate::server::ops::own_path;
use crate::server::price::Price;
use crate::server::routes::Pattern;
use crate::types::network::Network;

/// Seconds from signature to settlement, unless a rule says otherwise.
const DEFAULT_TIMEOUT: u64 = 300;

/// One rule.
#[derive(Clone, Debug)]
pub struct Route {
    /// Which requests it speaks for.
    pub pattern: Pattern,
    /// What it sells; none if it is free.
    pub listing: Option<Listing>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireRoute {
    #[serde(rename = "match")]
    pattern: String,
    #[serde(default)]
    price: Option<Price>,
    #[serde(default)]
    free: bool,
    #[serde(default)]
    description: String,
    #[serde(default)]
    mime_type: String,
    #[serde(default)]
    networks: Option<Vec<Network>>,
    #[serde(default)]
    pay_to: Option<String>,
    #[serde(default)]
    max_timeout_seconds: Option<u64>,
    #[serde(default)]
    settle: Option<WireSettle>,
    #[serde(default)]
    identifier: Identifier,
}

/// `"after"`, `"before"`, or `{ "optimistic": the most that one payer may owe }`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum WireSettle {
    After,
    Before,
    Optimistic(Price),
}

impl WireRoute {
    /// Checks a rule; `payees` are the networks and who is paid there.
    ///
    /// # Errors
    /// `gate_invalid_config` with the place and the fault.
    pub(super) fn check(self, index: usize, payees: &[(Network, Address)], v1: bool) -> Result<Route> {
        let place = format!("routes[{index}] ({})", self.pattern);
        let within = |error: Error| fault(&place, &error.to_string());
        let pattern = Pattern::parse(&self.pattern).map_err(within)?;
        if self.pattern.split_whitespace().last().is_some_and(|path| own_path(path).is_some()) {
            return Err(fault(&place, "is under /.x402, which is the gate's own"));
        }
        let price = match (&self.price, self.free) {
            (Some(price), false) => price,
            (None, true) => {
                return Ok(Route { pattern, listing: None });
            }
            _ => return Err(fault(&place, "say either a price or \"free\": true")),
        };
        let own = self.pay_to.as_deref().map(|text| recipient(text, &place)).transpose()?;
        let timeout = self.max_timeout_seconds.unwrap_or(DEFAULT_TIMEOUT);
        if !(10..=3600).contains(&timeout) {
            return Err(fault(&place, "maxTimeoutSeconds is between 10 and 3600"));
        }
        let wanted = self.networks.as_deref();
        if let Some(unknown) = wanted.and_then(|list| list.iter().find(|n| payees.iter().all(|(known, _)| known != *n)))
        {
            return Err(fault(&place, &format!("{unknown} is not among the networks")));
        }
        let mut listing = Listing {
            rule: self.pattern,
            description: self.description,
            mime_type: self.mime_type,
            offers: Vec::new(),
            offers_v1: Vec::new(),
            settle: match &self.settle {
                None | Some(WireSettle::After) => SettlePolicy::After,
                Some(WireSettle::Before) => SettlePolicy::Before,
                Some(WireSettle::Optimistic(_)) => SettlePolicy::Optimistic(Vec::new()),
            },
            identifier: self.identifier,
        };
        for (network, pay_to) in payees {
            if wanted.is_some_and(|list| !list.contains(network)) {
                continue;
            }
            let amount = price.on(network).map_err(within)?;
            let pay_to = own.unwrap_or(*pay_to).to_checksum();
            let offer = exact_offer(network, &amount, &pay_to, timeout)?;
            if Terms::read(&offer.terms).map_err(within)?.asset.to_checksum() == pay_to {
                return Err(fault(&place, "payTo is the token itself"));
            }
            if let (Some(WireSettle::Optimistic(most)), SettlePolicy::Optimistic(bounds)) =
                (&self.settle, &mut listing.settle)
            {
                let most = most.on(network).map_err(within)?;
                if most.asset != amount.asset {
                    return Err(fault(&place, "settle.optimistic is in another token than the price"));
                }
                bounds.push((network.clone(), most.amount));
            }
            if v1 {
                listing.offers_v1.extend(listing.offer_v1(&offer, "")?);
            }
            listing.offers.push(offer);
        }
        if listing.offers.is_empty() {
            return Err(fault(&place, "sold on no network"));
        }
        Ok(Route { pattern, listing: Some(listing) })
    }
}
