//! What JavaScript calls.

use js_sys::{Error as JsError, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use x402_core::error::{Code, Error};
use x402_core::evm::keccak::Bytes32;
use zeroize::Zeroizing;

use crate::store::{Chance, open, seal};

/// Opens a keystore: the 32 bytes of its key, the caller's to wipe.
///
/// # Errors
/// An `Error` with a `code`.
#[wasm_bindgen(js_name = openKeystore)]
pub fn open_keystore(text: &str, password: String) -> Result<Uint8Array, JsValue> {
    let password = Zeroizing::new(password);
    let secret = open(text, &password).map_err(|error| thrown(&error))?;
    Ok(Uint8Array::from(secret.as_slice()))
}

/// Writes a keystore for the 32 bytes of a key.
///
/// # Errors
/// An `Error` with a `code`.
#[wasm_bindgen(js_name = sealKeystore)]
pub fn seal_keystore(secret: &Uint8Array, password: String) -> Result<String, JsValue> {
    let password = Zeroizing::new(password);
    let mut bytes: Zeroizing<Bytes32> = Zeroizing::new([0; 32]);
    if secret.length() != 32 {
        return Err(thrown(&Code::InvalidKey.into()));
    }
    secret.copy_to(bytes.as_mut());
    let mut chance = Chance { salt: [0; 32], iv: [0; 16], id: [0; 16] };
    for part in [chance.salt.as_mut_slice(), &mut chance.iv, &mut chance.id] {
        getrandom::fill(part).map_err(|_| thrown(&Code::PayerNoRandomness.into()))?;
    }
    seal(&bytes, &password, &chance).map_err(|error| thrown(&error))
}

fn thrown(error: &Error) -> JsValue {
    let thrown = JsError::new(&error.message());
    // A fresh object takes any property.
    let _ = Reflect::set(&thrown, &"code".into(), &error.code().as_str().into());
    thrown.into()
}
