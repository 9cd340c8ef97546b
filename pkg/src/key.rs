//! Secret keys: they come in, they sign, they are wiped, and they never go out again.

use alloc::boxed::Box;
use alloc::string::String;
use core::hint::black_box;

use js_sys::{JsString, Uint8Array};
use wasm_bindgen::prelude::*;
use x402_core::error::Code;
use x402_core::evm::hex;
use x402_core::evm::keccak::Bytes32;
use x402_core::evm::signature::SecretKey;
use zeroize::{Zeroize, Zeroizing};

use crate::boundary::{bounded, random};
use crate::fault::fault;
use crate::functions;

/// Words of the stack that are overwritten behind a key: more than its arithmetic is deep.
const DEEP: usize = 4096;

/// Does what has a key in its hands, and overwrites the stack behind it: a value that is moved leaves itself where it was.
/// What comes out holds the key behind a pointer, or not at all.
pub(crate) fn forgetting<T>(work: impl FnOnce() -> T) -> T {
    let out = apart(work);
    overwrite();
    out
}

/// In a frame of its own, so that the whole of it lies behind.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn overwrite() {
    let mut words = [0_u64; DEEP];
    words.zeroize();
    black_box(&words);
}

/// Reads a key from hex text or 32 bytes. The copies made on the way are wiped.
///
/// # Errors
/// `invalid_key`.
pub(crate) fn secret(value: &JsValue) -> Result<Box<SecretKey>, JsValue> {
    forgetting(|| read(value).map(Box::new))
}

fn read(value: &JsValue) -> Result<SecretKey, JsValue> {
    let none = || fault(Code::InvalidKey.into());
    if let Some(array) = value.dyn_ref::<Uint8Array>() {
        let mut bytes = Zeroizing::new([0; 32]);
        if array.length() != 32 {
            return Err(none());
        }
        array.copy_to(bytes.as_mut());
        return SecretKey::from_bytes(&bytes).map_err(fault);
    }
    let text = Zeroizing::new(bounded(value, 66).ok_or_else(none)?);
    SecretKey::parse(&text).map_err(fault)
}

/// A fresh key as hex, for the caller to keep: 32 bytes of the runtime's secure randomness.
#[wasm_bindgen(js_name = generatePrivateKey)]
pub fn generate_private_key() -> Result<JsString, JsValue> {
    forgetting(|| {
        loop {
            let bytes = Zeroizing::new(random()?);
            // Fewer than one in 2^127 draws is no key.
            if SecretKey::from_bytes(&bytes).is_ok() {
                return Ok(Zeroizing::new(hex::encode(bytes.as_ref())).as_str().into());
            }
        }
    })
}

/// A key that stays in this module until it is freed.
#[wasm_bindgen]
pub struct LocalKey {
    key: Box<SecretKey>,
}

#[wasm_bindgen]
impl LocalKey {
    /// Takes a key, as hex text or 32 bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(private_key: &JsValue) -> Result<LocalKey, JsValue> {
        secret(private_key).map(|key| Self { key })
    }

    /// The key's account.
    #[wasm_bindgen(getter)]
    pub fn address(&self) -> String {
        forgetting(|| self.key.address().to_checksum())
    }

    /// Signs 32 bytes.
    pub fn sign(&self, digest: &JsValue) -> Result<String, JsValue> {
        self.signature(&functions::bytes32(digest)?)
    }

    /// Signs the authorization of a payment.
    #[wasm_bindgen(js_name = signAuthorization)]
    pub fn sign_authorization(&self, requirements: &JsValue, authorization: &JsValue) -> Result<String, JsValue> {
        self.signature(&functions::typed(requirements, authorization)?.digest())
    }

    fn signature(&self, digest: &Bytes32) -> Result<String, JsValue> {
        Ok(forgetting(|| hex::encode(&self.key.sign(digest).to_bytes())))
    }
}

/// The account of a private key.
#[wasm_bindgen]
pub fn address(private_key: &JsValue) -> Result<String, JsValue> {
    LocalKey::new(private_key).map(|key| key.address())
}

/// Signs 32 bytes with a private key.
#[wasm_bindgen]
pub fn sign(private_key: &JsValue, digest: &JsValue) -> Result<String, JsValue> {
    LocalKey::new(private_key)?.sign(digest)
}
