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
