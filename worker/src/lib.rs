//! The x402 gate: a Cloudflare Worker that charges for any origin.
