//! What the fuzzer found worth keeping, replayed.

use std::fs;
use std::path::Path;

use crate::targets::TARGETS;

#[test]
fn what_the_fuzzer_kept_is_as_it_should_be() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in TARGETS {
        let files = fs::read_dir(corpus.join(name)).expect("a corpus of each target");
        for file in files {
            let path = file.expect("a file of the corpus").path();
            let data = fs::read(&path).expect("a file of the corpus");
            if std::panic::catch_unwind(|| target(&data)).is_err() {
                panic!("{name} fails on {}", path.display());
            }
        }
    }
}
