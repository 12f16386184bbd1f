//! Which of the stored attempts of a Rollout is meant.

use std::collections::BTreeSet;

use api::RolloutAttempt;
use timeline::Key;

/// What was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Argo's revision number; the newest attempt's if none is given.
    pub revision: Option<i64>,
    /// Number of the attempt within the revision; the last if none is given.
    pub attempt: Option<i64>,
}

/// No stored attempt is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotThere {
    /// None is stored at all.
    #[error(
        "no attempt of {0} is stored yet: one is when the next revision begins; kubectl describe \
         rtr {name} --namespace {namespace} shows those before",
        name = .0.name,
        namespace = .0.namespace
    )]
    None(Key),
    /// Others are stored.
    #[error("no {wanted} of {rollout} is stored: there is {present}")]
    Other {
        /// The Rollout.
        rollout: Key,
        /// What was asked for, in words.
        wanted: String,
        /// What there is, in words.
        present: String,
    },
}

/// The newest of those that are meant.
pub fn choose<'a>(
    rollout: &Key,
    stored: &'a [RolloutAttempt],
    wanted: Wanted,
) -> Result<&'a RolloutAttempt, NotThere> {
    if stored.is_empty() {
        return Err(NotThere::None(rollout.clone()));
    }
    let meant = stored.iter().filter(|object| {
        wanted.revision.is_none_or(|revision| object.spec.revision == revision)
            && wanted.attempt.is_none_or(|attempt| object.spec.attempt == attempt)
    });
    // A Rollout that was deleted and made again counts its revisions from 1 again.
    let started = |object: &RolloutAttempt| {
        let started = object.status.as_ref().and_then(|status| status.started.as_ref());
        started.map(|moment| moment.at)
    };
    let newest =
        meant.max_by_key(|object| (started(object), object.spec.revision, object.spec.attempt));
    newest.ok_or_else(|| NotThere::Other {
        rollout: rollout.clone(),
        wanted: words(wanted),
        present: present(stored),
    })
}

fn words(wanted: Wanted) -> String {
    match (wanted.revision, wanted.attempt) {
        (Some(revision), Some(attempt)) => format!("attempt {attempt} of revision {revision}"),
        (None, Some(attempt)) => format!("attempt {attempt}"),
        (Some(revision), None) => format!("revision {revision}"),
        (None, None) => "attempt".to_owned(),
    }
}

/// `revision 2 (attempts 1, 2), 3`
fn present(stored: &[RolloutAttempt]) -> String {
    let revisions: BTreeSet<i64> = stored.iter().map(|object| object.spec.revision).collect();
    let lines = revisions.into_iter().map(|revision| {
        let of_revision = stored.iter().filter(|object| object.spec.revision == revision);
        let attempts: BTreeSet<i64> = of_revision.map(|object| object.spec.attempt).collect();
        let attempts: Vec<String> = attempts.iter().map(ToString::to_string).collect();
        match attempts.as_slice() {
            [only] if only == "1" => revision.to_string(),
            _ => format!("{revision} (attempts {})", attempts.join(", ")),
        }
    });
    format!("revision {}", lines.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use api::RolloutAttemptSpec;
    use api::rollout_attempt::Moment;
    use api::rollout_trace::Source;
    use jiff::Timestamp;

    use super::*;

    fn stored(revision: i64, attempt: i64, started: i64) -> RolloutAttempt {
        let spec = RolloutAttemptSpec { revision, attempt, ..RolloutAttemptSpec::default() };
        let mut object = RolloutAttempt::new("name", spec);
        let mut status = api::RolloutAttemptStatus::default();
        let at = Timestamp::from_second(started).unwrap();
        status.started = Some(Moment { at, source: Source::Observed, not_before: None });
        object.status = Some(status);
        object
    }

    fn chosen(stored: &[RolloutAttempt], revision: Option<i64>, attempt: Option<i64>) -> String {
        match choose(&Key::new("shop", "cart"), stored, Wanted { revision, attempt }) {
            Ok(object) => format!("{}#{}", object.spec.revision, object.spec.attempt),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_newest_that_is_meant_is_explained() {
        let all = [stored(3, 1, 30), stored(2, 1, 10), stored(2, 2, 20)];
        assert_eq!(chosen(&all, None, None), "3#1");
        assert_eq!(chosen(&all, Some(2), None), "2#2");
        assert_eq!(chosen(&all, Some(2), Some(1)), "2#1");
        assert_eq!(chosen(&all, None, Some(2)), "2#2");
    }

    #[test]
    fn of_a_rollout_that_was_made_again_the_newer_one_is_explained() {
        assert_eq!(chosen(&[stored(7, 1, 10), stored(1, 1, 20)], None, None), "1#1");
    }

    #[test]
    fn what_is_not_there_is_said_beside_what_is() {
        let all = [stored(3, 1, 30), stored(2, 1, 10), stored(2, 2, 20)];
        assert_eq!(
            chosen(&all, Some(7), None),
            "no revision 7 of shop/cart is stored: there is revision 2 (attempts 1, 2), 3"
        );
        assert_eq!(
            chosen(&all, Some(3), Some(2)),
            "no attempt 2 of revision 3 of shop/cart is stored: there is revision 2 (attempts 1, \
             2), 3"
        );
        assert!(chosen(&[], None, None).starts_with("no attempt of shop/cart is stored yet"));
    }
}
