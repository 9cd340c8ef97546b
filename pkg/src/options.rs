//! `createPayer`'s options: every one is read, and what cannot be read is refused.

use alloc::string::String;
use alloc::vec::Vec;
use js_sys::{Array, Function, JSON, Object, Reflect};
use wasm_bindgen::prelude::*;
use x402_core::client::policy::Policy;
use x402_core::error::Code;

use crate::boundary::{get, set, text};
use crate::fault::{because, fault};
use crate::wallet::Wallet;

/// Bytes of a policy's JSON: allow lists of some hundred entries.
const MAX_POLICY: usize = 64 * 1024;

/// A payer's parts.
pub(crate) struct Options {
    pub(crate) wallet: Wallet,
    pub(crate) policy: Policy,
    pub(crate) approve: Option<Function>,
    pub(crate) fetch: Option<Function>,
    pub(crate) on_step: Option<Function>,
}

impl Options {
    /// Reads the options object.
    ///
    /// # Errors
    /// `payer_invalid_options`, and `invalid_key` for a private key that is none.
    pub(crate) fn read(options: &JsValue) -> Result<Self, JsValue> {
        const KNOWN: [&str; 4] = ["wallet", "policy", "fetch", "onStep"];
        for (name, value) in entries(options)? {
            if !KNOWN.contains(&name.as_str()) && !value.is_undefined() {
                return Err(refused(&["there is no option ", &name]));
            }
        }
        let (policy, approve) = policy(&read(options, "policy")?)?;
        Ok(Self {
            wallet: Wallet::open(&read(options, "wallet")?)?,
            policy,
            approve,
            fetch: callback(options, "fetch")?,
            on_step: callback(options, "onStep")?,
        })
    }
}

fn policy(value: &JsValue) -> Result<(Policy, Option<Function>), JsValue> {
    if value.is_undefined() {
        return Ok((Policy::default(), None));
    }
    let plain = Object::new();
    for (name, value) in entries(value)? {
        if name == "approve" {
            continue;
        }
        // A limit that is written down and says nothing would be taken for one.
        if value.is_null_or_undefined() || value.is_function() || value.is_symbol() {
            return Err(refused(&["policy.", &name, " has no value; leave it out for its default"]));
        }
        set(&plain, &name, &value);
    }
    let unreadable = |_| refused(&["policy cannot be written as JSON"]);
    let written = JSON::stringify(&plain).map_err(unreadable)?;
    let policy = Policy::read(&text(&written, MAX_POLICY, Code::PayerConfig)?).map_err(fault)?;
    Ok((policy, callback(value, "approve")?))
}

/// The own enumerable properties of an object.
fn entries(object: &JsValue) -> Result<Vec<(String, JsValue)>, JsValue> {
    if !object.is_object() {
        return Err(refused(&["expected an object"]));
    }
    let keys: Array = Reflect::own_keys(object).map_err(|_| refused(&["the object cannot be read"]))?;
    let mut found = Vec::new();
    for key in keys.iter() {
        if let Some(name) = key.as_string() {
            let value = read(object, &name)?;
            found.push((name, value));
        }
    }
    Ok(found)
}

fn callback(object: &JsValue, name: &str) -> Result<Option<Function>, JsValue> {
    let value = read(object, name)?;
    if value.is_undefined() {
        return Ok(None);
    }
    value.dyn_into().map(Some).map_err(|_| refused(&[name, " is a function"]))
}

/// A property; a getter that throws may throw anything, so only the fact is told.
fn read(object: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    get(object, name).map_err(|_| refused(&[name, " cannot be read"]))
}

fn refused(parts: &[&str]) -> JsValue {
    because(Code::PayerConfig, &parts.concat())
}
