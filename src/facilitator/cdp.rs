//! Tokens for Coinbase's facilitator: each request carries a JWT (RFC 7519) of its own, signed with the secret of an API
//! key and good for two minutes and this very request.
//!
//! Claims and header as `@coinbase/cdp-sdk` 1.x writes them. The key is Ed25519 (64 bytes in base64: seed and public
//! key; `EdDSA`, RFC 8037) or P-256 (PEM, SEC 1 or PKCS #8; `ES256`, RFC 7518 §3.4). It is signed elsewhere: this writes
//! what is to be signed, and puts the token together.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde_json::json;
use zeroize::Zeroizing;

use crate::error::{Code, Error, Result};
use crate::transport::base64;
use crate::types::time::UnixSeconds;

/// Seconds that a token is good for.
const LIFETIME: u64 = 120;
/// PKCS #8 of an Ed25519 seed (RFC 8410 §7), up to the seed.
const ED25519: &[u8] = &[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// PKCS #8 of a P-256 scalar (RFC 5915 inside RFC 5958), up to the scalar.
const P256: &[u8] = &[
    0x30, 0x41, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3,
    1, 7, 4, 0x27, 0x30, 0x25, 2, 1, 1, 4, 0x20,
];
/// The object identifier of the curve P-256, with its tag and length.
const CURVE: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// What stands before the scalar in a SEC 1 key: its version, and the tag and length of a string of 32 bytes.
const SCALAR: &[u8] = &[2, 1, 1, 4, 0x20];
/// The order of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// An API key.
#[derive(Clone)]
pub struct CdpKey {
    id: String,
    algorithm: Algorithm,
    pkcs8: Zeroizing<Vec<u8>>,
}

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// Its name in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }
}

impl fmt::Debug for CdpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CdpKey({})", self.algorithm.name())
    }
}

impl CdpKey {
    /// Reads an API key's identifier and secret, as they are handed out. Line ends of a PEM text may be written `\n`.
    ///
    /// # Errors
    /// `gate_invalid_config`, and what is expected.
    pub fn parse(id: &str, secret: &str) -> Result<Self> {
        let fault = |what: &str| Error::new(Code::GateConfig, what);
        let secret = Zeroizing::new(secret.replace("\\n", "\n"));
        let (algorithm, head, key) = match pem(&secret) {
            Some(der) => {
                let key = scalar(&der).ok_or_else(|| fault("the PEM text of the cdp key holds no P-256 key"))?;
                (Algorithm::Es256, P256, key)
            }
            None => {
                let bytes = base64::decode(secret.trim()).map(Zeroizing::new);
                let seed = bytes.as_deref().filter(|bytes| bytes.len() == 64).and_then(|bytes| bytes.first_chunk());
                let seed = seed.ok_or_else(|| fault("a cdp key is 64 bytes in base64 or a PEM text"))?;
                (Algorithm::EdDsa, ED25519, Zeroizing::new(*seed))
            }
        };
        if id.is_empty() {
            return Err(fault("the cdp key has no identifier"));
        }
        let mut pkcs8 = Zeroizing::new(Vec::with_capacity(head.len().saturating_add(key.len())));
        pkcs8.extend_from_slice(head);
        pkcs8.extend_from_slice(&*key);
        Ok(Self { id: id.into(), algorithm, pkcs8 })
    }

    /// How its tokens are signed.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The private key (PKCS #8).
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// What is signed for a request: the token without its signature. `nonce` is used once.
    pub fn unsigned(&self, method: &str, url: &str, nonce: &str, now: UnixSeconds) -> String {
        let target = url.split_once("://").map_or(url, |(_, target)| target);
        let target = target.split(['?', '#']).next().unwrap_or_default();
        let header = json!({ "alg": self.algorithm.name(), "kid": self.id, "typ": "JWT", "nonce": nonce });
        let claims = json!({
            "sub": self.id, "iss": "cdp", "uris": [format!("{method} {target}")],
            "iat": now.0, "nbf": now.0, "exp": now.plus(LIFETIME).0,
        });
        [header, claims].map(|part| base64::encode_url(part.to_string().as_bytes())).join(".")
    }

    /// The token: what was signed, and the signature's 64 bytes.
    ///
    /// # Errors
    /// `gate_internal` for a signature of another length.
    pub fn token(unsigned: &str, signature: &[u8]) -> Result<String> {
        if signature.len() != 64 {
            return Err(Code::GateInternal.into());
        }
        Ok([unsigned, ".", &base64::encode_url(signature)].concat())
    }
}

/// The bytes of a PEM text (RFC 7468).
fn pem(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = text.split_once("-----BEGIN")?;
    let (_, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END")?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    base64::decode(&body).map(Zeroizing::new)
}

/// The scalar of a P-256 key in DER. Both forms hold one SEC 1 key and name the curve; of all that is in them, these two
/// are of interest.
fn scalar(der: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    der.windows(CURVE.len()).find(|part| *part == CURVE)?;
    let at = der.windows(SCALAR.len()).position(|part| part == SCALAR)?;
    let scalar = *der.get(at.checked_add(SCALAR.len())?..)?.first_chunk::<32>()?;
    (scalar != [0; 32] && scalar < ORDER).then(|| Zeroizing::new(scalar))
}
