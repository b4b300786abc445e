//! The fuzz targets' bodies, which are the tests' own: each crate's tests replay the corpus by them.
//!
//! `cargo +nightly fuzz run line` in the project's root; `cargo +nightly fuzz cmin line` keeps of the corpus what is needed.

#[path = "../../crates/format/tests/nginx/agreement.rs"]
mod agreement;
#[path = "../../crates/format/tests/nginx/formats.rs"]
mod formats;
#[path = "../../crates/format/tests/nginx/reference.rs"]
mod reference;
#[path = "../../crates/source/tests/source/splits.rs"]
mod splits;
#[path = "../../crates/format/tests/nginx/targets.rs"]
mod targets;
#[path = "../../crates/format/tests/nginx/writer.rs"]
mod writer;

/// Does with `data` what the target of this name does.
///
/// # Panics
///
/// At what must not be, and if there is no such target.
pub fn run(target: &str, data: &[u8]) {
    let mut targets = targets::TARGETS.iter().chain(splits::TARGETS);
    let (_, body) = targets
        .find(|(name, _)| *name == target)
        .expect("a target's name");
    body(data);
}
