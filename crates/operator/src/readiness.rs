//! What the operator still waits for, by name.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use timeline::Kind;
use timeline::seen::Unavailable;

/// Shared between the owner, who knows, and the admin server, who is asked.
#[derive(Clone, Default)]
pub(crate) struct Readiness {
    missing: Arc<Mutex<Option<Missing>>>,
}

/// Kinds that are not watched, and why where that is known.
type Missing = Vec<(Kind, Option<Unavailable>)>;

impl Readiness {
    /// The owner looked again. Changes are logged once; says whether there is one.
    pub(crate) fn update<'a>(
        &self,
        missing: impl Iterator<Item = (Kind, Option<&'a Unavailable>)>,
    ) -> bool {
        let mut known = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: Missing = missing.map(|(kind, why)| (kind, why.cloned())).collect();
        if known.as_ref() == Some(&missing) {
            return false;
        }
        for (kind, why) in &missing {
            let before = known.iter().flatten().find(|(known, _)| known == kind);
            if let Some(why) = why
                && before.is_none_or(|(_, before)| before.as_ref() != Some(why))
            {
                tracing::warn!(kind = kind.resource(), "{}", words(*kind, why));
            }
        }
        for (kind, _) in known.iter().flatten() {
            if !missing.iter().any(|(still, _)| still == kind) {
                tracing::info!(kind = kind.resource(), "watching");
            }
        }
        *known = Some(missing);
        true
    }

    /// Whether everything that can be looked at was looked at, and what cannot.
    ///
    /// A kind that is not installed or forbidden does not make the operator unready: the rest
    /// works, and a restart would not make it appear.
    pub(crate) fn report(&self) -> (bool, String) {
        let known = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(missing) = &*known else {
            return (false, "starting\n".to_owned());
        };
        let mut ready = true;
        let mut text = String::new();
        for (kind, why) in missing {
            let words = match why {
                None => {
                    ready = false;
                    format!("{} was not listed yet", kind.resource())
                }
                Some(why) => {
                    ready &= !matches!(why, Unavailable::Failed(_));
                    words(*kind, why)
                }
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{words}");
        }
        if text.is_empty() {
            text.push_str("everything is watched\n");
        }
        (ready, text)
    }
}

fn words(kind: Kind, why: &Unavailable) -> String {
    let resource = kind.resource();
    match why {
        Unavailable::NotInstalled => format!("{resource} is not installed; the rest goes on"),
        Unavailable::Forbidden(verb) => {
            format!("no permission to {verb} {resource}: apply config/rbac; the rest goes on")
        }
        Unavailable::Failed(error) => format!("{resource} cannot be listed: {error}"),
    }
}
