//! What needs no cluster: help, completion, CRDs, wrong command lines, and output that nobody reads.

use std::fs::{File, OpenOptions};

use crate::called::{Ended, command, ended};

async fn called(args: &[&str]) -> Ended {
    ended(command(args)).await
}

#[tokio::test]
async fn each_help_fits_a_page_and_the_first_names_the_exit_codes() {
    for args in [
        ["--help"].as_slice(),
        &["explain", "--help"],
        &["dora", "--help"],
        &["uninstall", "--help"],
        &["completion", "--help"],
        &["annotate", "--help"],
        &["run", "--help"],
    ] {
        let help = called(args).await;
        assert_eq!(help.code, 0, "{help:?}");
        help.fits();
    }
    let help = called(&["--help"]).await.out;
    for line in ["0  done", "1  failed", "2  the command line", "3  the Rollout", "4  permissions"]
    {
        assert!(help.contains(line), "{line}: {help}");
    }
}

#[tokio::test]
async fn the_help_of_observe_only_says_what_is_still_written() {
    let help = called(&["run", "--help"]).await.out;
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("RolloutTraces, RolloutAttempts and Events are still written"),
        "{help}"
    );
}

#[tokio::test]
async fn three_shells_are_completed() {
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef throughline"),
        ("fish", "complete -c throughline"),
    ] {
        let script = called(&["completion", shell]).await;
        assert_eq!(script.code, 0, "{script:?}");
        assert!(script.out.contains(sign) && script.out.contains("explain"), "{}", script.out);
    }
    assert_eq!(called(&["completion", "tcsh"]).await.code, 2);
}

#[tokio::test]
async fn a_command_line_that_is_wrong_ends_with_two() {
    for args in [
        ["explain"].as_slice(),
        &["explain", "a/b/c"],
        &["dora", "-A", "-n", "shop"],
        &["dora", "--as-group", "team"],
        &["dora", "--output", "xml"],
        &["unknown"],
    ] {
        assert_eq!(called(args).await.code, 2, "{args:?}");
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_error() {
    for args in [["crds"].as_slice(), &["completion", "bash"], &["--help"]] {
        // A pipe whose reading end is closed.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(args);
        command.stdout(writer);
        let ended = command.spawn().unwrap().wait_with_output().await.unwrap();
        assert_eq!(ended.status.code(), Some(0), "{args:?}");
    }
}

#[tokio::test]
async fn a_full_disk_is_one() {
    let mut command = command(&["crds"]);
    command.stdout(OpenOptions::new().write(true).open("/dev/full").unwrap());
    command.stderr(File::create("/dev/null").unwrap());
    assert_eq!(command.spawn().unwrap().wait().await.unwrap().code(), Some(1));
}

#[tokio::test]
async fn without_a_cluster_it_says_how_to_name_one() {
    let ended = called(&["explain", "shop/cart"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (1, ""));
    assert!(ended.err.contains("--kubeconfig FILE"), "{}", ended.err);
}
