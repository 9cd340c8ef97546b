//! The relayer: one Durable Object per network and key, the one writer of that account's nonce.
//!
//! The first half is the way to it from a request; the second runs inside it. Whatever takes a nonce happens one after
//! another (the entry sees to that), each transaction written down before it leaves, so that nonces have no gaps and
//! nothing is sent twice. Waiting for receipts happens beside that, as many at once as there are orders; what nobody
//! waits for is looked after by the alarm (`upkeep.rs`).

use std::time::Duration;

use js_sys::Promise;
use js_sys::futures::JsFuture;
use worker::{Delay, Env};
use x402_core::error::{Code, Error};
use x402_core::evm::address::Address;
use x402_core::evm::reads::{Answer, Read};
use x402_core::facilitator::order::{self, Approach, Order, Reply};
use x402_core::facilitator::record::{Judged, Record};
use x402_core::facilitator::relayer::{self, Follow, Status};
use x402_core::facilitator::{Settlement, Transfer};
use x402_core::server::config::NetworkConfig;
use x402_core::server::gate::Gate;
use x402_core::types::network::Network;

use crate::js::{self, RelayerStub};
use crate::store::Store;
use crate::{chain, log};

/// How often a transaction is planned anew when its nonce turns out to be used.
const PLANS: usize = 3;
/// The time between two looks for a receipt, at first and at most.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LAST_LOOK: Duration = Duration::from_secs(1);
/// Seconds that a known balance is as good as a new one for a status.
const FRESH: u64 = 60;

/// Settles an order through its relayer.
pub(crate) async fn settle(env: &Env, network: &NetworkConfig, order: &Order, transfer: &Transfer) -> Settlement {
    let asked = order.relayer.and_then(|relayer| object(env, &network.network, relayer));
    let promise = asked.and_then(|stub| stub.settle(&order.write()).ok());
    match promise {
        Some(promise) => Reply::settlement(answer(promise).await.as_deref(), transfer),
        // What was begun cannot be asked about.
        None if order.begun_only => Settlement::Unknown(String::new()),
        None => Settlement::Unsent(Code::FacilitatorRelayerUnavailable.into()),
    }
}

fn object(env: &Env, network: &Network, relayer: Address) -> Option<RelayerStub> {
    let namespace = env.durable_object("RELAYER").ok()?;
    let id = namespace.id_from_name(&[network.as_str(), &relayer.to_string()].join(":")).ok()?;
    Some(id.get_stub().ok()?.into_rpc())
}

/// How a relayer is doing: a promise of its status's text; none when it cannot be asked.
pub(crate) fn status_of(env: &Env, network: &Network, relayer: Address) -> Option<Promise> {
    object(env, network, relayer)?.status(network.as_str(), &relayer.to_string()).ok()
}

async fn answer(promise: Promise) -> Option<String> {
    JsFuture::from(promise).await.ok()?.as_string()
}

/// Inside, one at a time: sends what an order asks for, unless that was done. None means that a receipt is to be
/// waited for.
pub(crate) async fn send(gate: &Gate, store: &Store, order: &str) -> Option<Reply> {
    let order = match Order::read(order) {
        Ok(order) => order,
        Err(error) => return Some(Reply::unsent(error.code())),
    };
    match try_send(gate, store, &order).await {
        Ok(reply) => reply,
        // Of what was begun before nobody can say that nothing was sent.
        Err(_) if order.begun_only => Some(Reply::Pending { transaction: String::new() }),
        Err(error) => Some(Reply::unsent(error.code())),
    }
}

/// An error says that nothing was sent, and will not be.
async fn try_send(gate: &Gate, store: &Store, order: &Order) -> Result<Option<Reply>, Error> {
    match order::approach(store.record(&order.identity)?, order, js::now()) {
        Approach::Reply(reply) => return Ok(Some(reply)),
        Approach::Wait => return Ok(None),
        Approach::Send => {}
    }
    let network = gate.config().network(&order.network)?;
    let (key, sender) = network.sender_of(order).ok_or(Code::FacilitatorRelayerUnavailable)?;
    for _ in 0..PLANS {
        let (answers, node) = chain::ask(&network.rpc, &relayer::reads(sender.relayer)).await?;
        let now = js::now();
        let before = store.account()?;
        let (chain_id, cap) = (sender.chain_id, sender.max_fee_per_gas);
        let (transaction, after) = relayer::plan(&before, &order.call, chain_id, cap, &answers, now)?;
        let signed = transaction.sign(key)?;
        let hash = signed.hash;
        let record = Record::new(order, &transaction, signed, now);
        // Written down in one turn; the runtime lets nothing leave the object before it is on disk.
        store.keep_home(&order.network, sender.relayer)?;
        store.keep_account(&after)?;
        keep(network, store, &order.identity, &record)?;
        if after.is_low(network.low_balance) && !before.is_low(network.low_balance) {
            log::warn("relayer_low", &sender.relayer.to_string());
        }
        // From here on it may be sent, if not now: only what a node refused, and is forgotten, is not. If the alarm cannot
        // be set, the next order sets it.
        let _ = set_alarm(store).await;
        let answers = chain::ask_one(node, &record.send()).await;
        let follow = relayer::follow(answers.as_deref(), &hash);
        if follow == Follow::Wait || (follow == Follow::Replan && is_mined(node, &hash).await) {
            return Ok(None);
        }
        // While the node was asked the alarm may have sent a replacement.
        let untouched = store.record(&order.identity).ok().flatten().as_ref() == Some(&record);
        if !untouched || store.forget(&order.identity).is_err() {
            return Ok(None);
        }
        store.keep_account(&store.account()?.without(transaction.nonce))?;
        if follow == Follow::Withdraw {
            break;
        }
    }
    Err(Code::FacilitatorRelayerUnavailable.into())
}

/// Whether a node that calls the nonce used means this very transaction.
async fn is_mined(node: &str, hash: &[u8; 32]) -> bool {
    let answers = chain::ask_one(node, &[Read::Receipt(*hash)]).await;
    matches!(answers.as_deref(), Some([Answer::Receipt(Some(_))]))
}

/// Inside: waits for the receipt of an order that was sent, for a bounded time.
pub(crate) async fn wait(gate: &Gate, store: &Store, order: &str) -> Result<Reply, Error> {
    let order = Order::read(order)?;
    let network = gate.config().network(&order.network)?;
    let since = js::now();
    let mut pause = FIRST_LOOK;
    loop {
        if let Some(reply) = kept(store, &order.identity)?.reply(since, js::now()) {
            return Ok(reply);
        }
        if look(network, store, &order.identity).await? {
            continue;
        }
        Delay::from(pause).await;
        pause = pause.saturating_mul(2).min(LAST_LOOK);
    }
}

/// Looks for a payment's receipts, and for evidence where they leave a doubt; whether it is decided.
async fn look(network: &NetworkConfig, store: &Store, identity: &str) -> Result<bool, Error> {
    let mut questions = vec![Read::LatestBlock];
    questions.extend(kept(store, identity)?.receipts()?);
    let Ok((answers, _)) = chain::ask(&network.rpc, &questions).await else {
        return Ok(false);
    };
    let ([_, asked @ ..], [Answer::Block(latest), answers @ ..]) = (questions.as_slice(), answers.as_slice()) else {
        return Ok(false);
    };
    // Others look for the same receipts; what they wrote meanwhile is not overwritten.
    let mut record = kept(store, identity)?;
    if record.see(latest, asked, answers, network.confirmations, js::now()) {
        keep(network, store, identity, &record)?;
    }
    if record.is_in_doubt() {
        return Ok(inquire(network, store, identity).await.unwrap_or(Judged::Open) == Judged::Decided);
    }
    Ok(!record.is_pending())
}

/// Asks the chain how a payment's authorization stands, whoever used it.
pub(crate) async fn inquire(network: &NetworkConfig, store: &Store, identity: &str) -> Result<Judged, Error> {
    let record = kept(store, identity)?;
    let authorization = record.authorization(identity);
    let (stands, proof) = chain::evidence(&network.rpc, &authorization, network.confirmations).await?;
    let mut record = kept(store, identity)?;
    let judged = record.judge(stands, proof, js::now());
    if judged == Judged::Decided {
        keep(network, store, identity, &record)?;
    }
    Ok(judged)
}

pub(crate) fn kept(store: &Store, identity: &str) -> Result<Record, Error> {
    store.record(identity)?.ok_or_else(|| Code::FacilitatorRelayerUnavailable.into())
}

pub(crate) fn keep(network: &NetworkConfig, store: &Store, identity: &str, record: &Record) -> Result<(), Error> {
    store.keep(identity, record, record.due(network.bump_after, js::now()))
}

pub(crate) async fn set_alarm(store: &Store) -> Result<(), Error> {
    if let Some(due) = store.next_due()? {
        store.wake(due, js::now()).await;
    }
    Ok(())
}

/// Inside: how this relayer is doing.
pub(crate) async fn status(gate: &Gate, store: &Store, network: &str, relayer: &str) -> Result<Status, Error> {
    let network = gate.config().network(&Network::parse(network)?)?;
    let relayer = Address::parse(relayer)?;
    let known = store.account()?.asked;
    if known.is_none_or(|asked| js::now().since(asked) >= FRESH)
        && let Ok((answers, _)) = chain::ask(&network.rpc, &[Read::Balance(relayer)]).await
        && let [Answer::Quantity(balance)] = answers.as_slice()
    {
        let account = store.account()?;
        store.keep_account(&relayer::Account { balance: Some(*balance), asked: Some(js::now()), ..account })?;
    }
    Ok(Status::new(relayer, &store.account()?, store.pending()?, network.low_balance, js::now()))
}
