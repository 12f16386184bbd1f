use proptest::prelude::*;

use super::*;

const SHA: &str = "6ec3dd4bd1ea1f9a0f8a3b9e9e8a6b1f3d7f2c11";
const PARENT: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-21T12:00:00Z")
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn each_fact_is_read_from_each_of_its_keys_and_names_its_convention() {
    for keys in [COMMIT, COMMIT_TIME, AUTHOR, REPOSITORY, TRACEPARENT] {
        for (key, source) in keys.keys {
            let value = match keys.limit {
                64 => "2026-11-20T10:00:00Z",
                512 => PARENT,
                _ => "value",
            };
            let place = map(&[(key, value)]);
            let read = Commit::of(&[&place], now());
            let sources = [
                read.commit.map(|read| read.source),
                read.author.map(|read| read.source),
                read.repository.map(|read| read.source),
                read.traceparent.map(|read| read.source),
                match read.time {
                    CommitTime::At(_, source) => Some(source),
                    _ => None,
                },
            ];
            let sources: Vec<_> = sources.into_iter().flatten().collect();
            assert_eq!(sources, [*source], "{key}");
        }
    }
}

#[test]
fn an_earlier_key_decides_and_of_one_key_an_earlier_place() {
    let annotations = map(&[("org.opencontainers.image.revision", "image")]);
    let labels = map(&[("throughline.dev/commit", "ours"), ("throughline.dev/author", "label")]);
    let read = Commit::of(&[&annotations, &labels], now());
    assert_eq!(read.commit.unwrap().value, "ours");
    let annotations = map(&[("throughline.dev/author", "annotation")]);
    let read = Commit::of(&[&annotations, &labels], now());
    assert_eq!(read.author.unwrap().value, "annotation");
}

#[test]
fn times_are_read_as_rfc_3339_and_as_git_writes_them() {
    for text in [
        "2026-11-20T10:00:00Z",
        "2026-11-20T11:00:00+01:00",
        "2026-11-20 11:00:00 +0100",
        "Fri Nov 20 11:00:00 2026 +0100",
    ] {
        let read = CommitTime::read(text, Source::Throughline, now());
        assert_eq!(read, CommitTime::At(at("2026-11-20T10:00:00Z"), Source::Throughline), "{text}");
    }
}

#[test]
fn a_time_that_cannot_be_right_is_refused_with_its_reason() {
    for (text, why) in [
        ("yesterday", Refusal::NotATime),
        ("1732180000", Refusal::NotATime),
        ("2026-13-45T99:00:00Z", Refusal::NotATime),
        ("1970-01-01T00:00:00Z", Refusal::BeforeRepository),
        ("0001-01-01T00:00:00Z", Refusal::BeforeRepository),
        ("1999-12-31T23:59:59Z", Refusal::BeforeRepository),
        ("2026-11-21T12:00:01Z", Refusal::Future),
        ("9999-01-01T00:00:00Z", Refusal::Future),
    ] {
        let read = CommitTime::read(text, Source::Throughline, now());
        assert_eq!(read, CommitTime::Refused(why), "{text}");
    }
}

#[test]
fn a_time_that_cannot_be_right_gives_way_to_one_that_can() {
    let place = map(&[
        ("throughline.dev/commit-time", "soon"),
        ("io.openshift.build.commit.date", "2026-11-20T10:00:00Z"),
    ]);
    let time = Commit::of(&[&place], now()).time;
    assert_eq!(time, CommitTime::At(at("2026-11-20T10:00:00Z"), Source::OpenShift));
    let place = map(&[("throughline.dev/commit-time", "soon")]);
    assert_eq!(Commit::of(&[&place], now()).time, CommitTime::Refused(Refusal::NotATime));
}

#[test]
fn the_time_of_an_image_is_no_time_of_a_commit() {
    let place = map(&[("org.opencontainers.image.created", "2026-11-20T10:00:00Z")]);
    assert_eq!(Commit::of(&[&place], now()), Commit::default());
}

#[test]
fn the_commit_is_read_out_of_a_revision_of_fluxs() {
    for text in [&format!("main@sha1:{SHA}"), &format!("sha1:{SHA}"), SHA] {
        assert_eq!(digits(text), SHA);
    }
    assert_eq!(digits("v1.2.3"), "v1.2.3");
    assert_eq!(digits("main@sha1:short"), "main@sha1:short");
}

#[test]
fn a_hotfix_is_declared_by_true_alone() {
    for (value, hotfix) in [("true", true), (" True ", true), ("yes", false), ("", false)] {
        assert_eq!(Commit::of(&[&map(&[(HOTFIX, value)])], now()).hotfix, hotfix, "{value}");
    }
}

proptest! {
    #[test]
    fn any_values_are_bounded(value in "\\PC*|(?s).{0,900}", key in 0usize..16) {
        let keys = [COMMIT, COMMIT_TIME, AUTHOR, REPOSITORY, TRACEPARENT];
        let keys: Vec<_> = keys.iter().flat_map(|keys| keys.keys).collect();
        let place = map(&[(keys[key % keys.len()].0, &value)]);
        let read = Commit::of(&[&place], now());
        for text in [read.commit, read.author, read.repository].into_iter().flatten() {
            prop_assert!(text.value.len() <= 256 && !text.value.chars().any(char::is_control));
        }
    }
}
