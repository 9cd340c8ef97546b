//! The x402 payer behind the npm package.
