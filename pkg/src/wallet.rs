//! Who signs: a key held here, an EIP-1193 provider, or any object with `address` and `signTypedData`.
//!
//! Whatever a wallet answers is judged by the core afterwards; what it throws is never shown, since a careless
//! signer's error may hold its key.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use js_sys::{Array, BigInt, Object, Reflect};
use wasm_bindgen::prelude::*;
use x402_core::client::intent::Intent;
use x402_core::error::{Code, Error};
use x402_core::evm::address::Address;
use x402_core::evm::hex;
use x402_core::evm::signature::SecretKey;
use x402_core::scheme::exact::evm::MAX_SIGNATURE;
use x402_core::types::json;

use crate::boundary::{bounded, call, function, get, parsed, set, short, text_at};
use crate::fault::{because, detailed, fault};
use crate::key;
use crate::waits::{Ended, Waits};

/// Seconds that a wallet may take to say who it is: a person may have to open it first.
const PATIENCE: u64 = 600;

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
    /// Tells which kind of wallet this is.
    ///
    /// # Errors
    /// `payer_invalid_options` for what is none, `invalid_key` for a private key that is none.
    pub(crate) fn open(value: &JsValue) -> Result<Self, JsValue> {
        let unreadable = |_| because(Code::PayerConfig, "the wallet cannot be read");
        let secret = get(value, "privateKey").map_err(unreadable)?;
        if !secret.is_undefined() {
            return key::secret(&secret).map(Self::Key);
        }
        if function(value, "signTypedData").map_err(unreadable)?.is_some()
            && let Some(address) = text_at(value, "address").or_else(|| of_account(value))
        {
            let address =
                Address::parse(&address).map_err(|_| because(Code::PayerConfig, "wallet.address is no address"))?;
            return Ok(Self::Account(value.clone(), address));
        }
        if function(value, "request").map_err(unreadable)?.is_some() {
            return Ok(Self::Provider(value.clone()));
        }
        let kinds = "wallet is an EIP-1193 provider, { privateKey } or an object with address and signTypedData";
        Err(because(Code::PayerConfig, kinds))
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
    pub(crate) async fn address(&self, waits: &Waits) -> Result<Address, JsValue> {
        if let Some(address) = self.known() {
            return Ok(address);
        }
        for method in ["eth_accounts", "eth_requestAccounts"] {
            let accounts = self.ask(method, &[], waits, PATIENCE).await?;
            let first = accounts.dyn_ref::<Array>().map(|accounts| accounts.get(0));
            if let Some(account) = first.as_ref().and_then(short) {
                // Providers write addresses in any case of letters.
                return Address::parse(&account.to_ascii_lowercase()).map_err(|_| failed("its account is no address"));
            }
        }
        Err(failed("it has no account"))
    }

    /// Signs an intent; the answer is whatever the wallet gave.
    pub(crate) async fn sign(&self, intent: &Intent, waits: &Waits, seconds: u64) -> Result<Vec<u8>, JsValue> {
        let signature = match self {
            Self::Key(key) => {
                let signature = key.sign(&intent.typed_data.digest());
                return signature.map(|signature| signature.to_bytes().into()).map_err(fault);
            }
            Self::Provider(_) => {
                self.switch(intent.chain_id(), waits, seconds).await?;
                let document = json::write(&intent.typed_data);
                let parameters = [intent.payer().to_string().into(), document.into()];
                self.ask("eth_signTypedData_v4", &parameters, waits, seconds).await?
            }
            Self::Account(account, _) => {
                let answer = call(account, "signTypedData", &[typed_data(intent)?]);
                answered(answer, waits, seconds).await?
            }
        };
        let text =
            bounded(&signature, MAX_SIGNATURE.saturating_mul(2)).ok_or_else(|| failed("it gave no signature"))?;
        hex::decode(&text).map_err(|_| failed("it gave no signature"))
    }

    /// Brings a provider to the chain that is paid on.
    async fn switch(&self, chain_id: u64, waits: &Waits, seconds: u64) -> Result<(), JsValue> {
        let current = self.ask("eth_chainId", &[], waits, seconds).await?;
        if chain(&current) == Some(chain_id) {
            return Ok(());
        }
        let target = Object::new();
        set(&target, "chainId", &format!("0x{chain_id:x}").into());
        self.ask("wallet_switchEthereumChain", &[target.into()], waits, seconds).await.map(drop)
    }

    /// One EIP-1193 request.
    async fn ask(&self, method: &str, parameters: &[JsValue], waits: &Waits, seconds: u64) -> Result<JsValue, JsValue> {
        let Self::Provider(provider) = self else { return Err(failed("it is no provider")) };
        let request = Object::new();
        set(&request, "method", &method.into());
        set(&request, "params", &parameters.iter().collect::<Array>());
        answered(call(provider, "request", &[request.into()]), waits, seconds).await
    }
}

/// The address of an object that keeps it at `account`, as viem's wallet clients do.
fn of_account(value: &JsValue) -> Option<String> {
    text_at(&get(value, "account").ok()?, "address")
}

/// A chain id as providers write it: `0x` and hex digits, though some give a number.
fn chain(value: &JsValue) -> Option<u64> {
    let text = short(value)?;
    let digits = text.strip_prefix("0x")?;
    u64::from_str_radix(digits, 16).ok()
}

/// The document for `signTypedData`: without the domain's own type, and integers as `BigInt`.
fn typed_data(intent: &Intent) -> Result<JsValue, JsValue> {
    let unwritten = |_| because(Code::PayerWalletFailed, "");
    let document = parsed(&json::write(&intent.typed_data));
    let types = get(&document, "types").map_err(unwritten)?;
    Reflect::delete_property(types.unchecked_ref::<Object>(), &"EIP712Domain".into()).map_err(unwritten)?;
    let message: Object = get(&document, "message").map_err(unwritten)?.unchecked_into();
    let members: Array = get(&types, intent.typed_data.primary.name).map_err(unwritten)?.unchecked_into();
    for member in members.iter() {
        let (Some(name), Some(kind)) = (text_at(&member, "name"), text_at(&member, "type")) else { continue };
        if kind.starts_with("uint") {
            let value = BigInt::new(&get(&message, &name).map_err(unwritten)?).map_err(|_| unwritten(JsValue::NULL))?;
            set(&message, &name, &value);
        }
    }
    Ok(document)
}

async fn answered(answer: Result<JsValue, JsValue>, waits: &Waits, seconds: u64) -> Result<JsValue, JsValue> {
    let outcome = match answer {
        Ok(pending) => waits.until(&pending, seconds).await,
        Err(thrown) => Err(Ended::Failed(thrown)),
    };
    outcome.map_err(|ended| match ended {
        Ended::Aborted(reason) => reason,
        Ended::TimedOut => failed("it did not answer in time"),
        Ended::Failed(thrown) => refusal(&thrown),
    })
}

/// A wallet's error without its words: only the code that EIP-1193 gives it is told.
fn refusal(thrown: &JsValue) -> JsValue {
    let code = |error: &JsValue| get(error, "code").ok().filter(|code| code.as_f64().is_some());
    let code = code(thrown).or_else(|| code(&get(thrown, "cause").ok()?));
    let number = code.as_ref().and_then(JsValue::as_f64);
    let details = Object::new();
    if let Some(code) = &code {
        set(&details, "walletCode", code);
    }
    let is = |wanted: i32| number == Some(f64::from(wanted));
    let error: Error = if is(4001) {
        Code::PayerWalletRejected.into()
    } else if is(4902) {
        Error::new(Code::PayerWalletFailed, "it does not know the chain that is paid on")
    } else {
        Code::PayerWalletFailed.into()
    };
    detailed(&error, &details)
}

fn failed(detail: &str) -> JsValue {
    because(Code::PayerWalletFailed, detail)
}
