//! The relayer: one Durable Object per network and key, the one writer of that account's nonce.
//!
//! The first half is the way to it from a request; the second runs inside it. The object's orders are sent one after
//! another (the entry sees to that), each written down before its transaction leaves, so that nonces have no gaps and
//! nothing is sent twice. Waiting for receipts happens beside that, as many at once as there are orders.

use std::time::Duration;

use js_sys::Promise;
use js_sys::futures::JsFuture;
use worker::{Delay, Env};
use x402_core::error::{Code, Error};
use x402_core::evm::reads::Read;
use x402_core::facilitator::order::{self, Approach, Order, Record, Reply};
use x402_core::facilitator::relayer::{self, Follow};
use x402_core::facilitator::{Settlement, Transfer};
use x402_core::server::config::NetworkConfig;
use x402_core::server::gate::Gate;

use crate::chain;
use crate::js::{self, RelayerStub};
use crate::store::Store;

/// How often a transaction is planned anew when its nonce turns out to be used.
const PLANS: usize = 3;
/// The time between two looks for a receipt, at first and at most.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LAST_LOOK: Duration = Duration::from_secs(1);
/// The time after which a payment that nobody waits for any more is looked for.
const ALARM: Duration = Duration::from_secs(10);

/// Settles an order through its network's relayer.
pub(crate) async fn settle(env: &Env, network: &NetworkConfig, order: &Order, transfer: &Transfer) -> Settlement {
    let unsent = || Settlement::Unsent(Code::FacilitatorRelayerUnavailable.into());
    let Some(stub) = object(env, network) else {
        return unsent();
    };
    let Ok(promise) = stub.settle(&order.write()) else {
        return unsent();
    };
    let reply = answer(promise).await;
    Reply::settlement(reply.as_deref(), transfer)
}

fn object(env: &Env, network: &NetworkConfig) -> Option<RelayerStub> {
    let (_, sender) = network.sender()?;
    let namespace = env.durable_object("RELAYER").ok()?;
    let name = [network.network.as_str(), &sender.relayer.to_string()].join(":");
    let id = namespace.id_from_name(&name).ok()?;
    Some(id.get_stub().ok()?.into_rpc())
}

async fn answer(promise: Promise) -> Option<String> {
    JsFuture::from(promise).await.ok()?.as_string()
}

/// Inside, one at a time: sends what an order asks for, unless that was done. None means that a receipt is to be
/// waited for.
pub(crate) async fn send(gate: &Gate, store: &Store, order: &str) -> Option<Reply> {
    match try_send(gate, store, order).await {
        Ok(reply) => reply,
        Err(error) => Some(Reply::unsent(error.code())),
    }
}

async fn try_send(gate: &Gate, store: &Store, order: &str) -> Result<Option<Reply>, Error> {
    let order = Order::read(order)?;
    let network = gate.config().network(&order.network)?;
    let (key, sender) = network.sender().ok_or(Code::InvalidNetwork)?;
    match order::approach(store.record(&order.identity)?, &order, js::now()) {
        Approach::Reply(reply) => return Ok(Some(reply)),
        Approach::Wait => return Ok(None),
        Approach::Send => {}
    }
    for _ in 0..PLANS {
        let (answers, node) = chain::ask(&network.rpc, &relayer::reads(sender.relayer)).await?;
        let before = store.account()?;
        let plan = relayer::plan(&before, &order.call, sender.chain_id, sender.max_fee_per_gas, &answers)?;
        let (transaction, after) = plan;
        let signed = transaction.sign(key)?;
        let hash = signed.hash;
        let record = Record::new(order.clone(), transaction.nonce, signed, js::now());
        // Written down in one turn; the runtime lets nothing leave the object before it is on disk.
        store.keep_network(&order.network)?;
        store.keep_account(&after)?;
        store.keep(&order.identity, &record)?;
        store.wake(ALARM).await;
        let answers = chain::ask_one(node, &[record.send()]).await;
        let mut follow = relayer::follow(answers.as_deref(), &hash);
        if follow == Follow::Replan {
            let own = chain::ask_one(node, &[record.receipt()?]).await;
            follow = relayer::follow_used(own.as_deref());
        }
        if follow == Follow::Wait {
            return Ok(None);
        }
        store.forget(&order.identity)?;
        store.keep_account(&before)?;
        if follow == Follow::Withdraw {
            break;
        }
    }
    Err(Code::FacilitatorRelayerUnavailable.into())
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
        if let Ok((answers, _)) = chain::ask(&network.rpc, &[kept(store, &order.identity)?.receipt()?]).await {
            // Others look for the same receipt; what they wrote meanwhile is not overwritten.
            let mut record = kept(store, &order.identity)?;
            if answers.first().is_some_and(|answer| record.look(answer)) {
                store.keep(&order.identity, &record)?;
                continue;
            }
        }
        Delay::from(pause).await;
        pause = pause.saturating_mul(2).min(LAST_LOOK);
    }
}

fn kept(store: &Store, identity: &str) -> Result<Record, Error> {
    store.record(identity)?.ok_or_else(|| Code::FacilitatorRelayerUnavailable.into())
}

/// Inside: looks for everything whose outcome is not known, sends again what may have been lost, and forgets what is
/// of no use any more.
pub(crate) async fn look_again(gate: &Gate, store: &Store) -> Result<(), Error> {
    let Some(network) = store.network()? else {
        return Ok(());
    };
    let network = gate.config().network(&network)?;
    let pending = store.pending()?;
    let questions = pending.iter().map(|(_, record)| record.receipt()).collect::<Result<Vec<Read>, _>>()?;
    if !questions.is_empty()
        && let Ok((answers, _)) = chain::ask(&network.rpc, &questions).await
    {
        for ((identity, _), answer) in pending.iter().zip(&answers) {
            let mut record = kept(store, identity)?;
            if record.look(answer) {
                store.keep(identity, &record)?;
            }
        }
    }
    let pending = store.pending()?;
    let late: Vec<Read> = pending.iter().filter(|(_, of)| of.is_late(js::now())).map(|(_, of)| of.send()).collect();
    if !late.is_empty() {
        // Every node gets them: what each says is no evidence, only a receipt is.
        for node in &network.rpc {
            let _ = chain::ask_one(node, &late).await;
        }
    }
    store.prune(js::now())?;
    if let Some(seconds) = pending.iter().filter_map(|(_, record)| record.next_look(js::now())).min() {
        store.wake(Duration::from_secs(seconds)).await;
    }
    Ok(())
}
