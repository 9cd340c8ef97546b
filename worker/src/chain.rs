//! Answers chain questions over JSON-RPC.

use x402_core::error::{Code, Error};
use x402_core::evm::reads::{self, Answer, MAX_ANSWER, Read};
use x402_core::facilitator::evidence::{Authorization, Proof, Stands};

use crate::http;

/// Milliseconds a node has to answer a batch.
const PATIENCE: u32 = 6_000;

/// Asks one batch of the first node that answers it; also says which one that was.
///
/// # Errors
/// `gate_chain_fault` when none does.
pub(crate) async fn ask<'u>(nodes: &'u [String], questions: &[Read]) -> Result<(Vec<Answer>, &'u str), Error> {
    let body = reads::request(questions);
    let mut fault = Error::from(Code::GateChainFault);
    for node in nodes {
        let Some((200, reply)) = http::post(node, &[], &body, PATIENCE, MAX_ANSWER).await else {
            continue;
        };
        match reads::answers(questions, &reply) {
            Ok(answers) => return Ok((answers, node)),
            Err(error) => fault = error,
        }
    }
    Err(fault)
}

/// Asks one node; none when it gives no usable answer.
pub(crate) async fn ask_one(node: &str, questions: &[Read]) -> Option<Vec<Answer>> {
    let (_, reply) = http::post(node, &[], &reads::request(questions), PATIENCE, MAX_ANSWER).await?;
    reads::answers(questions, &reply).ok()
}

/// Asks how an authorization stands and, where it was used, by what.
///
/// # Errors
/// `gate_chain_fault` when that could not be found out.
pub(crate) async fn evidence(
    nodes: &[String],
    authorization: &Authorization<'_>,
    confirmations: u64,
) -> Result<(Stands, Option<Proof>), Error> {
    let (answers, _) = ask(nodes, &authorization.standing()?).await?;
    let stands = Stands::read(&answers)?;
    let Stands::Used(height) = stands else {
        return Ok((stands, None));
    };
    let (found, _) = ask(nodes, &[authorization.search(height)?]).await?;
    let receipts = found.first().map(Authorization::receipts).unwrap_or_default();
    if receipts.is_empty() {
        return Ok((stands, None));
    }
    let (answers, _) = ask(nodes, &receipts).await?;
    Ok((stands, authorization.proof(&receipts, &answers, height, confirmations)))
}
