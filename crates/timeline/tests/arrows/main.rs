//! Which module of the crate may know which. An arrow that the table lacks is a step towards a
//! knot: move what both need further down instead of adding it.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

mod cycles;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up: each module and those that it may use.
const ARROWS: [(&str, &[&str]); 12] = [
    ("base", &[]),
    ("seen", &["base"]),
    ("chain", &["base", "seen"]),
    ("keptn", &["base", "seen", "chain"]),
    ("failure", &["base", "seen"]),
    ("journal", &["base", "seen", "chain", "failure"]),
    ("spans", &["base", "seen", "failure", "journal"]),
    ("ledger", &["base", "seen", "failure", "journal"]),
    ("dora", &["base", "seen", "ledger"]),
    ("stored", &["base", "seen", "chain", "keptn", "journal", "ledger", "dora"]),
    ("outbox", &["base", "seen", "journal", "spans", "ledger", "stored"]),
    (
        "engine",
        &[
            "base", "seen", "chain", "keptn", "failure", "journal", "spans", "ledger", "dora",
            "stored", "outbox",
        ],
    ),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules at the root of the crate that a file names, outside of comments.
fn named(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: Vec<&str> = code.collect();
    let code = code.join("\n");
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let grouped = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
        for name in grouped.unwrap_or(rest).split(',') {
            let name = name.trim().split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
            names.extend(name.filter(|name| !name.is_empty()).map(ToOwned::to_owned));
            if grouped.is_none() {
                break;
            }
        }
    }
    names
}

#[test]
fn every_module_stands_in_the_table_and_uses_only_those_before_it() {
    let mut modules: BTreeSet<String> = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in files(&source()) {
        let relative = path.strip_prefix(source()).unwrap().to_owned();
        let module = relative.iter().next().unwrap().to_str().unwrap();
        if module == "lib.rs" {
            continue;
        }
        modules.insert(module.to_owned());
        let allowed = ARROWS.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
        let allowed = allowed.unwrap_or_default();
        for name in named(&path) {
            if name != module && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} uses {name}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not in the table:\n{}", wrong.join("\n"));
    let table: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(modules, table);
}

#[test]
fn the_table_has_no_cycle() {
    for (place, (module, allowed)) in ARROWS.iter().enumerate() {
        for name in *allowed {
            let below = ARROWS[..place].iter().any(|(before, _)| before == name);
            assert!(below, "{module} uses {name}, which does not stand before it");
        }
    }
}
