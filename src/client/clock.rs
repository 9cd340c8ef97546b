//! Which clock an authorization's validity is counted from.

use crate::types::time::UnixSeconds;

/// Seconds two clocks may differ before the server's is taken.
const TOLERANCE: u64 = 30;
/// Seconds beyond which the server's clock is not believed: a server that names a far future would get an
/// authorization that lives until then.
const BELIEVED: u64 = 15 * 60;

/// The time to sign at: the payer's own, unless the answer's `Date` says that it is wrong by more than half a minute
/// and by no more than a quarter of an hour.
pub fn now(own: UnixSeconds, server: Option<UnixSeconds>) -> UnixSeconds {
    let Some(server) = server else { return own };
    let skew = own.0.abs_diff(server.0);
    if skew > TOLERANCE && skew <= BELIEVED { server } else { own }
}

/// The payer's own time at which an authorization is worth nothing: `own` and `signed_at` are one moment, by the payer's
/// clock and by the one that was signed at. Clocks that differ by no more than is tolerated make no difference to it.
pub fn end(own: UnixSeconds, signed_at: UnixSeconds, valid_before: UnixSeconds) -> UnixSeconds {
    valid_before.max(own.plus(valid_before.since(signed_at))).plus(TOLERANCE)
}
