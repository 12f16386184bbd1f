//! What the numbers were measured with.

use std::path::Path;
use std::process::Command;

use crate::cluster::programs::{Module, Program};

/// Cores, processor, memory and kernel.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let kilobytes = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kilobytes = kilobytes.trim_end_matches(" kB").parse::<u64>();
    let memory = kilobytes.map_or_else(|_| "?".into(), |kb| (kb >> 20).to_string());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What stands behind the number names the builder, not the kernel.
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    format!("{cores} cores of {model}, {memory} GiB, Linux {kernel}")
}

/// How many processes wanted to run, on average over the last minute.
pub(super) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Versions of the programs of the cluster, as their go.mod pins them.
pub(super) fn programs() -> String {
    let text = std::fs::read_to_string(Module::Kubernetes.folder().join("go.mod"));
    let text = text.unwrap_or_default();
    let pinned = [
        (Program::KubeApiserver.name(), "k8s.io/kubernetes"),
        (Program::Etcd.name(), "go.etcd.io/etcd/server/v3"),
        ("argo-rollouts", "github.com/argoproj/argo-rollouts"),
    ];
    let pinned = pinned.map(|(name, module)| format!("{name} {}", version(&text, module)));
    pinned.join(", ")
}

fn version<'a>(go_mod: &'a str, module: &str) -> &'a str {
    let of = |line: &'a str| {
        let mut words = line.trim().trim_start_matches("require ").split(' ');
        (words.next() == Some(module)).then(|| words.next())?
    };
    go_mod.lines().find_map(of).unwrap_or("?")
}

/// What a program says about its version, and how it was built as far as its path says.
pub(super) fn operator(program: &Path) -> String {
    let said = Command::new(program).arg("--version").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let profile = ["release", "debug"]
        .into_iter()
        .find(|profile| program.iter().any(|part| part == *profile));
    let size = std::fs::metadata(program).map_or(0, |file| file.len());
    format!(
        "{}{}, {} build, program of {}",
        said.unwrap_or_default(),
        bracketed(&commit()),
        profile.unwrap_or("unknown"),
        super::megabytes(size)
    )
}

fn bracketed(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(" ({words})") }
}

/// Of the checkout; empty without one.
pub(super) fn commit() -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    match git.output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => String::new(),
    }
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_go_mod() {
        let text =
            "require (\n\tk8s.io/kubernetes v1.36.2\n\tk8s.io/kubernetes/x v9 // indirect\n)";
        assert_eq!(version(text, "k8s.io/kubernetes"), "v1.36.2");
        assert_eq!(version(text, "absent"), "?");
        assert!(!programs().contains('?'), "{}", programs());
    }
}
