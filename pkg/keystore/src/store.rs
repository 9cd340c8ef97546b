//! The file: its JSON, read strictly and written as others read it.

use x402_core::error::{Code, Result};
use x402_core::evm::hex;
use x402_core::evm::keccak::{Bytes32, keccak256};
use x402_core::evm::signature::SecretKey;
use x402_core::types::json::{Fields, object};
use zeroize::{Zeroize, Zeroizing};

use crate::crypto::{Derivation, cipher, fault, tag};

/// What scrypt costs in the files we write: as in Geth's, and 256 MiB.
const COST: u64 = 1 << 18;
const BLOCK: u64 = 8;

/// What a new file takes of chance.
#[derive(Clone, Debug)]
pub struct Chance {
    /// The salt of the derivation.
    pub salt: Bytes32,
    /// The cipher's initialization vector.
    pub iv: [u8; 16],
    /// The file's identifier.
    pub id: [u8; 16],
}

/// Opens a keystore with its password.
///
/// # Errors
/// `payer_invalid_keystore` for a file that is none or is of another kind, `payer_wrong_password`.
pub fn open(text: &str, password: &str) -> Result<Zeroizing<Bytes32>> {
    const CODE: Code = Code::PayerKeystore;
    let file = Fields::read(text, CODE)?;
    if file.number("version")? != 3 {
        return Err(fault("it is not of version 3"));
    }
    // Old files write it with a capital.
    let crypto = file.optional_verbatim("crypto").or_else(|| file.optional_verbatim("Crypto"));
    let crypto = crypto.ok_or_else(|| fault("it has no crypto"))?;
    let crypto = Fields::read(crypto.as_str(), CODE)?;
    let params = crypto.verbatim("kdfparams")?;
    let params = Fields::read(params.as_str(), CODE)?;
    let (derivation, salt) = derivation(&crypto.text("kdf")?, &params)?;
    if crypto.text("cipher")? != "aes-128-ctr" {
        return Err(fault("its cipher is not aes-128-ctr"));
    }
    let with = crypto.verbatim("cipherparams")?;
    let iv = bytes(&Fields::read(with.as_str(), CODE)?.text("iv")?)?;
    let sealed = bytes(&crypto.text("ciphertext")?)?;
    let known = bytes(&crypto.text("mac")?)?;
    let derived = derivation.derive(password, &salt)?;
    // Hashes are compared by their hashes, so that time says nothing.
    if keccak256(&tag(&derived, &sealed)) != keccak256(&known) {
        return Err(Code::PayerPassword.into());
    }
    let mut secret = Zeroizing::new([0; 32]);
    let mut opened = Zeroizing::new(sealed);
    if opened.len() != secret.len() {
        return Err(fault("it does not hold 32 bytes"));
    }
    cipher(&derived, &iv, &mut opened)?;
    secret.copy_from_slice(&opened);
    let address = SecretKey::from_bytes(&secret).map_err(|_| fault("what it holds is no key"))?.address();
    if let Some(named) = file.optional_text("address")? {
        let own = hex::encode(&address.0);
        if !own.trim_start_matches("0x").eq_ignore_ascii_case(named.trim_start_matches("0x")) {
            return Err(fault("it names another account than its key's"));
        }
    }
    Ok(secret)
}

/// Writes a keystore.
///
/// # Errors
/// `invalid_key` for what is no key.
pub fn seal(secret: &Bytes32, password: &str, chance: &Chance) -> Result<String> {
    let address = SecretKey::from_bytes(secret)?.address();
    let derived = Derivation::Scrypt { n: COST, r: BLOCK, p: 1 }.derive(password, &chance.salt)?;
    let mut sealed = *secret;
    cipher(&derived, &chance.iv, &mut sealed)?;
    let plain = |bytes: &[u8]| hex::encode(bytes).trim_start_matches("0x").to_owned();
    let params = object(|to| {
        to.number("dklen", 32).number("n", COST).number("p", 1).number("r", BLOCK).text("salt", &plain(&chance.salt));
    });
    let iv = object(|to| {
        to.text("iv", &plain(&chance.iv));
    });
    let crypto = object(|to| {
        to.text("cipher", "aes-128-ctr").json("cipherparams", &iv).text("ciphertext", &plain(&sealed));
        to.text("kdf", "scrypt").json("kdfparams", &params).text("mac", &plain(&tag(&derived, &sealed)));
    });
    sealed.zeroize();
    Ok(object(|to| {
        to.text("address", &plain(&address.0)).json("crypto", &crypto);
        to.text("id", &uuid(chance.id)).number("version", 3);
    }))
}

fn derivation(name: &str, params: &Fields<'_>) -> Result<(Derivation, Vec<u8>)> {
    if params.number("dklen")? != 32 {
        return Err(fault("its derived key is not 32 bytes"));
    }
    let derivation = match name {
        "scrypt" => Derivation::Scrypt { n: params.number("n")?, r: params.number("r")?, p: params.number("p")? },
        "pbkdf2" if params.text("prf")? == "hmac-sha256" => Derivation::Pbkdf2 { c: params.number("c")? },
        _ => return Err(fault("its key derivation is neither scrypt nor pbkdf2 with hmac-sha256")),
    };
    Ok((derivation, bytes(&params.text("salt")?)?))
}

/// Hex digits, which these files write without `0x`.
fn bytes(text: &str) -> Result<Vec<u8>> {
    hex::decode(&["0x", text.trim_start_matches("0x")].concat()).map_err(|_| fault("expected hex digits"))
}

/// A random identifier as RFC 9562 writes it, version 4.
fn uuid(mut bytes: [u8; 16]) -> String {
    let [.., seventh, _, ninth, _, _, _, _, _, _, _] = &mut bytes;
    *seventh = *seventh & 0x0f | 0x40;
    *ninth = *ninth & 0x3f | 0x80;
    let digits = hex::encode(&bytes);
    let digits = digits.trim_start_matches("0x");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    /// The format's own examples, with its sources.
    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../tests/vectors/keystore.json")).unwrap()
    }

    #[test]
    fn the_formats_examples_open() {
        for vector in vectors()["vectors"].as_array().unwrap() {
            let (file, password) = (vector["keystore"].to_string(), vector["password"].as_str().unwrap());
            let secret = open(&file, password).unwrap();
            assert_eq!(hex::encode(secret.as_ref()), vector["privateKey"].as_str().unwrap());
            assert_eq!(open(&file, "another").unwrap_err().code(), Code::PayerPassword);
        }
    }

    #[test]
    fn what_is_sealed_opens_and_says_nothing_else() {
        let chance = Chance { salt: [1; 32], iv: [2; 16], id: [0xff; 16] };
        let text = seal(&[7; 32], "word", &chance).unwrap();
        assert_eq!(*open(&text, "word").unwrap(), [7; 32]);
        assert!(!text.contains(&"07".repeat(32)));
        assert!(text.contains("\"id\":\"ffffffff-ffff-4fff-bfff-ffffffffffff\""));
        assert_eq!(seal(&[0; 32], "word", &chance).unwrap_err().code(), Code::InvalidKey);
    }

    #[test]
    fn what_is_wrong_says_where() {
        let good = vectors()["vectors"][0]["keystore"].clone();
        type Change<'c> = &'c dyn Fn(&mut serde_json::Value);
        let wrong: [(&str, Change<'_>); 9] = [
            ("version", &|of| of["version"] = 1.into()),
            ("no crypto", &|of| of["crypto"] = serde_json::Value::Null),
            ("cipher is not", &|of| of["crypto"]["cipher"] = "aes-256-gcm".into()),
            ("neither scrypt nor", &|of| of["crypto"]["kdf"] = "argon2".into()),
            ("derived key", &|of| of["crypto"]["kdfparams"]["dklen"] = 16.into()),
            ("rounds", &|of| of["crypto"]["kdfparams"]["c"] = 0.into()),
            ("rounds", &|of| of["crypto"]["kdfparams"]["c"] = 4_000_000_000_u64.into()),
            ("hex", &|of| of["crypto"]["mac"] = "zz".into()),
            ("another account", &|of| of["address"] = "00".repeat(20).into()),
        ];
        for (what, change) in wrong {
            let mut file = good.clone();
            change(&mut file);
            let error = open(&file.to_string(), "testpassword").unwrap_err();
            assert_eq!(error.code(), Code::PayerKeystore, "{what}");
            assert!(error.message().contains(what), "{}", error.message());
        }
        for (n, r, p) in [
            (3, 8, 1),
            (1 << 30, 8, 1),
            (1 << 18, 1 << 20, 1),
            (1 << 18, 8, 1 << 20),
            (0, 8, 1),
            (1, 8, 1),
            (1 << 18, 0, 1),
            (1 << 18, 8, 0),
        ] {
            let found = Derivation::Scrypt { n, r, p }.derive("x", b"y");
            assert_eq!(found.unwrap_err().code(), Code::PayerKeystore, "{n} {r} {p}");
        }
    }
}
