//! What a wallet may be told of a network that it does not know (EIP-3085), so that it can be paid on there.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::error::Result;
use crate::server::config::fault;
use crate::types::json::{array, object, quoted};
use crate::types::url;

/// Bytes of a name.
const NAME_MOST: usize = 100;
/// Bytes of a currency's symbol: wallets show no more.
const SYMBOL_MOST: usize = 11;
/// Addresses of one kind.
const URLS_MOST: usize = 8;
/// Bytes of an address.
const URL_MOST: usize = 500;
/// Decimals of a currency: an amount in atomic units has no more digits that a person could want.
const DECIMALS_MOST: u8 = 36;

/// A network, as a wallet is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name, for a person.
    pub name: String,
    /// The parameter of `wallet_addEthereumChain`, as JSON.
    pub told: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireChain {
    chain_name: String,
    rpc_urls: Vec<String>,
    native_currency: WireCurrency,
    #[serde(default)]
    block_explorer_urls: Vec<String>,
    #[serde(default)]
    icon_urls: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCurrency {
    name: String,
    symbol: String,
    decimals: u8,
}

impl WireChain {
    /// `secret` are the addresses of the gate's own nodes that the configuration names as secrets.
    ///
    /// # Errors
    /// `gate_invalid_config` with the place and the fault, and without the address that has it.
    pub(super) fn check(self, chain_id: u64, place: &str, secret: &[&str]) -> Result<Chain> {
        let place = [place, ".chain"].concat();
        let WireCurrency { name, symbol, decimals } = &self.native_currency;
        let names = [
            (&self.chain_name, NAME_MOST, "chainName is a name of at most 100 bytes"),
            (name, NAME_MOST, "nativeCurrency.name is a name of at most 100 bytes"),
            (symbol, SYMBOL_MOST, "nativeCurrency.symbol is of at most 11 bytes"),
        ];
        for (text, most, what) in names {
            if text.trim().is_empty() || text.len() > most {
                return Err(fault(&place, what));
            }
        }
        if *decimals > DECIMALS_MOST {
            return Err(fault(&place, "nativeCurrency.decimals is between 0 and 36"));
        }
        if self.rpc_urls.is_empty() {
            return Err(fault(&place, "rpcUrls names at least one node that everybody may ask"));
        }
        let lists = [
            ("rpcUrls", &self.rpc_urls),
            ("blockExplorerUrls", &self.block_explorer_urls),
            ("iconUrls", &self.icon_urls),
        ];
        for (key, urls) in lists {
            if urls.len() > URLS_MOST || !urls.iter().all(|url| is_public(url)) {
                let what =
                    " are at most 8 URLs with https (http on this machine only), and no secrets: wallets are told them";
                return Err(fault(&place, &[key, what].concat()));
            }
            if urls.iter().any(|url| secret.iter().any(|own| bare(own) == bare(url))) {
                return Err(fault(&place, &[key, " names a node that this network's rpc keeps secret"].concat()));
            }
        }
        let told = object(|to| {
            to.text("chainId", &alloc::format!("0x{chain_id:x}")).text("chainName", &self.chain_name);
            to.json(
                "nativeCurrency",
                &object(|to| {
                    to.text("name", name).text("symbol", symbol).number("decimals", u64::from(*decimals));
                }),
            );
            // A wallet may refuse an empty list where it takes none.
            for (key, urls) in lists.into_iter().filter(|(_, urls)| !urls.is_empty()) {
                to.json(key, &array(urls.iter().map(|url| quoted(url))));
            }
        });
        Ok(Chain { name: self.chain_name, told })
    }
}

fn is_public(text: &str) -> bool {
    url::is_secure(text) && text.len() <= URL_MOST && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An address without what two spellings of it may differ in.
fn bare(url: &str) -> String {
    url.trim_end_matches('/').to_ascii_lowercase()
}
