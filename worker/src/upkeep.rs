//! Inside the relayer's object: looks after what nobody waits for, and mends what is stuck.

use x402_core::error::{Code, Error};
use x402_core::evm::reads::{Answer, Read};
use x402_core::evm::transaction::{SignedTransaction, Transaction};
use x402_core::facilitator::record::{Judged, Record};
use x402_core::facilitator::relayer::{self, Sight};
use x402_core::server::config::NetworkConfig;
use x402_core::server::gate::Gate;

use crate::relayer::{inquire, keep, kept, set_alarm};
use crate::store::Store;
use crate::{chain, js};

/// Transactions handed to a node in one batch.
const BATCH: usize = 64;

/// Looks at every payment that is due: takes its receipts, sends again what may have been lost, replaces what is stuck,
/// asks for evidence, and forgets what is of no use any more. Answers the payments that need another nonce, which are
/// [`renumber`]ed in the order of everything that takes one.
pub(crate) async fn look_again(gate: &Gate, store: &Store) -> Result<Vec<String>, Error> {
    let Some((network, relayer)) = store.home()? else {
        return Ok(Vec::new());
    };
    let network = gate.config().network(&network)?;
    let due = store.due(js::now())?;
    let mut strange = Vec::new();
    if !due.is_empty() {
        let mut questions = Vec::from(Sight::reads(relayer));
        for (_, record) in &due {
            questions.extend(record.receipts()?);
        }
        let answers = chain::ask(&network.rpc, &questions).await;
        let seen = answers.as_ref().ok().and_then(|(answers, _)| Sight::read(network.chain_id, answers).ok());
        let Work { sends, doubts } = match seen {
            Some((sight, receipts)) => {
                let key = network.sender(relayer).map(|(key, _)| key);
                let sign = |transaction: &Transaction| transaction.sign(key?).ok();
                tend(network, store, &due, &sight, receipts, &sign)?
            }
            None => put_off(network, store, &due)?,
        };
        // Every node gets them: what each says is no evidence, only a receipt is.
        for batch in sends.chunks(BATCH) {
            for node in &network.rpc {
                let _ = chain::ask_one(node, batch).await;
            }
        }
        for identity in doubts {
            if inquire(network, store, &identity).await.unwrap_or(Judged::Open) == Judged::Renumber {
                strange.push(identity);
            }
        }
    }
    store.prune(js::now())?;
    set_alarm(store).await?;
    Ok(strange)
}

/// What a look leaves to be done.
#[derive(Default)]
struct Work {
    sends: Vec<Read>,
    doubts: Vec<String>,
}

/// Takes what a node says of some payments, in one turn.
fn tend(
    network: &NetworkConfig,
    store: &Store,
    due: &[(String, Record)],
    sight: &Sight,
    receipts: &[Answer],
    sign: &dyn Fn(&Transaction) -> Option<SignedTransaction>,
) -> Result<Work, Error> {
    let mut work = Work::default();
    let mut rest = receipts;
    let now = js::now();
    for (identity, asked_about) in due {
        let asked = asked_about.receipts()?;
        let (answers, others) = rest.split_at_checked(asked.len()).ok_or(Code::GateChainFault)?;
        rest = others;
        // Others write too; what they wrote since the question is not overwritten.
        let Some(mut record) = store.record(identity)? else { continue };
        record.see(&sight.block, &asked, answers, network.confirmations, now);
        let upkeep = record.upkeep(sight, network.max_fee_per_gas, network.bump_after, now);
        let signed = upkeep.replace.and_then(|transaction| sign(&transaction).map(|signed| (transaction, signed)));
        let resend = upkeep.resend || signed.is_some();
        if let Some((transaction, signed)) = signed {
            record.add(&transaction, signed, now);
        }
        // Written down before anything leaves.
        keep(network, store, identity, &record)?;
        if resend {
            work.sends.extend(record.send());
        }
        if upkeep.evidence {
            work.doubts.push(identity.clone());
        }
    }
    Ok(work)
}

/// Nobody could be asked: all of it is looked at later, and sent again in case that is what fails.
fn put_off(network: &NetworkConfig, store: &Store, due: &[(String, Record)]) -> Result<Work, Error> {
    let mut work = Work::default();
    for (identity, _) in due {
        let Some(record) = store.record(identity)? else { continue };
        keep(network, store, identity, &record)?;
        if record.is_pending() {
            work.sends.extend(record.send());
        }
    }
    Ok(work)
}

/// One at a time: gives a payment another nonce, whose own was used by somebody else while its authorization was not.
pub(crate) async fn renumber(gate: &Gate, store: &Store, identity: &str) -> Result<(), Error> {
    let Some((network, relayer)) = store.home()? else {
        return Ok(());
    };
    let network = gate.config().network(&network)?;
    let (key, sender) = network.sender(relayer).ok_or(Code::FacilitatorRelayerUnavailable)?;
    let (answers, node) = chain::ask(&network.rpc, &relayer::reads(relayer)).await?;
    // Asked once more, and last: meanwhile it may have been used.
    if inquire(network, store, identity).await? != Judged::Renumber {
        return Ok(());
    }
    let mut record = kept(store, identity)?;
    let (chain_id, cap) = (sender.chain_id, sender.max_fee_per_gas);
    let now = js::now();
    let (transaction, after) = relayer::plan(&store.account()?, record.call(), chain_id, cap, &answers, now)?;
    let signed = transaction.sign(key)?;
    record.add(&transaction, signed, now);
    store.keep_account(&after)?;
    keep(network, store, identity, &record)?;
    set_alarm(store).await?;
    // What the node says of it is no evidence; if it did not take it, the alarm sends it again.
    let _ = chain::ask_one(node, &record.send()).await;
    Ok(())
}
