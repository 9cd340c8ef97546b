//! A book as its owner sees it: lists and counts, read from its database and never written.
//!
//! One thing is kept for it beside the records: how much of what settled was forgotten since, so that a counter does not
//! fall when a record goes.

use worker::SqlStorageValue;
use x402_core::error::Result;
use x402_core::server::audit::Found;
use x402_core::server::metrics::{Group, Summary};
use x402_core::server::ops::Ask;
use x402_core::types::json::{array, quoted};

use crate::shelf::{Row, Shelf, text};

/// What has settled and is forgotten, by token (an account without its payer, which is 43 characters) and amount.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS forgotten \
    (token TEXT NOT NULL, amount TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (token, amount)); \
    CREATE TRIGGER IF NOT EXISTS forget AFTER DELETE ON records WHEN OLD.state IN ('settled', 'owed') BEGIN \
    INSERT INTO forgotten (token, amount, count) \
    VALUES (substr(OLD.account, 1, length(OLD.account) - 43), json_extract(OLD.body, '$.amount'), 1) \
    ON CONFLICT (token, amount) DO UPDATE SET count = count + 1; END";

/// Payments of one state, token and amount; since when is the last entry of a log.
const COUNT: &str = "SELECT state, substr(account, 1, length(account) - 43), json_extract(body, '$.amount'), count(*), \
    min(json_extract(body, '$.log[#-1].at')), 1 FROM records GROUP BY 1, 2, 3 \
    UNION ALL SELECT 'settled', token, amount, count, 0, 0 FROM forgotten";

/// Records in the order of their keys. What is empty in a question is any.
const LIST: &str = "SELECT key, body FROM records WHERE key > ?1 AND (?2 = '' OR key = ?2) \
    AND (?3 = '' OR substr(account, -43) = ?3) AND (?4 = '' OR substr(account, 1, length(?4)) = ?4) \
    AND (?5 = '[]' OR state IN (SELECT value FROM json_each(?5))) \
    AND coalesce(json_extract(body, '$.log[0].at'), 0) >= ?6 AND coalesce(json_extract(body, '$.log[0].at'), 0) < ?7 \
    ORDER BY key LIMIT ?8";

/// Makes what is kept beside the records.
pub(crate) fn open(shelf: &Shelf) -> Result<()> {
    shelf.run(SCHEMA, Row::new()).map(drop)
}

/// The records that are asked for.
pub(crate) fn list(shelf: &Shelf, ask: &str) -> Result<Found> {
    let Ask { states, payer, network, since, until, key, after, limit } = Ask::read(ask)?;
    let states = array(states.iter().map(|state| quoted(state)));
    let whole = |number: u64| SqlStorageValue::from(i64::try_from(number).unwrap_or(i64::MAX));
    let limit = whole(limit.into());
    let row =
        [after.into(), key.into(), payer.into(), network.into(), states.into(), whole(since), whole(until), limit];
    let rows = shelf.run(LIST, Row::from(row))?;
    let rows = rows.iter().map(|row| Ok((text(row, 0)?.into(), text(row, 1)?.into())));
    Ok(Found { rows: rows.collect::<Result<_>>()? })
}

/// What there is.
pub(crate) fn summary(shelf: &Shelf) -> Result<Summary> {
    let group = |row: &Row| {
        Ok(Group {
            state: text(row, 0)?.into(),
            token: text(row, 1)?.into(),
            amount: text(row, 2)?.into(),
            count: number(row, 3),
            kept: number(row, 5) == 1,
            oldest: number(row, 4),
        })
    };
    let groups = shelf.run(COUNT, Row::new())?.iter().map(group).collect::<Result<_>>()?;
    let answers = shelf.run("SELECT count(*) FROM answers", Row::new())?;
    Ok(Summary { groups, answers: answers.first().map_or(0, |row| number(row, 0)) })
}

fn number(row: &Row, column: usize) -> u64 {
    match row.get(column) {
        Some(SqlStorageValue::Integer(number)) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}
