//! How a target runs as a test: on the inputs that are kept for it, on inputs that are too long to
//! keep, and on what comes of mixing what is kept. `THROUGHLINE_FUZZ` says how many of the latter,
//! `THROUGHLINE_SEED` which.

use std::fmt;
use std::path::Path;

use proptest::collection;
use proptest::prelude::*;
use proptest::sample::{self, Index};
use proptest::test_runner::{Config, RngSeed, TestRunner};

pub(crate) fn holds(target: &str, default: u32, run: fn(&[u8])) {
    let kept = kept(target);
    for (name, input) in kept.iter().chain(&long()) {
        if let Err(panic) = std::panic::catch_unwind(|| run(input)) {
            eprintln!("this was {target}/{name}");
            std::panic::resume_unwind(panic);
        }
    }
    let asked = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let seed = asked("THROUGHLINE_SEED").unwrap_or(1);
    let config = Config {
        cases: asked("THROUGHLINE_FUZZ").unwrap_or(default),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed.into()),
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&mixed(kept), |input| {
        run(&input.0);
        Ok(())
    });
    assert!(outcome.is_ok(), "THROUGHLINE_SEED={seed} {target}: {outcome:?}");
}

/// The inputs that are kept in the repository, by name.
pub(crate) fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut kept: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    assert!(!kept.is_empty(), "nothing is kept for {target}");
    kept.sort();
    kept
}

/// A megabyte each of what is costly to cut, to search or to unwrap.
fn long() -> Vec<(String, Vec<u8>)> {
    let pieces: [&[u8]; 13] = [
        b"x",
        b"  \t",
        b"\n",
        b"\0\x1b",
        b"\xff\xfe",
        "\u{202e}".as_bytes(),
        b": ",
        b"\": ",
        b"Error: ",
        b"failed to resolve reference \"\": ",
        b"failed to resolve reference \"",
        b"rpc error: code = ",
        b"ImagePullBackOff\nnot found persistentvolumeclaim exceeded quota: ",
    ];
    let long = |piece: &[u8]| {
        let name = format!("a megabyte of {:?}", String::from_utf8_lossy(piece));
        (name, piece.repeat((1 << 20) / piece.len()))
    };
    pieces.into_iter().map(long).collect()
}

/// Shown as it is kept in the corpus.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Parts of what is kept, strung together, with bytes of any kind between them.
fn mixed(kept: Vec<(String, Vec<u8>)>) -> impl Strategy<Value = Input> {
    let part = (sample::select(kept), any::<[Index; 2]>()).prop_map(|((_, input), ends)| {
        let [one, other] = ends.map(|end| end.index(input.len() + 1));
        input[one.min(other)..one.max(other)].to_vec()
    });
    let made = collection::vec(any::<u8>(), 0..8);
    collection::vec(prop_oneof![2 => part, 1 => made], 0..8)
        .prop_map(|pieces| Input(pieces.concat()))
}
