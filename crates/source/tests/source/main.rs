//! Log files in a folder, found, planned and read through the public functions.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its stage may panic"
)]

mod blocks;
mod corpus;
mod discover;
mod feed;
mod follow;
mod identity;
mod seen;
mod snapshot;
mod splits;
mod world;
