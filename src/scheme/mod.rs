//! Payment schemes, one module per document in the specification's `specs/schemes/`.

pub mod exact;
