//! Answers chain questions over JSON-RPC.

use x402_core::error::{Code, Error};
use x402_core::evm::reads::{self, Answer, MAX_ANSWER, Read};

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
