//! A payment that is about to be made: the quote a person reads, the data a wallet signs, the payment that is sent.

use alloc::string::String;
use alloc::vec::Vec;

use crate::client::book::Open;
use crate::client::choose::Choice;
use crate::client::policy::{Policy, SCALE};
use crate::client::trace::Rule;
use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::eip712::TypedData;
use crate::evm::eip3009::Authorization;
use crate::evm::hex;
use crate::evm::keccak::Bytes32;
use crate::evm::signature::Signature;
use crate::scheme::exact::evm::{Payload, authorize};
use crate::transport::http::MAX_PAYMENT_HEADER;
use crate::types::amount::{Amount, decimal};
use crate::types::json::{Message, Object, Verbatim};
use crate::types::payload::{PaymentPayload, PaymentPayloadV1, PaymentPayloadV2};
use crate::types::required::{PaymentRequired, Version};
use crate::types::time::UnixSeconds;

/// Bytes of extensions that are echoed; more are left out, which the protocol allows.
const MAX_ECHO: usize = 4 * 1024;
/// Bytes of an offer that are echoed: with two echoes and a signature they fit a header, and a larger offer is
/// refused before the wallet is asked.
const MAX_ACCEPTED: usize = 3 * 1024;

/// What would be paid, for a person to read or a callback to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The authorization's nonce, in hex: its name in the book and the log.
    pub id: String,
    /// The price in one sentence.
    pub sentence: String,
    /// Atomic units.
    pub amount: String,
    /// Whole tokens.
    pub tokens: String,
    /// The asset's symbol.
    pub symbol: String,
    /// The token contract.
    pub asset: String,
    /// The network.
    pub network: String,
    /// Who is paid.
    pub pay_to: String,
    /// Who pays.
    pub payer: String,
    /// The URL that was asked for.
    pub url: String,
    /// The Unix second after which the authorization is worth nothing.
    pub valid_before: String,
    /// Every rule that the offer was held against, and why it passed.
    pub rules: Vec<Rule>,
}

impl Message for Quote {
    fn members(&self, to: &mut Object) {
        to.text("id", &self.id)
            .text("sentence", &self.sentence)
            .text("amount", &self.amount)
            .text("tokens", &self.tokens);
        to.text("symbol", &self.symbol).text("asset", &self.asset).text("network", &self.network);
        to.text("payTo", &self.pay_to).text("payer", &self.payer).text("url", &self.url);
        to.text("validBefore", &self.valid_before).list("rules", &self.rules);
    }
}

impl Quote {
    /// The quote of a payment that is presented again instead.
    #[must_use]
    pub fn presenting(&self, open: &Open) -> Self {
        let Open { kind, symbol, .. } = open;
        let tokens = open.amount.to_tokens(SCALE);
        let what =
            ["Present again what was signed: ", &tokens, " ", symbol, " on ", &kind.network, " to ", &kind.pay_to];
        Self {
            id: open.id.clone(),
            sentence: [&what.concat(), " for ", &self.url].concat(),
            amount: open.units.clone(),
            tokens,
            symbol: symbol.clone(),
            asset: kind.asset.clone(),
            network: kind.network.clone(),
            pay_to: kind.pay_to.clone(),
            payer: open.payer.clone(),
            url: self.url.clone(),
            valid_before: decimal(open.valid_before.0),
            rules: Vec::new(),
        }
    }
}

/// A payment that has not been signed.
#[derive(Clone, Debug)]
pub struct Intent {
    choice: Choice,
    payload: Payload,
    resource: Option<Verbatim>,
    extensions: Option<Verbatim>,
    contract_wallet: bool,
    /// What would be paid.
    pub quote: Quote,
    /// What the wallet signs.
    pub typed_data: TypedData,
}

impl Intent {
    /// Prepares the payment of a chosen offer.
    ///
    /// # Errors
    /// `payer_validity`, `payer_no_randomness`, `too_large` when what must be echoed leaves no room for a payment.
    pub fn new(
        required: &PaymentRequired,
        choice: Choice,
        policy: &Policy,
        from: Address,
        now: UnixSeconds,
        nonce: Bytes32,
        url: &str,
    ) -> Result<Self> {
        let authorization = authorize(&choice.terms, from, now, policy.max_validity_seconds, nonce)?;
        let typed_data = authorization.typed_data(choice.terms.domain.clone());
        let tokens = choice.terms.amount.to_tokens(choice.asset.decimals);
        let symbol = choice.asset.symbol.clone();
        let network = choice.offer.terms.network.as_str();
        let pay_to = choice.terms.pay_to.to_checksum();
        let quote = Quote {
            id: hex::encode(&nonce),
            sentence: ["Pay ", &tokens, " ", &symbol, " on ", network, " to ", &pay_to, " for ", url].concat(),
            amount: choice.terms.amount.text(),
            tokens,
            symbol,
            asset: choice.terms.asset.to_checksum(),
            network: network.into(),
            pay_to,
            payer: from.to_checksum(),
            url: url.into(),
            valid_before: authorization.valid_before.text(),
            rules: choice.rules.clone(),
        };
        if choice.offer.verbatim.as_str().len() > MAX_ACCEPTED {
            return Err(Error::new(Code::TooLarge, "the offer does not fit a header"));
        }
        let echo = |part: &Option<Verbatim>| part.clone().filter(|part| part.as_str().len() <= MAX_ECHO);
        Ok(Self {
            choice,
            payload: Payload { authorization, signature: Default::default() },
            resource: echo(&required.resource),
            extensions: echo(&required.extensions),
            contract_wallet: policy.contract_wallet,
            quote,
            typed_data,
        })
    }

    /// Puts the wallet's signature to the payment, in the one form every verifier takes.
    ///
    /// # Errors
    /// `payer_wallet_mismatch` when the signature is not the payer's for exactly this; `too_large` when the payment
    /// does not fit a header.
    pub fn seal(mut self, signature: &[u8]) -> Result<PaymentPayload> {
        let by_key = Signature::parse(signature).ok().filter(|signature| {
            signature.recover(&self.typed_data.digest()).is_ok_and(|signer| signer == self.payload.authorization.from)
        });
        self.payload.signature = match by_key {
            Some(signature) => signature.to_bytes().into(),
            None if self.contract_wallet && !signature.is_empty() => signature.into(),
            None => return Err(Code::PayerWalletMismatch.into()),
        };
        let payload = Verbatim::message(&self.payload);
        let offer = self.choice.offer;
        let payment = match offer.version {
            Version::V2 => PaymentPayload::V2(PaymentPayloadV2 {
                x402_version: Version::V2.number(),
                payload,
                extensions: self.extensions,
                resource: self.resource,
                accepted: offer.verbatim,
            }),
            Version::V1 => PaymentPayload::V1(PaymentPayloadV1 {
                x402_version: Version::V1.number(),
                scheme: offer.terms.scheme,
                network: offer.terms.network.v1_name().ok_or(Code::InvalidNetwork)?.into(),
                payload,
            }),
        };
        // Base64 makes four bytes of three.
        if payment.write().len().saturating_mul(4) / 3 > MAX_PAYMENT_HEADER {
            return Err(Error::new(Code::TooLarge, "the payment does not fit a header"));
        }
        Ok(payment)
    }

    /// The same payment, valid from `now`: an approval may have taken its time.
    ///
    /// # Errors
    /// `payer_validity`.
    pub fn renew(&mut self, policy: &Policy, now: UnixSeconds) -> Result<()> {
        let Authorization { from, nonce, .. } = self.payload.authorization;
        let authorization = authorize(&self.choice.terms, from, now, policy.max_validity_seconds, nonce)?;
        self.typed_data = authorization.typed_data(self.choice.terms.domain.clone());
        self.quote.valid_before = authorization.valid_before.text();
        self.payload.authorization = authorization;
        Ok(())
    }

    /// Refuses an authorization that is worth nothing any more: wallets may take their time.
    ///
    /// # Errors
    /// `payer_wallet_failed`.
    pub fn still_valid(&self, now: UnixSeconds) -> Result<()> {
        let lives = self.payload.authorization.valid_before > Amount::from(now.0);
        if lives { Ok(()) } else { Err(Error::new(Code::PayerWalletFailed, "it did not sign in time")) }
    }

    /// Seconds that the wallet may take.
    pub fn seconds_left(&self, now: UnixSeconds) -> u64 {
        let end = self.payload.authorization.valid_before.to_u64().unwrap_or(u64::MAX);
        UnixSeconds(end).since(now)
    }

    /// The EVM chain that the wallet must be on.
    pub const fn chain_id(&self) -> u64 {
        self.typed_data.domain.chain_id
    }

    /// Who pays.
    pub const fn payer(&self) -> Address {
        self.payload.authorization.from
    }

    /// The version the payment will be made in.
    pub const fn version(&self) -> Version {
        self.choice.offer.version
    }
}
