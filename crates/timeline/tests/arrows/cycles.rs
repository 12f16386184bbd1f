//! No file of the crate imports, in any number of steps, one that imports it. A `pub use` hands a
//! name on: who imports that name imports the file that it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::{files, source};

/// A path in the crate, like `["engine", "evidence"]`.
type Module = Vec<String>;

/// The modules of the crate by their path, without their tests.
struct Crate(BTreeMap<Module, String>);

impl Crate {
    fn read() -> Self {
        let modules = files(&source()).into_iter().filter(|path| !path.ends_with("tests.rs"));
        Self(modules.map(|path| (module_of(&path), code(&path))).collect())
    }

    /// The imports of a module and the names that it hands on: whether it does, the path, the name.
    fn uses(&self, module: &Module) -> Vec<(bool, Vec<String>, String)> {
        let mut found = Vec::new();
        for statement in self.0[module].split(';') {
            let lines: Vec<&str> = statement.lines().map(str::trim).collect();
            let begins = |line: &&str| {
                line.starts_with("use ") || line.contains("pub") && line.contains(" use ")
            };
            let Some(first) = lines.iter().position(begins) else { continue };
            let statement = lines[first..].join(" ");
            let Some((visibility, tree)) = statement.split_once("use ") else { continue };
            for path in expanded(tree.trim()) {
                let (path, name) =
                    path.split_once(" as ").map_or((&*path, None), |(p, n)| (p, Some(n)));
                let path: Vec<String> = path.split("::").map(|it| it.trim().to_owned()).collect();
                let name =
                    name.map_or_else(|| path.last().cloned().unwrap_or_default(), str::to_owned);
                found.push((visibility.starts_with("pub"), path, name));
            }
        }
        found
    }

    /// The module that a path, seen from another, leads to; none if that is another crate.
    fn resolve(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let mut at = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" => from.clone(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            first => {
                let child = [from.as_slice(), &[first.to_owned()]].concat();
                self.0.contains_key(&child).then_some(child)?
            }
        };
        for segment in &path[1..] {
            if segment == "super" {
                at.pop();
                continue;
            }
            let child = [at.as_slice(), std::slice::from_ref(segment)].concat();
            if self.0.contains_key(&child) {
                at = child;
                continue;
            }
            let handed_on = self.uses(&at).into_iter().find(|(is, _, name)| *is && name == segment);
            return match handed_on.filter(|_| depth > 0) {
                Some((_, path, _)) => self.resolve(&at, &path, depth - 1),
                None => Some(at),
            };
        }
        Some(at)
    }

    fn imports(&self, module: &Module) -> BTreeSet<Module> {
        let uses = self.uses(module).into_iter().filter(|(handed_on, ..)| !handed_on);
        let targets = uses.filter_map(|(_, path, _)| self.resolve(module, &path, 8));
        targets.filter(|target| target != module).collect()
    }
}

fn module_of(path: &std::path::Path) -> Module {
    let path = path.strip_prefix(source()).unwrap().with_extension("");
    let parts = path.iter().map(|part| part.to_str().unwrap().to_owned());
    parts.filter(|part| part != "mod" && part != "lib").collect()
}

/// The text of a file without comments and tests.
fn code(path: &PathBuf) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expanded(tree: &str) -> Vec<String> {
    let Some((head, rest)) = tree.split_once('{') else {
        return vec![tree.trim().to_owned()];
    };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let (mut depth, mut part, mut parts) = (0_usize, String::new(), Vec::new());
    for letter in inside.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(letter);
    }
    parts.push(part);
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    let of_part = |part: &str| match part {
        "self" => vec![head.trim_end_matches("::").to_owned()],
        part => expanded(&format!("{head}{part}")),
    };
    parts.flat_map(of_part).collect()
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let all = Crate::read();
    let mut imports: BTreeMap<&Module, BTreeSet<Module>> =
        all.0.keys().map(|module| (module, all.imports(module))).collect();
    // What imports nothing that is left is in no cycle.
    loop {
        let left: BTreeSet<Module> = imports.keys().map(|module| (*module).clone()).collect();
        let before = imports.len();
        imports.retain(|_, targets| targets.iter().any(|target| left.contains(target)));
        if imports.len() == before {
            break;
        }
    }
    let left: BTreeSet<Module> = imports.keys().map(|module| (*module).clone()).collect();
    let knots: Vec<String> = imports
        .iter()
        .map(|(module, targets)| {
            let targets = targets.intersection(&left).map(|target| target.join("::"));
            format!("{} <- {}", module.join("::"), targets.collect::<Vec<_>>().join(", "))
        })
        .collect();
    assert!(knots.is_empty(), "these import each other:\n{}", knots.join("\n"));
}

#[test]
fn paths_are_read_as_the_compiler_reads_them() {
    assert_eq!(expanded("a::{self, b, c::{d, e as f}}"), ["a", "a::b", "a::c::d", "a::c::e as f"]);
    let all = Crate::read();
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
    let of = |from: &str, path: &str| all.resolve(&module(from), &module(path), 8);
    assert_eq!(of("engine::attempts", "crate::base::Key"), Some(module("base::key")));
    assert_eq!(of("engine::attempts", "super::Effect"), Some(module("engine::effect")));
    assert_eq!(of("engine::attempts", "jiff::Timestamp"), None);
}
