//! Every reason the project can give, once.
//!
//! The strings are the protocol's own where it has one (specification `x402-specification-v2.md` §9 and the
//! scheme documents); ours carry the prefix of the role that says them: `payer_`, `gate_`, `facilitator_`, `ledger_`.
//! A peer may send any other string; such a string stays text and is never mapped to one of ours.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// A code, and what is known beyond it. One pointer, since every fallible function hands it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Reason>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reason {
    code: Code,
    detail: String,
}

/// What fallible functions of the core return.
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// An error with data for a developer: never a secret, never shown to a gate's clients.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Reason { code, detail: detail.into() }))
    }

    /// The machine-readable reason.
    pub const fn code(&self) -> Code {
        self.0.code
    }

    /// The code's sentence, and what is known beyond it.
    pub fn message(&self) -> String {
        let sentence = self.code().sentence();
        if self.detail().is_empty() { sentence.into() } else { [sentence, ": ", self.detail()].concat() }
    }

    /// What is known beyond the code; may be empty.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::new(code, String::new())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl core::error::Error for Error {}

/// The reason for a refusal or a failure.
///
/// A constant and not an enum, whose names all travel together: of constants, only those that a module can say are in
/// it, and a page that pays does not download what gates and facilitators say.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(&'static Words);

#[derive(PartialEq, Eq, Hash)]
struct Words {
    text: &'static str,
    sentence: &'static str,
}

macro_rules! codes {
    ($($name:ident $text:literal $sentence:literal)*) => {
        #[expect(non_upper_case_globals, reason = "they are used as the variants of an enum are")]
        impl Code {
            $(#[doc = $sentence] pub const $name: Self = Self(&Words { text: $text, sentence: $sentence });)*

            /// Every code, in the order of this file.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

codes! {
    // The protocol's, any role (specification v2 §9, transports-v2/http.md).
    InvalidPayload "invalid_payload" "the payment cannot be read"
    InvalidPaymentRequired "invalid_payment_required" "the terms in the 402 cannot be read"
    InvalidPaymentResponse "invalid_payment_response" "the settlement response cannot be read"
    InvalidX402Version "invalid_x402_version" "this x402 version is not spoken here"
    InvalidNetwork "invalid_network" "this network is not served here"
    InsufficientFunds "insufficient_funds" "the payer does not hold enough of the asset"
    UnsupportedScheme "unsupported_scheme" "no part here speaks this scheme on this network"
    NoMatchingRequirements "No matching payment requirements" "the payment does not match any offer of this resource"
    ExtensionEchoMismatch "extension_echo_mismatch" "the payment changed what the server said of an extension"
    PaymentRequired "Payment required" "this resource is paid"
    SettlementPending "settlement_pending" "the outcome of the settlement is not known yet"
    UnexpectedVerifyError "unexpected_verify_error" "verification failed for a reason outside the payment"
    UnexpectedSettleError "unexpected_settle_error" "settlement failed for a reason outside the payment"

    // Scheme exact on EVM (scheme_exact_evm.md and the reference's names).
    ExactEvmScheme "invalid_exact_evm_scheme" "the payment is not of scheme exact"
    ExactEvmMissingDomain "invalid_exact_evm_missing_eip712_domain" "the offer lacks the token's EIP-712 name and version"
    ExactEvmNetworkMismatch "invalid_exact_evm_network_mismatch" "the payment is for another network"
    ExactEvmSignature "invalid_exact_evm_signature" "the signature is not the payer's for these terms"
    ExactEvmRecipientMismatch "invalid_exact_evm_recipient_mismatch" "the authorization pays somebody else"
    ExactEvmValidBefore "invalid_exact_evm_payload_authorization_valid_before" "the authorization has expired or expires too soon"
    ExactEvmValidAfter "invalid_exact_evm_payload_authorization_valid_after" "the authorization is not valid yet"
    ExactEvmValueMismatch "invalid_exact_evm_payload_authorization_value_mismatch" "the authorization is not for the price"
    ExactEvmValueV1 "invalid_exact_evm_authorization_value" "the authorization is not for the price"
    AssetNotDeployed "asset_not_deployed_contract" "there is no contract at the asset's address"
    ExactEvmEip3009NotSupported "invalid_exact_evm_eip3009_not_supported" "the asset does not speak EIP-3009"
    ExactEvmNonceUsed "invalid_exact_evm_nonce_already_used" "this authorization was used or cancelled already"
    ExactEvmTokenName "invalid_exact_evm_token_name_mismatch" "the asset has another EIP-712 name than the offer says"
    ExactEvmTokenVersion "invalid_exact_evm_token_version_mismatch" "the asset has another EIP-712 version than the offer says"
    ExactEvmInsufficientBalance "invalid_exact_evm_insufficient_balance" "the payer does not hold enough of the asset"
    ExactEvmSimulationFailed "invalid_exact_evm_transaction_simulation_failed" "the transfer would fail on chain"
    ExactEvmTransactionFailed "invalid_exact_evm_transaction_failed" "the transfer failed on chain"
    ExactEvmTransferEventMismatch "invalid_exact_evm_transfer_event_mismatch" "the transaction did not make the signed transfer"
    Eip6492FactoryNotAllowed "eip6492_factory_not_allowed" "wallets that are not deployed yet are not accepted here"

    // Values.
    InvalidAmount "invalid_amount" "an amount is a decimal string of atomic units"
    InvalidAddress "invalid_address" "an address is 0x and 40 hex digits, lower-case or with its EIP-55 checksum"
    InvalidHex "invalid_hex" "expected 0x and an even number of hex digits"
    InvalidSignature "invalid_signature" "expected a 65-byte or EIP-2098 signature with a low s"
    InvalidKey "invalid_key" "expected a secp256k1 secret key of 32 bytes in hex"
    InvalidPrice "invalid_price" "a price looks like \"$0.01\", \"1 USDC\" or a string of atomic units with its asset"
    PriceRoundsToZero "price_rounds_to_zero" "the price is finer than the asset's smallest unit or zero"
    UnknownAsset "unknown_asset" "no asset of that name is known on this network"
    InvalidUrl "invalid_url" "expected an absolute http or https URL"
    TooLarge "too_large" "a message exceeds its limit"

    // The payer's own.
    PayerNothingAcceptable "payer_nothing_acceptable" "no offer passes the policy"
    PayerOverCap "payer_over_cap" "the price is above the cap for one payment"
    PayerInsecure "payer_insecure_url" "payments go over https only"
    PayerNetworkNotAllowed "payer_network_not_allowed" "the policy does not allow this network"
    PayerOriginNotAllowed "payer_origin_not_allowed" "the policy does not allow this origin"
    PayerSchemeNotAllowed "payer_scheme_not_allowed" "the policy does not allow this scheme"
    PayerInsufficientFunds "payer_insufficient_funds" "the payer's account has too little of the asset, as its node says"
    PayerAboveMaxPrice "payer_above_max_price" "the price is above what this call may cost"
    PayerQuoteChanged "payer_quote_changed" "the offer is not what was quoted"
    PayerRecipientChanged "payer_recipient_changed" "this origin was paid before and names another recipient now"
    PayerOverBudget "payer_over_budget" "the payment would exceed a budget"
    PayerReservationLost "payer_reservation_lost" "the reservation ended before the payment was sent; nothing was sent"
    PayerStoreFailed "payer_store_failed" "the payer's book could not be read or written"
    PayerStoreBroken "payer_store_broken" "the payer's book is not as it was written; nothing is signed until its owner resets it"
    PayerLogBroken "payer_log_broken" "the payer's log is not as it was written; the budgets are kept in the book and hold"
    PayerChainFault "payer_chain_fault" "the chain could not be asked"
    PayerAssetNotAllowed "payer_asset_not_allowed" "the asset is not one the payer knows"
    PayerDomainMismatch "payer_asset_domain_mismatch" "the offer names another EIP-712 domain than the asset has"
    PayerPayToNotAllowed "payer_pay_to_not_allowed" "the policy does not allow this recipient"
    PayerVersionNotAllowed "payer_version_not_allowed" "the policy does not allow this x402 version"
    PayerValidity "payer_validity" "the offer's maxTimeoutSeconds cannot be signed for"
    PayerAlreadyPaid "payer_already_paid" "the request carries a payment already; at most one is made per call"
    PayerBodyNotReplayable "payer_body_not_replayable" "the request body is a stream and cannot be sent twice; pass text, bytes, a Blob or FormData"
    PayerRedirected "payer_redirected" "the 402 came from another origin than was asked"
    PayerApprovalDenied "payer_approval_denied" "the approval callback did not allow this payment"
    PayerWalletRejected "payer_wallet_rejected" "the wallet's user refused to sign"
    PayerWalletFailed "payer_wallet_failed" "the wallet could not sign"
    PayerWalletMismatch "payer_wallet_mismatch" "the wallet's signature is not its own for what was asked"
    PayerNoRandomness "payer_no_randomness" "no secure randomness is available"
    PayerKeystore "payer_invalid_keystore" "the keystore cannot be read"
    PayerPassword "payer_wrong_password" "the password does not open the keystore"
    PayerConfig "payer_invalid_options" "the payer's options are not valid"
    PayerInternal "payer_internal" "the payer's module failed, or what was called had been freed"
    PayerNotLoaded "payer_not_loaded" "the payer's module is not loaded yet: await init() first"
    PayerNetworkFault "payer_network_fault" "the request failed before an answer came"

    // The gate's own.
    GateConfig "gate_invalid_config" "the gate's configuration is not valid"
    GateAmbiguousPath "gate_ambiguous_path" "the path can be read in more than one way"
    GateMalformedPath "gate_malformed_path" "the path is not valid"
    GateMethodNotAllowed "gate_method_not_allowed" "this method is not sold on this path"
    GateNotFound "gate_not_found" "nothing is served here"
    GateTwoPayments "gate_two_payments" "the request carries more than one payment"
    DuplicatePayment "duplicate_payment" "this payment is being used by another request, or was used by one"
    GateOriginFailed "gate_origin_failed" "the origin could not be reached"
    GatePaymentConflict "gate_payment_conflict" "this payment was presented with another request, and is bound to that one"
    GateInvalidIdentifier "gate_invalid_identifier" "the payment identifier or the idempotency key cannot be read"
    GateIdentifierRequired "gate_identifier_required" "this purchase needs a payment identifier or an idempotency key"
    GateIdentifierConflict "gate_identifier_conflict" "this identifier was used for another request"
    GateRequestTooLarge "gate_request_too_large" "the body of a paid request is larger than this gate takes"
    GateBookUnavailable "gate_book_unavailable" "the gate cannot tell what became of this payment right now"
    GateClientGone "gate_client_gone" "the client went away before anything was charged"
    GateFacilitatorFault "gate_facilitator_fault" "the facilitator gave no usable answer"
    GateFacilitatorUnavailable "gate_facilitator_unavailable" "the facilitator could not be reached"
    GateChainFault "gate_chain_fault" "the chain could not be asked"
    GateInternal "gate_internal" "the gate failed"
    GateUpgradeRefused "gate_upgrade_refused" "protocol upgrades are not sold"
    GateOriginSettlement "gate_origin_settlement" "the origin asked for another amount than was sold"
    GateUnauthorized "gate_unauthorized" "the operator's endpoints need their bearer token"
    GateInvalidQuery "gate_invalid_query" "the query cannot be read"

    // The facilitator's own.
    FacilitatorUnauthorized "facilitator_unauthorized" "the facilitator needs its bearer token"
    FacilitatorPayerNotAllowed "facilitator_payer_not_allowed" "the relayer, the recipient and the zero address cannot be the payer"
    FacilitatorFeeCap "facilitator_fee_cap" "the network's fee is above the configured cap"
    FacilitatorRelayerUnavailable "facilitator_relayer_unavailable" "the relayer cannot send now"

    // The ledger's own.
    LedgerFormat "ledger_format" "what is kept of this payment was written by another version"
    LedgerAttempts "ledger_attempts" "this payment was presented too often; nothing was charged"
    LedgerAbandoned "ledger_abandoned" "the origin may have done the work already and is not asked twice; nothing was charged"
    LedgerOwed "ledger_owed" "this payment settled and the origin failed; present the same payment again"
    LedgerAnswerGone "ledger_answer_gone" "this payment settled, and the answer it bought is not kept any longer"

    // What an origin hears that checks its gate's word (`pkg/js/origin.js`, which carries these without the module).
    OriginOptions "origin_invalid_options" "the verifier's options are not valid"
    OriginContextMissing "origin_context_missing" "the request carries no PAYMENT-CONTEXT: it is not paid"
    OriginContextInvalid "origin_context_invalid" "the PAYMENT-CONTEXT cannot be read"
    OriginContextSignature "origin_context_signature" "the PAYMENT-CONTEXT is signed by nobody in the key set"
    OriginContextExpired "origin_context_expired" "the PAYMENT-CONTEXT is not valid at this time"
    OriginContextAudience "origin_context_audience" "the PAYMENT-CONTEXT is for another resource"
    OriginContextIssuer "origin_context_issuer" "the PAYMENT-CONTEXT is another gate's"
    OriginKeysUnavailable "origin_keys_unavailable" "the gate's keys could not be fetched"
}

impl Code {
    /// The string on the wire and in JavaScript's `error.code`.
    pub const fn as_str(self) -> &'static str {
        self.0.text
    }

    /// One sentence for a person.
    pub const fn sentence(self) -> &'static str {
        self.0.sentence
    }

    /// The code with this wire string, if it is one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
