//! How the protocol's messages travel.

mod base64;
pub mod http;
