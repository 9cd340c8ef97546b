//! Who signs: a key held here, an EIP-1193 provider, or any object with `address` and `signTypedData`.
//!
//! Whatever a wallet answers is judged by the core afterwards; what it throws is never shown, since a careless
//! signer's error may hold its key.

use alloc::string::ToString;
use alloc::vec::Vec;

use js_sys::{Array, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use x402_core::client::intent::Intent;
use x402_core::client::wallet::{self, refusal};
use x402_core::error::Code;
use x402_core::evm::address::Address;
use x402_core::evm::hex;
use x402_core::evm::signature::SecretKey;
use x402_core::scheme::exact::evm::MAX_SIGNATURE;
use x402_core::types::json;

use crate::boundary::{bounded, get, text_at, whole};
use crate::fault::{because, detailed, fault};
use crate::key;
use crate::platform::{self, Outcome};

/// Seconds that a wallet may take to say who it is: a person may have to open it first.
const PATIENCE: u32 = 600;

/// A signer.
pub(crate) enum Wallet {
    /// A secret key in this module's memory.
    Key(SecretKey),
    /// EIP-1193: `request({ method, params })`.
    Provider(JsValue),
    /// `signTypedData({ domain, types, primaryType, message })` and an address.
    Account(JsValue, Address),
}

impl Wallet {
    /// Takes the wallet that `js/options.js` told apart: `secret`, `account` with `address`, or `provider`.
    ///
    /// # Errors
    /// `invalid_key`, or `payer_invalid_options` for an address that is none.
    pub(crate) fn open(parts: &JsValue) -> Result<Self, JsValue> {
        let (secret, account) = (get(parts, "secret"), get(parts, "account"));
        if !secret.is_undefined() {
            return key::secret(&secret).map(Self::Key);
        }
        if account.is_undefined() {
            return Ok(Self::Provider(get(parts, "provider")));
        }
        let address = text_at(parts, "address").unwrap_or_default();
        let address = Address::parse(&address).map_err(|_| because(Code::PayerConfig, "wallet.address is no address"));
        address.map(|address| Self::Account(account, address))
    }

    /// The account, if it is known without asking anybody.
    pub(crate) fn known(&self) -> Option<Address> {
        match self {
            Self::Key(key) => Some(key.address()),
            Self::Account(_, address) => Some(*address),
            Self::Provider(_) => None,
        }
    }

    /// The account that pays; a provider may ask its user.
    pub(crate) async fn address(&self, signal: &JsValue) -> Result<Address, JsValue> {
        let Self::Provider(provider) = self else {
            return self.known().ok_or_else(|| failed(""));
        };
        for method in ["eth_accounts", "eth_requestAccounts"] {
            let accounts = answered(platform::request(provider, method, "[]"), signal, PATIENCE).await?;
            let first = accounts.dyn_ref::<Array>().map(|accounts| accounts.get(0));
            if let Some(account) = first.and_then(|account| bounded(&account, 42)) {
                return wallet::account(&account).map_err(fault);
            }
        }
        Err(failed("it has no account"))
    }

    /// Signs an intent; the answer is whatever the wallet gave.
    pub(crate) async fn sign(&self, intent: &Intent, signal: &JsValue, seconds: u32) -> Result<Vec<u8>, JsValue> {
        let asked = match self {
            Self::Key(key) => {
                return Ok(key.sign(&intent.typed_data.digest()).to_bytes().into());
            }
            Self::Provider(provider) => {
                let current = answered(platform::request(provider, "eth_chainId", "[]"), signal, seconds).await?;
                if let Some(parameters) = wallet::switch(intent.chain_id(), bounded(&current, 66).as_deref()) {
                    let switch = platform::request(provider, "wallet_switchEthereumChain", &parameters);
                    answered(switch, signal, seconds).await?;
                }
                platform::request(provider, "eth_signTypedData_v4", &wallet::sign_request(intent))
            }
            Self::Account(account, _) => platform::sign_typed_data(account, &json::write(&intent.typed_data)),
        };
        let signature = answered(asked, signal, seconds).await?;
        let text = bounded(&signature, MAX_SIGNATURE.saturating_mul(2)).unwrap_or_default();
        hex::decode(&text).map_err(|_| failed("it gave no signature"))
    }
}

async fn answered(asked: Promise, signal: &JsValue, seconds: u32) -> Result<JsValue, JsValue> {
    let outcome: Outcome = JsFuture::from(platform::within(&asked, signal, seconds)).await?.unchecked_into();
    let value = outcome.value();
    match outcome.end().as_str() {
        "value" => Ok(value),
        "aborted" => Err(value),
        "late" => Err(failed("it did not answer in time")),
        _ => Err(refused(&value)),
    }
}

/// A wallet's error without its words: only the number that EIP-1193 gives it is told.
fn refused(thrown: &JsValue) -> JsValue {
    let code = platform::wallet_code(thrown);
    let details = Object::new();
    let number = whole(&code).map(|number| number.to_string());
    if !code.is_undefined() {
        // A plain object takes every property.
        let _ = Reflect::set(&details, &"walletCode".into(), &code);
    }
    detailed(&refusal(number.as_deref()), &details)
}

fn failed(detail: &str) -> JsValue {
    because(Code::PayerWalletFailed, detail)
}
