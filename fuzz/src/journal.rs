//! Any bytes as a stored journal: a RolloutAttempt in JSON, or the lines of one, where `[steps]` and
//! the like stand above those of each list.

use api::rollout_attempt::{Moment, RolloutAttemptSpec, Trace};
use api::rollout_trace::Source;
use api::{RolloutAttempt, RolloutAttemptStatus};
use jiff::Timestamp;
use operator::explain::render;
use operator::journal::{object, read};
use timeline::spans;

const START: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// The target.
///
/// # Panics
/// If something does not hold that must.
pub fn run(data: &[u8]) {
    let given = match serde_json::from_slice(data) {
        Ok(given) => given,
        Err(_) => of_lines(&String::from_utf8_lossy(data)),
    };
    let Ok(journal) = read(&given) else { return };
    // Through JSON, as the API server stores it.
    let written = serde_json::to_vec(&object(&journal)).ok();
    let stored =
        written.and_then(|written| serde_json::from_slice::<RolloutAttempt>(&written).ok());
    let again = stored.map(|stored| read(&stored));
    assert!(again.is_some_and(|again| again.as_ref() == Ok(&journal)), "{journal:?}");

    let made = spans::of(&journal, 0, u32::MAX);
    assert!(made == spans::of(&journal, 0, u32::MAX), "the same journal, the same spans");
    let _ = render(&journal, None, START);
}

fn of_lines(text: &str) -> RolloutAttempt {
    let spec = RolloutAttemptSpec {
        rollout: "cart".to_owned(),
        rollout_uid: "uid-1".to_owned(),
        hash: "b".to_owned(),
        revision: 2,
        attempt: 1,
    };
    let mut status = RolloutAttemptStatus {
        started: Some(Moment { at: START, source: Source::Observed, not_before: None }),
        trace: Some(Trace {
            id: "28e7c919c887709c210854f40838e0d7".to_owned(),
            traceparent: String::new(),
            parent: None,
            keptn: false,
        }),
        closed: u32::MAX.into(),
        ..RolloutAttemptStatus::default()
    };
    let mut list = &mut status.steps;
    for line in text.split('\n') {
        match line {
            "[steps]" => list = &mut status.steps,
            "[pauses]" => list = &mut status.pauses,
            "[analyses]" => list = &mut status.analyses,
            "[experiments]" => list = &mut status.experiments,
            "[weights]" => list = &mut status.weights,
            "[switches]" => list = &mut status.switches,
            "[marks]" => list = &mut status.marks,
            "" => {}
            line => list.push(line.to_owned()),
        }
    }
    RolloutAttempt { status: Some(status), ..RolloutAttempt::new("cart-b-2-1", spec) }
}
