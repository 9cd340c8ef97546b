//! `config`: a configuration of any text is refused, or it is one that a gate can stand on.
//!
//! Input: the text of `gate.json`.

use x402_core::error::Code;
use x402_core::evm::address::Address;
use x402_core::evm::signature::SecretKey;
use x402_core::server::config::{Config, Facilitator, Origin, Unmatched};
use x402_core::server::gate::{Facts, Gate, Step};
use x402_core::transport::http;
use x402_core::types::url;

use super::gate::clean;
use super::world::{NOW, TOKEN, header, secret};

pub fn config(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    match Config::read(&text, &secret) {
        Ok(config) => {
            stands(config);
            true
        }
        Err(error) => {
            assert_eq!(error.code(), Code::GateConfig);
            for hidden in [TOKEN, &"22".repeat(32)] {
                assert!(text.contains(hidden) || !error.detail().contains(hidden), "a secret is in the log");
            }
            false
        }
    }
}

fn stands(config: Config) {
    let host = url::host(&config.public_origin).expect("publicOrigin has a host");
    let schemes = ["https://", "http://"].map(|scheme| [scheme, host].concat());
    assert!(schemes.iter().any(|own| own.eq_ignore_ascii_case(&config.public_origin)), "{}", config.public_origin);
    if let Origin::Url(origin) = &config.origin {
        assert!(url::host(origin).is_ok());
    }
    assert!(!config.networks.is_empty());
    for network in &config.networks {
        assert_eq!(network.network.evm_chain_id(), Some(network.chain_id));
        assert!(network.rpc.iter().all(|endpoint| url::is_secure(endpoint)));
        match &network.facilitator {
            Facilitator::Embedded(keys) => {
                let barred = |key: &SecretKey| network.rules.barred.contains(&key.address());
                assert!(!network.rpc.is_empty() && !keys.is_empty() && keys.iter().all(barred));
            }
            Facilitator::Remote(list) => {
                assert!(!list.is_empty() && list.iter().all(|remote| url::is_secure(&remote.url)));
            }
        }
    }
    if let Some(api) = &config.facilitator_api {
        assert!(api.prefix.starts_with('/') && !api.prefix.ends_with('/') && api.token.len() >= 16);
    }
    for route in &config.routes {
        let Some(listing) = &route.listing else { continue };
        assert!(!listing.offers.is_empty());
        for offer in listing.offers.iter().chain(&listing.offers_v1) {
            let terms = &offer.terms;
            assert!(!terms.amount.is_zero() && (10..=3600).contains(&terms.max_timeout_seconds));
            let pay_to = Address::parse(&terms.pay_to).unwrap();
            assert!(pay_to != Address::ZERO && pay_to.to_checksum() == terms.pay_to && terms.asset != terms.pay_to);
            assert!(config.network(&terms.network).is_ok());
        }
    }
    answers(&Gate::new(config).expect("a configuration that was read makes a gate"));
}

/// Each rule is asked for what it names: what is sold is not given, and its terms can be read.
fn answers(gate: &Gate) {
    let config = gate.config();
    for route in &config.routes {
        let Some(path) = route.pattern.literal() else { continue };
        let method = route.pattern.method.as_deref().unwrap_or("GET");
        let first = config.routes.iter().find(|other| other.pattern.takes(method) && other.pattern.matches(&path));
        let facts = Facts { method, path: &path, origin: Some("https://page.example"), ..Facts::default() };
        let answer = match gate.admit(&facts, NOW) {
            Step::Answer(answer) => answer,
            Step::Forward(_) => {
                assert!(first.is_none_or(|route| route.listing.is_none()), "{method} {path} is sold");
                assert!(first.is_some() || config.default == Unmatched::Free);
                continue;
            }
            Step::Facilitator(_) | Step::Own(_) | Step::Pay(_) | Step::Enter(_) => {
                panic!("nobody paid and nobody showed a token")
            }
        };
        // Pages are named by the configuration's owner; everything else is ours.
        clean(&answer);
        if answer.status == 402 {
            let terms = header(&answer, http::PAYMENT_REQUIRED).unwrap();
            if terms.len() <= http::MAX_RESPONSE_HEADER {
                let required = http::read_payment_required(Some(terms), None).expect("the terms are readable");
                assert_eq!(required.unread, 0);
            }
            if config.v1 && method != "HEAD" && answer.body.len() <= http::MAX_BODY {
                http::read_payment_required(None, Some(&answer.body)).expect("so is the body");
            }
        }
    }
}
