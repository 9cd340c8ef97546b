//! The gate's decisions: what is sold, for how much, whether a payment buys it, and what to answer.

pub mod answers;
pub mod api;
pub mod audit;
pub mod book;
pub mod chain;
pub mod config;
pub mod context;
pub mod cors;
pub mod gate;
pub mod matching;
pub mod metrics;
pub mod network;
pub mod offer;
pub mod ops;
pub mod pass;
pub mod path;
pub mod paywall;
pub mod price;
pub mod routes;
pub mod rule;
