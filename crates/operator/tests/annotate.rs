//! `throughline annotate`: what it adds, what it leaves alone, and what it refuses.

#![expect(clippy::unwrap_used, reason = "what a test itself makes is as it should be")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use jiff::Timestamp;
use operator::annotate::{AnnotateError, Annotated, Facts, Git, Given, Place, annotate};
use proptest::prelude::*;
use timeline::seen::commit::{Commit, CommitTime, Source};

const SHA: &str = "6ec3dd4bd1ea06b5a3d8ff6a4bd0b2b7a3e0c1d2";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn given() -> Given {
    Given {
        commit: Some(SHA.to_owned()),
        commit_time: Some("2026-11-20T11:02:03+01:00".to_owned()),
        ..Given::default()
    }
}

fn found(given: Given) -> Result<Facts, AnnotateError> {
    Facts::find(given, Err("no git here".to_owned()), now())
}

fn facts() -> Facts {
    found(given()).unwrap()
}

fn annotated(manifest: &str) -> Annotated {
    annotate(manifest, &facts(), Place::Rollout).unwrap()
}

/// The two lines, indented so far.
fn lines(indent: usize) -> String {
    let indent = " ".repeat(indent);
    format!(
        "{indent}throughline.dev/commit: \"{SHA}\"\n\
         {indent}throughline.dev/commit-time: \"2026-11-20T10:02:03Z\"\n"
    )
}

const HEAD: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\n";

#[test]
fn lines_are_added_and_nothing_else_changes() {
    // What is there, where «+» stands for the new lines and their indentation.
    let cases = [
        ("annotations there", "metadata:\n  name: cart\n  annotations:\n+4    a: b # why\n"),
        ("none there", "metadata:\n+annotations2  name: cart\n"),
        ("braces", "metadata:\n  annotations:\n+4  name: cart\nspec: {}\n"),
        (
            "a comment and an empty line",
            "# ours\nmetadata: # the name\n+annotations2  # of it\n\n  name: cart\n",
        ),
        ("deep", "metadata:\n      annotations:\n+8        a: b\n      name: cart\n"),
        (
            "a text that looks like keys",
            "spec:\n  x: |\n    metadata:\n      annotations:\n        a: b\nmetadata:\n+annotations2  name: cart\n",
        ),
        (
            "a list at the level of its key",
            "metadata:\n  finalizers:\n  - a\n  annotations:\n+4    a: |\n      throughline.dev/commit: no\n",
        ),
    ];
    for (name, case) in cases {
        let mut before = HEAD.to_owned();
        let mut after = HEAD.to_owned();
        for line in case.split_inclusive('\n') {
            let mut line = line.to_owned();
            if let Some(rest) = line.strip_prefix("+annotations2") {
                after.push_str("  annotations:\n");
                after.push_str(&lines(4));
                line = rest.to_owned();
            }
            for indent in [4, 8] {
                if let Some(rest) = line.strip_prefix(&format!("+{indent}")) {
                    after.push_str(&lines(indent));
                    line = rest.to_owned();
                }
            }
            after.push_str(&line);
            before.push_str(&line);
        }
        let before = match name {
            "braces" => before.replace("annotations:\n", "annotations: {}\n"),
            _ => before,
        };
        let annotated = annotated(&before);
        assert_eq!(annotated.text, after, "{name}");
        assert_eq!(annotated.rewritten, Vec::<String>::new(), "{name}");
        assert_eq!(annotated.rollouts.len(), 1, "{name}");
    }
}

#[test]
fn done_twice_it_is_as_done_once_and_a_newer_commit_takes_the_place() {
    let manifest = format!("{HEAD}metadata:\n  name: cart\n  annotations:\n    a: b\n");
    let once = annotated(&manifest).text;
    assert_eq!(annotated(&once).text, once);
    let newer = Given { commit: Some("abcdef0123".to_owned()), ..given() };
    let newer = annotate(&once, &found(newer).unwrap(), Place::Rollout).unwrap().text;
    assert_eq!(newer, once.replace(SHA, "abcdef0123"));
    // Quoted keys are the same keys.
    let quoted = once.replace("throughline.dev/commit:", "'throughline.dev/commit':");
    assert_eq!(annotated(&quoted).text, once);
}

#[test]
fn documents_without_a_rollout_pass_byte_for_byte() {
    let other = "# first\napiVersion: v1\nkind: Service\nmetadata: {name: cart}  \n";
    let odd = "---\r\nkind: ConfigMap\r\ndata:\r\n  a: \"\\u00e9 é\"\r\n\r\n";
    let helm = "---\n{{- if .Values.on }}\nkind: Service\n{{- end }}\n";
    let foreign = "---\napiVersion: example.dev/v1\nkind: Rollout\nmetadata: {name: x}\n";
    let rollout = format!("--- # ours\n{HEAD}metadata:\n  name: cart\n  namespace: shop\n");
    let manifest = format!("{other}{odd}{helm}{foreign}{rollout}---\n# the end");
    let annotated = annotated(&manifest);
    let ours = rollout.replace("metadata:\n", &format!("metadata:\n  annotations:\n{}", lines(4)));
    assert_eq!(annotated.text, format!("{other}{odd}{helm}{foreign}{ours}---\n# the end"));
    assert_eq!(annotated.rollouts, ["shop/cart"]);
}

#[test]
fn the_pod_template_is_annotated_on_request() {
    let manifest = format!(
        "{HEAD}metadata:\n  name: cart\nspec:\n  template:\n    metadata:\n      labels:\n        \
         app: cart\n    spec: {{}}\n"
    );
    let annotated = annotate(&manifest, &facts(), Place::PodTemplate).unwrap();
    let inner = format!("    metadata:\n      annotations:\n{}", lines(8));
    assert_eq!(annotated.text, manifest.replace("    metadata:\n", &inner));

    let referring = format!("{HEAD}metadata: {{name: cart}}\nspec:\n  workloadRef: {{name: x}}\n");
    let error = annotate(&referring, &facts(), Place::PodTemplate).unwrap_err().to_string();
    assert!(error.contains("spec.template is no mapping") && error.contains("without"), "{error}");
}

#[test]
fn where_no_line_can_be_added_the_document_is_written_anew_and_that_is_said() {
    let flow = format!("{HEAD}metadata: {{name: cart, annotations: {{a: b}}}}\n");
    let json = r#"{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "cart"}}"#;
    let list = "kind: List\napiVersion: v1\nitems:\n- apiVersion: argoproj.io/v1alpha1\n  kind: Rollout\n  \
         metadata:\n    name: cart\n";
    for manifest in [flow.as_str(), json, list] {
        let annotated = annotated(manifest);
        assert_eq!(annotated.rewritten, ["cart"], "{}", annotated.text);
        assert!(annotated.text.contains(SHA), "{}", annotated.text);
        assert_eq!(self::annotated(&annotated.text).text.matches(SHA).count(), 1);
    }
}

#[test]
fn lines_end_as_those_around_them() {
    let manifest = format!("{HEAD}metadata:\n  name: cart\n").replace('\n', "\r\n");
    let text = annotated(&manifest).text;
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert!(text.contains("  annotations:\r\n    throughline.dev/commit: "), "{text:?}");
}

#[test]
fn what_is_written_is_what_the_operator_reads() {
    let given = Given {
        author: Some("Ada \"Countess\" Lovelace: #1 'é'".to_owned()),
        repository: Some("git@git.example.com:shop/cart.git".to_owned()),
        traceparent: Some(TRACE.to_owned()),
        hotfix: true,
        ..given()
    };
    let author = given.author.clone();
    let facts = found(given).unwrap();
    let manifest = format!("{HEAD}metadata:\n  name: cart\n");
    let text = annotate(&manifest, &facts, Place::Rollout).unwrap().text;
    let value: serde_norway::Value = serde_norway::from_str(&text).unwrap();
    let annotations: BTreeMap<String, String> =
        serde_norway::from_value(value["metadata"]["annotations"].clone()).unwrap();
    let commit = Commit::of(&[&annotations], now());
    assert_eq!(commit.commit.map(|sourced| sourced.value).as_deref(), Some(SHA));
    let at = "2026-11-20T10:02:03Z".parse().unwrap();
    assert_eq!(commit.time, CommitTime::At(at, Source::Throughline));
    assert_eq!(commit.author.map(|sourced| sourced.value), author);
    let repository = commit.repository.map(|sourced| sourced.value);
    assert_eq!(repository.as_deref(), Some("ssh://git@git.example.com/shop/cart.git"));
    assert_eq!(commit.traceparent.map(|sourced| sourced.value.to_string()).as_deref(), Some(TRACE));
    assert!(commit.hotfix);
}

#[test]
fn flags_win_over_git_and_no_secret_comes_out_of_a_remote() {
    let git = Git {
        commit: SHA.to_owned(),
        time: "2026-11-20T10:00:00Z".to_owned(),
        author: "Ada\u{202e}\n".to_owned(),
        repository: Some("https://bot:secret@git.example.com/shop/cart.git".to_owned()),
    };
    let author = Some("Grace".to_owned());
    let facts = Facts::find(Given { author, ..Given::default() }, Ok(git.clone()), now()).unwrap();
    let expected = [
        ("throughline.dev/commit", SHA),
        ("throughline.dev/commit-time", "2026-11-20T10:00:00Z"),
        ("throughline.dev/author", "Grace"),
        ("throughline.dev/repository", "https://git.example.com/shop/cart.git"),
    ];
    let added: Vec<_> = facts.iter().map(|(key, value)| (*key, value.as_str())).collect();
    assert_eq!(added, expected);
    // A clone of a folder has no URL that anybody else could use.
    let local = Git { repository: Some("/srv/git/cart".to_owned()), ..git };
    let facts = Facts::find(Given::default(), Ok(local), now()).unwrap();
    assert!(facts.iter().all(|(key, _)| !key.ends_with("repository")));
}

#[test]
fn a_bad_value_is_refused_with_what_to_give() {
    let with = |change: &dyn Fn(&mut Given)| {
        let mut given = given();
        change(&mut given);
        found(given).unwrap_err().to_string()
    };
    let some = |text: &str| Some(text.to_owned());
    let cases = [
        (with(&|it| it.commit = some("v1.2.3")), "git rev-parse HEAD"),
        (with(&|it| it.commit = some("abc")), "7 to 64"),
        (with(&|it| it.commit = None), "--commit SHA"),
        (with(&|it| it.commit_time = some("yesterday")), "git log -1 --format=%cI"),
        (with(&|it| it.commit_time = some("2027-01-01T00:00:00Z")), "in the future"),
        (with(&|it| it.commit_time = some("1970-01-01T00:00:00Z")), "before 2000"),
        (with(&|it| it.commit_time = some("")), "leave it out"),
        (with(&|it| it.author = some("a\nb")), "one line"),
        (with(&|it| it.author = some(&"a".repeat(200))), "at most 128 bytes"),
        (with(&|it| it.repository = some("shop/cart")), "https://"),
        (with(&|it| it.repository = some("file:///srv/git")), "https://"),
        (with(&|it| it.repository = some("https://a:b@git.example.com/x")), "leave that out"),
        (with(&|it| it.traceparent = some("00-0-0-00")), "unset TRACEPARENT"),
    ];
    for (error, next) in cases {
        assert!(error.contains(next), "{error:?} does not say {next:?}");
        assert!(!error.contains("a:b@"), "{error}");
    }
    let broken = format!("{HEAD}metadata:\n  name: cart\n---\n{HEAD}metadata: [\n");
    let error = annotate(&broken, &facts(), Place::Rollout).unwrap_err().to_string();
    assert!(error.contains("line 5") && error.contains("helm template"), "{error}");
    let shape = format!("{HEAD}metadata: cart\n");
    let error = annotate(&shape, &facts(), Place::Rollout).unwrap_err().to_string();
    assert!(error.contains("metadata is no mapping"), "{error}");
}

/// Runs the command in a folder.
fn throughline(folder: &std::path::Path, args: &[&str], manifest: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_throughline"))
        .arg("annotate")
        .args(args)
        .env("TRACEPARENT", TRACE)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn in_a_checkout_git_and_the_environment_are_read() {
    let folder = std::env::temp_dir().join(format!("throughline-annotate-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = format!("{HEAD}metadata:\n  name: cart\n");
    let outside = throughline(&folder, &[], &manifest);
    assert!(!outside.status.success() && outside.stdout.is_empty());
    assert!(String::from_utf8_lossy(&outside.stderr).contains("give --commit SHA"));

    let git = |args: &[&str]| {
        let date = "2026-01-02T03:04:05+00:00";
        let status = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(args)
            .env("GIT_COMMITTER_DATE", date)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .current_dir(&folder)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "git {args:?}");
    };
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "first"]);
    git(&["remote", "add", "origin", "https://git.example.com/shop/cart"]);
    let inside = throughline(&folder, &[], &manifest);
    std::fs::write(folder.join("rollout.yaml"), &manifest).unwrap();
    let from_file = throughline(&folder, &["-f", "rollout.yaml"], "");
    std::fs::remove_dir_all(&folder).unwrap();
    let text = String::from_utf8_lossy(&inside.stdout);
    for line in [
        "throughline.dev/commit-time: \"2026-01-02T03:04:05Z\"",
        "throughline.dev/author: \"Ada\"",
        "throughline.dev/repository: \"https://git.example.com/shop/cart\"",
        &format!("throughline.dev/traceparent: \"{TRACE}\""),
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(String::from_utf8_lossy(&inside.stderr), "");
    assert_eq!(inside.stdout, from_file.stdout);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\PC|[-{}\\[\\]:#|>&*!\"'\n\r\t ]){0,80}", tail in any::<bool>()) {
        let manifest = if tail { format!("{text}\n---\n{HEAD}{text}") } else { format!("{HEAD}{text}") };
        if let Ok(annotated) = annotate(&manifest, &facts(), Place::Rollout) {
            prop_assert!(annotated.rollouts.is_empty() || annotated.text.contains(SHA));
        }
        if !text.contains("Rollout") {
            let passed = annotate(&text, &facts(), Place::PodTemplate).unwrap();
            prop_assert_eq!(passed.text, text);
        }
    }
}
