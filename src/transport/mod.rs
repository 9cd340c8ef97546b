//! How the protocol's messages travel.

pub(crate) mod base64;
pub mod http;
