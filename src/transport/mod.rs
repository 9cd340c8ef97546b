//! How the protocol's messages travel.

pub mod http;
