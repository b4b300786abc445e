//! What the fuzzer found worth keeping, replayed.

use std::path::Path;

use crate::splits::TARGETS;

#[test]
fn what_the_fuzzer_kept_is_as_it_should_be() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in TARGETS {
        for file in std::fs::read_dir(corpus.join(name)).unwrap() {
            let path = file.unwrap().path();
            let data = std::fs::read(&path).unwrap();
            if std::panic::catch_unwind(|| target(&data)).is_err() {
                panic!("{name} fails on {}", path.display());
            }
        }
    }
}
