//! Where spans hang.

use timeline::base::SpanId;
use timeline::journal::{Journal, Link, LinkKind, Placement};
use timeline::seen::AnalysisKind;
use timeline::spans;
use timeline::spans::{Parent, Span};

use crate::rich::{analysis, at, attempt, between, number, pause, seen, stated, step, trace};
use timeline::base::Moment;

fn made(journal: &Journal) -> Vec<Span> {
    spans::of(journal, 0, journal.closed).unwrap().spans
}

fn parent_of(journal: &Journal, path: &[&str]) -> SpanId {
    let id = journal.identity.span(path);
    let span = made(journal).into_iter().find(|span| span.id == id).unwrap();
    span.parent.unwrap().id
}

#[test]
fn nothing_is_made_before_it_is_decided_where_it_belongs() {
    let mut journal = attempt("h", 1);
    journal.ended = Some(seen("10:01:00"));
    number(&mut journal);
    journal.placed = None;
    assert_eq!(spans::of(&journal, 0, journal.closed), None);
}

#[test]
fn a_range_without_entries_makes_no_batch() {
    let journal = attempt("h", 1);
    assert_eq!(spans::of(&journal, 0, u32::MAX), None);
    assert_eq!(spans::of(&journal, u32::MAX, u32::MAX), None);
}

#[test]
fn the_root_is_below_keptns_span_or_has_no_parent() {
    let mut journal = attempt("h", 1);
    journal.ended = Some(seen("10:01:00"));
    number(&mut journal);
    assert_eq!(made(&journal)[0].parent, None);
    assert_eq!(made(&journal)[0].trace, journal.identity.own_trace());

    let keptn = trace(7);
    journal.placed = Some(Placement::inside(keptn));
    let root = &made(&journal)[0];
    assert_eq!(root.trace, keptn.trace_id());
    assert_eq!(root.parent, Some(Parent { id: keptn.span_id(), remote: true }));
}

#[test]
fn a_link_into_the_own_trace_is_left_out() {
    let mut journal = attempt("h", 1);
    journal.ended = Some(seen("10:01:00"));
    journal.placed = Some(Placement::inside(trace(7)));
    let link = |n| Link { traceparent: trace(n), kind: LinkKind::PreviousRevision };
    journal.links = vec![link(7), link(8)];
    number(&mut journal);
    let links: Vec<_> = made(&journal)[0].links.iter().map(|link| link.to).collect();
    assert_eq!(links, [trace(8)]);
}

#[test]
fn a_pause_of_a_step_that_is_not_in_the_journal_is_below_the_root() {
    let mut journal = attempt("h", 1);
    journal.pauses = vec![pause(Some(3), seen("10:00:01"), seen("10:00:02"))];
    number(&mut journal);
    assert_eq!(parent_of(&journal, &["pause", "0"]), journal.identity.span(&[]));
}

#[test]
fn a_background_analysis_is_below_the_root_whatever_its_step() {
    let mut journal = attempt("h", 1);
    journal.steps = vec![step(0, "setWeight", "5", seen("10:00:00"), seen("10:00:09"))];
    let mut run = analysis("a", AnalysisKind::Background, seen("10:00:01"), seen("10:00:02"));
    run.step = Some(0);
    journal.analyses = vec![run];
    number(&mut journal);
    assert_eq!(parent_of(&journal, &["analysis", "a"]), journal.identity.span(&[]));
}

#[test]
fn where_steps_begin_again_a_pause_stays_with_the_step_of_its_time() {
    let mut journal = attempt("h", 1);
    journal.steps = vec![
        step(0, "pause", "30s", seen("10:00:00.200"), seen("10:00:30")),
        step(1, "setWeight", "5", seen("10:00:30"), seen("10:00:31")),
        step(0, "pause", "60s", seen("10:00:31"), seen("10:01:31")),
    ];
    journal.pauses = vec![
        pause(Some(0), stated("10:00:00"), seen("10:00:30")),
        pause(Some(0), stated("10:00:31"), seen("10:01:31")),
    ];
    number(&mut journal);
    let step = |n: &str| journal.identity.span(&["step", n]);
    assert_eq!(parent_of(&journal, &["pause", "0"]), step("0"));
    assert_eq!(parent_of(&journal, &["pause", "1"]), step("2"));

    let mut earlier = journal.clone();
    earlier.steps.truncate(1);
    assert_eq!(parent_of(&earlier, &["pause", "0"]), step("0"), "what left is what it was");
}

#[test]
fn a_step_whose_start_was_not_seen_may_have_begun_before_its_analysis() {
    let cases = [
        (between("10:00:00", "10:05:00"), true),
        (Moment::inferred(None, at("10:05:00")), true),
        // Clocks differ by a few seconds: the analysis lasts longer.
        (seen("10:01:03"), true),
        // After the analysis was over.
        (seen("10:03:00"), false),
    ];
    for (began, below_the_step) in cases {
        let mut journal = attempt("h", 1);
        journal.steps = vec![step(2, "analysis", "t", began, seen("10:06:00"))];
        let mut run = analysis("a", AnalysisKind::Step, stated("10:01:00"), stated("10:02:00"));
        run.step = Some(2);
        journal.analyses = vec![run];
        number(&mut journal);
        let path: &[&str] = if below_the_step { &["step", "0"] } else { &[] };
        let expected = journal.identity.span(path);
        assert_eq!(parent_of(&journal, &["analysis", "a"]), expected, "{began}");
    }
}
