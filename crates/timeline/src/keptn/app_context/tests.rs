use super::*;

const WANTED: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";

fn seconds(at: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + at).unwrap()
}

fn seen(resource_version: u64, span_links: &[&str], ours: &[&str]) -> AppContextSeen {
    let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    AppContextSeen {
        key: crate::base::Key::new("ns", "shop"),
        resource_version: resource_version.to_string(),
        span_links: owned(span_links),
        ours: owned(ours),
    }
}

fn wanted() -> Vec<Traceparent> {
    vec![WANTED.parse().unwrap()]
}

#[test]
fn it_is_made_if_absent_and_left_if_it_is_right() {
    let mut context = AppContext::default();
    assert!(matches!(context.write(&wanted(), seconds(0)), Some(ContextWrite::Create(_))));
    assert_eq!(context.write(&wanted(), seconds(0)), None, "one write at a time");
    context.written(ContextWritten::Stored(seen(5, &[WANTED], &[WANTED])), seconds(0));
    assert_eq!(context.write(&wanted(), seconds(1)), None);
    assert_eq!(context.standing(&wanted(), seconds(1)), Standing::Linked);
}

#[test]
fn nothing_is_made_for_an_app_that_wants_nothing() {
    assert_eq!(AppContext::default().write(&[], seconds(0)), None);
}

#[test]
fn a_version_from_before_our_write_is_not_taken_for_a_reset() {
    let mut context = AppContext::default();
    context.observed(seen(3, &[], &[]), seconds(0));
    context.write(&wanted(), seconds(0)).unwrap();
    context.written(ContextWritten::Stored(seen(7, &[WANTED], &[WANTED])), seconds(0));
    context.observed(seen(5, &["user"], &[]), seconds(0));
    assert_eq!(context.standing(&wanted(), seconds(0)), Standing::Linked);
}

#[test]
fn after_five_resets_it_is_left_alone_and_tried_again_after_a_rest() {
    let mut context = AppContext::default();
    context.observed(seen(1, &["git"], &[]), seconds(0));
    let mut writes = 0;
    for round in 0..20 {
        let at = seconds(round);
        if context.write(&wanted(), at).is_some() {
            writes += 1;
            let version = 10 * (round.unsigned_abs() + 1);
            let ours = seen(version, &["git", WANTED], &[WANTED]);
            context.written(ContextWritten::Stored(ours), at);
            context.observed(seen(version + 1, &["git"], &[]), at);
        }
    }
    assert_eq!(writes, TRIES);
    assert_eq!(context.standing(&wanted(), seconds(20)), Standing::Contended);
    let later = context.due().unwrap();
    assert!(later > seconds(20));
    assert!(context.write(&wanted(), later).is_some());
}

#[test]
fn a_reset_that_the_watch_shows_before_our_own_answer_is_seen_and_counted() {
    let mut context = AppContext::default();
    context.observed(seen(1, &["git"], &[]), seconds(0));
    for round in 1..=TRIES as u64 {
        context.write(&wanted(), seconds(0)).unwrap();
        context.observed(seen(10 * round + 1, &["git"], &[WANTED]), seconds(0));
        let ours = seen(10 * round, &["git", WANTED], &[WANTED]);
        context.written(ContextWritten::Stored(ours), seconds(0));
    }
    assert_eq!(context.standing(&wanted(), seconds(0)), Standing::Contended);
    assert_eq!(context.write(&wanted(), seconds(0)), None);
}

#[test]
fn our_own_write_that_the_watch_shows_before_its_answer_is_no_reset() {
    let mut context = AppContext::default();
    let others: Vec<Traceparent> =
        (1..20_u32).map(|n| format!("00-{n:032x}-{n:016x}-01").parse().unwrap()).collect();
    for (version, wanted) in (1..).zip(&others) {
        let wanted = [*wanted];
        assert!(context.write(&wanted, seconds(0)).is_some(), "{version}");
        let text = wanted[0].to_string();
        context.observed(seen(version, &[&text], &[&text]), seconds(0));
        context.written(ContextWritten::Stored(seen(version, &[&text], &[&text])), seconds(0));
        assert_eq!(context.standing(&wanted, seconds(0)), Standing::Linked);
    }
}

#[test]
fn a_reset_after_our_write_and_before_its_answer_counts_once() {
    let mut context = AppContext::default();
    let mut writes = 0;
    for round in 1..=20 {
        if context.write(&wanted(), seconds(0)).is_some() {
            writes += 1;
            let ours = seen(10 * round, &["git", WANTED], &[WANTED]);
            context.observed(ours.clone(), seconds(0));
            context.observed(seen(10 * round + 1, &["git"], &[WANTED]), seconds(0));
            context.written(ContextWritten::Stored(ours), seconds(0));
        }
    }
    assert_eq!(writes, TRIES);
}

#[test]
fn an_answer_about_what_is_gone_by_now_brings_nothing_back() {
    let mut context = AppContext::default();
    context.write(&wanted(), seconds(0)).unwrap();
    context.gone(seconds(0));
    context.written(ContextWritten::Stored(seen(5, &[WANTED], &[WANTED])), seconds(0));
    assert!(matches!(context.write(&wanted(), seconds(0)), Some(ContextWrite::Create(_))));
}

#[test]
fn an_answer_that_there_is_none_does_not_hide_one_made_since() {
    let mut context = AppContext::default();
    context.observed(seen(1, &[], &[]), seconds(0));
    context.write(&wanted(), seconds(0)).unwrap();
    context.gone(seconds(0));
    context.observed(seen(3, &[WANTED], &[WANTED]), seconds(0));
    context.written(ContextWritten::Conflict(None), seconds(0));
    assert!(context.holds_ours());
}

#[test]
fn a_wait_ends_once_and_is_not_forgotten_before() {
    let mut context = AppContext::default();
    context.write(&wanted(), seconds(0)).unwrap();
    context.written(ContextWritten::Failed(WriteProblem::Failed(String::new())), seconds(0));
    assert!(!context.is_idle());
    let due = context.due().unwrap();
    assert!(!context.wakes(seconds(0)));
    assert!(context.wakes(due));
    assert_eq!(context.due(), None);
}

#[test]
fn a_refused_write_is_tried_again_later_and_said() {
    let mut context = AppContext::default();
    context.write(&wanted(), seconds(0)).unwrap();
    let problem = WriteProblem::Forbidden("create");
    context.written(ContextWritten::Failed(problem.clone()), seconds(0));
    assert_eq!(context.standing(&wanted(), seconds(0)), Standing::Failing(problem));
    assert_eq!(context.write(&wanted(), seconds(0)), None);
    assert!(context.write(&wanted(), context.due().unwrap()).is_some());
}

#[test]
fn one_that_our_own_write_deletes_was_not_reset() {
    for watch_is_first in [false, true] {
        let mut context = AppContext::default();
        for round in 0..10 {
            let at = seconds(round);
            let version = 10 * (round.unsigned_abs() + 1);
            assert!(matches!(context.write(&wanted(), at), Some(ContextWrite::Create(_))));
            context.written(ContextWritten::Stored(seen(version, &[WANTED], &[WANTED])), at);
            let Some(ContextWrite::Patch { links, .. }) = context.write(&[], at) else {
                panic!("our link is not taken out");
            };
            assert_eq!((links.all.len(), links.ours.len()), (0, 0));
            if watch_is_first {
                context.gone(at);
            }
            context.written(ContextWritten::Removed, at);
            context.gone(at);
            assert_eq!(context.standing(&[], at), Standing::Linked);
            assert!(context.is_idle(), "nothing is left to remember: {context:?}");
        }
    }
}

#[test]
fn one_that_was_made_again_meanwhile_is_not_forgotten() {
    let mut context = AppContext::default();
    context.observed(seen(5, &[WANTED], &[WANTED]), seconds(0));
    context.write(&[], seconds(0)).unwrap();
    context.gone(seconds(0));
    context.observed(seen(9, &["theirs"], &[]), seconds(0));
    context.written(ContextWritten::Removed, seconds(0));
    let Some(ContextWrite::Patch { resource_version, links }) =
        context.write(&wanted(), seconds(1))
    else {
        panic!("what is there is added to");
    };
    assert_eq!(resource_version, "9");
    assert_eq!(links.all, ["theirs", WANTED]);
}
