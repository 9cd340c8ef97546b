//! As much of a URL as decisions need: its scheme and host, and whether it is safe to send secrets to.

use alloc::string::String;

use crate::error::{Code, Result};

/// The origin of an absolute http or https URL: scheme, host and port, host in lower case, default port left out, and so
/// is the dot that may end a name: it is the same host.
///
/// # Errors
/// `invalid_url`; also for credentials in the URL, which make a host look like another.
pub fn origin(url: &str) -> Result<String> {
    let scheme = if starts_with(url, "https://") { "https" } else { "http" };
    let host = host(url)?.to_ascii_lowercase();
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    let (name, port) = host.split_at(host.rfind(':').filter(|_| !host.ends_with(']')).unwrap_or(host.len()));
    Ok([scheme, "://", name.strip_suffix('.').unwrap_or(name), port].concat())
}

/// The host of an absolute http or https URL, with its port if it names one.
///
/// # Errors
/// `invalid_url`.
pub fn host(url: &str) -> Result<&str> {
    let length = if starts_with(url, "https://") { 8 } else { 7 };
    let http = starts_with(url, "https://") || starts_with(url, "http://");
    let rest = url.get(length..).filter(|_| http).ok_or(Code::InvalidUrl)?;
    let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let plain = !host.is_empty() && !host.contains('@') && host.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { Ok(host) } else { Err(Code::InvalidUrl.into()) }
}

/// Whether nobody on the way can read or change what is sent: https, or this very machine.
pub fn is_secure(url: &str) -> bool {
    let Ok(host) = host(url) else { return false };
    let name = if host.starts_with('[') { host.split_inclusive(']').next() } else { host.split(':').next() };
    let name = name.unwrap_or_default().to_ascii_lowercase();
    let octet = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u8>().is_ok();
    let dotted = name.split('.').count() == 4 && name.split('.').all(octet);
    starts_with(url, "https://")
        || name == "localhost"
        || name.ends_with(".localhost")
        || name == "[::1]"
        || (dotted && name.starts_with("127."))
}

fn starts_with(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
}
