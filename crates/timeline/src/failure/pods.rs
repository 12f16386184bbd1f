//! What the pods of a ReplicaSet say.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::pod::{Finding, of_ended_pod, of_pod};
use super::{Failure, FailureClass, MESSAGE_BYTES, NAME_BYTES, REASON_BYTES, line};
use crate::base::Moment;
use crate::base::text::bounded;
use crate::seen::{ContainerSeen, PodSeen};

/// Limit of a container's name in the line: that of a DNS label.
const CONTAINER_BYTES: usize = 63;
/// Limit of the few words after an image in the line.
const WORDS_BYTES: usize = 64;
/// A ReplicaSet makes the replacement of a pod that is over at once; clocks differ.
const REPLACED_WITHIN: SignedDuration = SignedDuration::from_secs(60);
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(5);

/// What the pods of a ReplicaSet say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodsSaid {
    /// Why they are not ready, or do not stay so.
    pub failure: Option<Failure>,
    /// Why they are not ready yet, while they may only be starting. It explains a deadline that has
    /// passed, and nothing else.
    pub starting: Option<Failure>,
    /// There are pods, all of them are ready, and none keeps ending.
    pub ready: bool,
    /// There are pods, and every container of them was started: nothing keeps them from that.
    pub running: bool,
    /// Pods are not ready, and neither they nor their containers say why.
    pub silent: bool,
    /// When the same pods say something else, because time has passed.
    pub until: Option<Timestamp>,
}

/// The failure that explains best why the pods of a ReplicaSet are not ready: of the first class,
/// and of that what most pods say. The order of the pods does not matter.
///
/// - A pod that is being deleted counts as nothing: it is stopped, whatever it says.
/// - A pod that is over (evicted, rejected by its node, shut down with it) is replaced by its
///   ReplicaSet. It is evidence only while its replacement is not ready and says nothing itself.
pub fn of_pods(pods: &[&PodSeen], now: Timestamp) -> PodsSaid {
    let left = || pods.iter().copied().filter(|pod| pod.deleted.is_none());
    let live: Vec<&PodSeen> = left().filter(|pod| !is_over(pod)).collect();
    let mut findings: Vec<Finding<'_>> = Vec::new();
    let mut until = None;
    for pod in &live {
        let said = of_pod(pod, now);
        until = [until, said.until].into_iter().flatten().min();
        findings.extend(said.finding);
    }
    let (starting, findings): (Vec<_>, Vec<_>) = findings.into_iter().partition(|it| it.starting);
    let of_live = |group: usize| format!(" ({group} of {} pods)", live.len());
    let over = left().filter(|pod| is_over(pod) && counts(pod, &live));
    let over: Vec<_> = over.filter_map(of_ended_pod).collect();
    let of_over = |group: usize| {
        if group == 1 { " (1 ended pod)".to_owned() } else { format!(" ({group} ended pods)") }
    };
    PodsSaid {
        failure: best(&findings, now, of_live).or_else(|| best(&over, now, of_over)),
        starting: best(&starting, now, of_live),
        ready: !live.is_empty() && live.iter().all(|pod| pod.ready) && findings.is_empty(),
        running: !live.is_empty() && live.iter().all(|pod| runs(pod)),
        silent: live.iter().any(|pod| !pod.ready) && findings.is_empty(),
        until,
    }
}

fn is_over(pod: &PodSeen) -> bool {
    pod.over || pod.failed.is_some()
}

/// Whether a pod that is over may be why those that are left are not ready: nothing is left, or one
/// that is not ready was made when it ended.
fn counts(over: &PodSeen, live: &[&PodSeen]) -> bool {
    let ends =
        over.containers.iter().filter_map(|container| container.terminated.as_ref()?.finished);
    let Some(ended) = over.turned.into_iter().chain(ends).max() else {
        return live.iter().any(|pod| !pod.ready) || live.is_empty();
    };
    let replaces = |pod: &&&PodSeen| {
        let after = pod.created.map(|created| created.duration_since(ended));
        !pod.ready && after.is_none_or(|it| (-CLOCKS_DIFFER..=REPLACED_WITHIN).contains(&it))
    };
    live.is_empty() || live.iter().any(|pod| replaces(&pod))
}

fn runs(pod: &PodSeen) -> bool {
    let runs = |container: &ContainerSeen| container.waiting.is_none();
    pod.ready
        || pod.unscheduled.is_none()
            && !pod.containers.is_empty()
            && pod.containers.iter().all(runs)
}

fn best(
    findings: &[Finding<'_>],
    now: Timestamp,
    count: impl Fn(usize) -> String,
) -> Option<Failure> {
    let class = findings.iter().map(|finding| finding.class).min()?;
    let mut groups: BTreeMap<_, Vec<&Finding<'_>>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.class == class) {
        let of = finding.container.map(|container| (&container.name, &container.image));
        groups.entry(of).or_default().push(finding);
    }
    let group = groups.into_values().min_by_key(|group| Reverse(group.len()))?;
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &group {
        let times: &mut usize = said.entry(&finding.words).or_default();
        *times = times.saturating_add(1);
    }
    let example = group.iter().min_by_key(|finding| {
        let words = finding.words.as_str();
        (words.is_empty(), Reverse(said.get(words)), words, finding.message, &finding.pod.key)
    })?;
    Some(Failure {
        class,
        cause: None,
        reason: example.reason(&count(group.len())),
        message: bounded(example.message, MESSAGE_BYTES),
        pod: Some(bounded(&example.pod.key.name, NAME_BYTES)),
        container: example.container.map(|container| bounded(&container.name, NAME_BYTES)),
        image: example.container.map(|container| bounded(&container.image, NAME_BYTES)),
        at: Moment::observed(now),
    })
}

impl Finding<'_> {
    fn reason(&self, count: &str) -> String {
        let Some(container) = self.container else {
            return line(self.class, &[&self.words], count);
        };
        let name = bounded(&container.name, CONTAINER_BYTES);
        if self.class != FailureClass::ImagePullFailed {
            return line(self.class, &[&name, &self.words], count);
        }
        // The image is cut rather than what is wrong with it.
        let words = bounded(&self.words, WORDS_BYTES);
        let separators = ": : : ".len();
        let class = self.class.to_string();
        let others = [class.as_str(), &name, &words, count]
            .iter()
            .fold(separators, |all, text| all.saturating_add(text.len()));
        let image = bounded(&container.image, REASON_BYTES.saturating_sub(others));
        line(self.class, &[&name, &image, &words], count)
    }
}
