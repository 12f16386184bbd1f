//! Lines and days as text.

use proptest::collection::vec;
use proptest::prelude::*;
use timeline::base::Phase::{Aborted, Promoted};
use timeline::failure::FailureClass;
use timeline::ledger::{Compacted, Day, Exposed, Line, Ref, TextError, Word};

use crate::any::line;
use crate::build::{Build, attempt, hour, ledger, second};
use crate::compacting::reread;

#[test]
fn a_line_reads_well() {
    let line = Line {
        settled: Some(second(97)),
        class: Some(FailureClass::CrashLoop),
        version: Word::new("2.0.0", 40),
        replaces: Some(Ref { revision: 11, number: 1 }),
        ..attempt(12, "6d5694bbbf", Aborted, second(0), second(95))
            .exposed_at(second(5))
            .commit("6ec3dd4bd1ea", hour(-2))
    };
    let text = "12.1@6d5694bbbf Aborted 2026-11-01T00:00:00Z ended=+95 settled=+97 \
        exposed=+5 class=CrashLoop version=2.0.0 commit=6ec3dd4bd1ea@-7200 replaces=11.1";
    assert_eq!(line.to_string(), text);
    assert_eq!(text.parse(), Ok(line));
    let inferred = Line { inferred: true, ..attempt(2, "b", Promoted, second(0), second(60)) };
    let text = "2.1@b Promoted 2026-11-01T00:00:00Z ended=~+60 exposed=yes";
    assert_eq!(inferred.to_string(), text);
}

#[test]
fn a_day_reads_well() {
    let text = "2026-11-01 deployments=12 rollbacks=1 failed-live=1 leads=60,300x4,86400";
    let day: Day = text.parse().unwrap();
    assert_eq!(day.sum.leads, [60, 300, 300, 300, 300, 86400]);
    assert_eq!(day.to_string(), text);
}

#[test]
fn what_cannot_be_read_says_what_and_where() {
    let unknown = |expected, word: &str| TextError::Unknown { expected, word: word.to_owned() };
    let start = "2.1@b Promoted 2026-11-01T00:00:00Z";
    for (text, error) in [
        (String::new(), TextError::Missing("attempt")),
        ("2.1@b".to_owned(), TextError::Missing("outcome")),
        ("2@b Promoted".to_owned(), unknown("attempt", "2@b")),
        ("2.1@ Promoted".to_owned(), unknown("attempt", "2.1@")),
        ("2.1@b Done".to_owned(), unknown("outcome", "Done")),
        ("2.1@b Promoted now".to_owned(), unknown("time", "now")),
        (format!("{start} ended=60"), unknown("number of seconds", "60")),
        (format!("{start} ended=+-60"), unknown("number of seconds", "+-60")),
        (format!("{start} ended=+9999999999999"), unknown("number of seconds", "+9999999999999")),
        (format!("{start} colour=red"), unknown("name", "colour")),
        (format!("{start} {}", "x".repeat(60)), unknown("name=value", &("x".repeat(45) + "…"))),
        (format!("{start} {}", "x".repeat(2000)), TextError::TooLong(start.len() + 2001)),
    ] {
        assert_eq!(text.parse::<Line>(), Err(error), "{text}");
    }
    for text in [
        "",
        "today",
        "2026-11-01 leads=1x5000000000",
        "2026-11-01 leads=1x0",
        "2026-11-01 leads=",
        "2026-11-01 deployments=-1",
        "2026-11-01 leads=1x4097",
    ] {
        assert!(text.parse::<Day>().is_err(), "{text}");
    }
}

#[test]
fn an_error_is_one_line_that_says_what_to_look_at() {
    let error = "2.1@b Done".parse::<Line>().unwrap_err();
    assert_eq!(error.to_string(), r#""Done" is no outcome"#);
}

proptest! {
    #[test]
    fn a_line_that_is_written_is_read_again(line in line()) {
        let text = line.to_string();
        prop_assert!(!text.chars().any(char::is_control));
        prop_assert_eq!(text.parse::<Line>(), Ok(line));
    }

    #[test]
    fn a_ledger_that_is_written_is_read_again(lines in vec(line(), 0..20)) {
        let ledger = ledger(lines);
        prop_assert_eq!(reread(&ledger), ledger);
    }

    #[test]
    fn no_text_makes_a_panic(text in "\\PC*", line in line(), cut in 0usize..200) {
        let written: String = line.to_string().chars().take(cut).collect();
        for text in [text.clone(), written.clone(), written + &text] {
            let _ = text.parse::<Line>();
            let _ = text.parse::<Day>();
            let _ = text.parse::<Compacted>();
        }
    }

    #[test]
    fn a_text_that_is_read_is_written_the_same_from_then_on(
        text in "[0-9]{1,3}\\.[0-9]@[a-z]{1,3} (Promoted|Aborted) Change 2026-11-0[1-9]T00:00:00Z\
            ( ended=\\+[0-9]{1,5})?( exposed=(yes|unknown|\\+5))?( commit=[a-f0-9é]{1,60})?",
    ) {
        let line: Line = text.parse().unwrap();
        prop_assert_eq!(line.to_string().parse::<Line>(), Ok(line.clone()));
        prop_assert!(line.exposed != Exposed::No || !text.contains("exposed"));
    }
}
