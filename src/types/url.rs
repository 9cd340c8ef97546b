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
    let host = before(rest, |byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    let plain = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@');
    if plain { Ok(host) } else { Err(Code::InvalidUrl.into()) }
}

/// Whether nobody on the way can read or change what is sent: https, or this very machine.
pub fn is_secure(url: &str) -> bool {
    let Ok(host) = host(url) else { return false };
    let (address, _) = host.split_once(']').unwrap_or_default();
    let name = before(host, |byte| byte == b':').to_ascii_lowercase();
    starts_with(url, "https://")
        || name == "localhost"
        || name.ends_with(".localhost")
        || address == "[::1"
        || name.strip_prefix("127.").is_some_and(|rest| octets(rest) == Some(3))
}

/// The part of a text before the first byte like this, or all of it.
fn before(text: &str, end: impl FnMut(u8) -> bool) -> &str {
    text.bytes().position(end).and_then(|end| text.get(..end)).unwrap_or(text)
}

/// How many numbers of one byte stand between the points of a text; nothing when something else does.
fn octets(text: &str) -> Option<u8> {
    let octet =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse().is_ok_and(|byte: u64| byte < 256);
    text.split('.').try_fold(0_u8, |count, part| if octet(part) { count.checked_add(1) } else { None })
}

fn starts_with(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
}
