//! What was answered to the API server about KeptnAppVersions.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Each answer that there is.
const ANSWERS: [&str; 5] = ["decided", "unchanged", "not_ours", "not_known", "unreadable"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    answer: &'static str,
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Admissions(Family<Label, Counter>);

impl Admissions {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let answers = Family::<Label, Counter>::default();
        // A rise from nothing to 1 is none to Prometheus; one from 0 is.
        for answer in ANSWERS {
            drop(answers.get_or_create(&Label { answer }));
        }
        registry.register(
            "admissions",
            "KeptnAppVersions that the API server asked about, by answer",
            answers.clone(),
        );
        Self(answers)
    }

    pub(super) fn answered(&self, answer: &'static str) {
        self.0.get_or_create(&Label { answer }).inc();
    }
}
