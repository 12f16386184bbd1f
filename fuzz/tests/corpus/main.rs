//! The fuzz targets as tests: on what is kept for each, and on what comes of mixing it.

#![expect(clippy::unwrap_used, reason = "a corpus that cannot be read fails the test")]
#![expect(clippy::print_stderr, reason = "which input it was is printed beside the failure")]

mod kept;

use std::collections::BTreeSet;

use kept::{holds, kept};
use throughline_fuzz::{
    abort_message, collector_answer, failure_texts, fold, journal, observe, traceparent,
};
use timeline::Kind;

#[test]
fn any_bytes_are_a_traceparent_or_are_refused() {
    holds("traceparent", 20_000, traceparent::run);
}

#[test]
fn any_message_of_an_abort_has_a_cause() {
    holds("abort_message", 20_000, abort_message::run);
}

#[test]
fn any_words_of_a_failure_are_bounded() {
    holds("failure_texts", 2_000, failure_texts::run);
}

#[test]
fn any_history_makes_journals_that_keep_their_word() {
    holds("fold", 500, fold::run);
}

#[test]
fn any_bytes_are_a_journal_that_is_read_back_or_are_refused() {
    holds("journal", 2_000, journal::run);
}

#[test]
fn any_answer_of_a_collector_means_something() {
    holds("collector_answer", 2_000, collector_answer::run);
}

#[test]
fn any_bytes_are_an_object_that_says_something_or_are_refused() {
    holds("observe", 2_000, observe::run);
}

#[test]
fn objects_of_each_kind_are_among_what_is_kept() {
    let kept = kept("observe");
    let kinds: BTreeSet<Kind> = kept.iter().flat_map(|(_, input)| observe::kinds(input)).collect();
    assert!(kinds.into_iter().eq(Kind::ALL.into_iter().chain([Kind::Pod])));
}
