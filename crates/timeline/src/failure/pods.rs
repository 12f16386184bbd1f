//! What the pods of a ReplicaSet say.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Failure, FailureClass, MESSAGE_BYTES, NAME_BYTES, REASON_BYTES, kubelet, line};
use crate::base::Moment;
use crate::base::text::bounded;
use crate::seen::{ContainerSeen, PodSeen};

/// Limit of a container's name in the line: that of a DNS label.
const CONTAINER_BYTES: usize = 63;
/// Limit of the few words after an image in the line.
const WORDS_BYTES: usize = 64;

/// What one pod says.
struct Finding<'a> {
    class: FailureClass,
    /// What the line says beside container and image; may be empty.
    words: String,
    /// The words of the kubelet or the scheduler.
    message: &'a str,
    pod: &'a PodSeen,
    container: Option<&'a ContainerSeen>,
}

/// The failure that explains best why the pods of a ReplicaSet are not ready: of the first class,
/// and of that what most pods say. The order of the pods does not matter.
///
/// A pod that runs and is not ready counts as [`FailureClass::ProbeFailed`], although it may only be
/// starting: see [`super::decide`] for how little that weighs. One that is being deleted counts as
/// nothing: it is stopped, whatever it says.
pub fn of_pods(pods: &[&PodSeen], now: Timestamp) -> Option<Failure> {
    let pods: Vec<_> = pods.iter().filter(|pod| pod.deleted.is_none()).collect();
    let findings: Vec<_> = pods.iter().filter_map(|pod| of_pod(pod)).collect();
    let class = findings.iter().map(|finding| finding.class).min()?;
    let mut groups: BTreeMap<_, Vec<&Finding<'_>>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.class == class) {
        let of = finding.container.map(|container| (&container.name, &container.image));
        groups.entry(of).or_default().push(finding);
    }
    let group = groups.into_values().min_by_key(|group| Reverse(group.len()))?;
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &group {
        *said.entry(&finding.words).or_default() += 1;
    }
    let told = group.iter().min_by_key(|finding| {
        let words = finding.words.as_str();
        (words.is_empty(), Reverse(said.get(words)), words, finding.message, &finding.pod.key)
    })?;
    Some(Failure {
        class,
        cause: None,
        reason: told.reason(&format!(" ({} of {} pods)", group.len(), pods.len())),
        message: bounded(told.message, MESSAGE_BYTES),
        pod: Some(bounded(&told.pod.key.name, NAME_BYTES)),
        container: told.container.map(|container| bounded(&container.name, NAME_BYTES)),
        image: told.container.map(|container| bounded(&container.image, NAME_BYTES)),
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
        let separators = 3 * ": ".len();
        let others = self.class.to_string().len() + name.len() + words.len() + count.len();
        let image = bounded(&container.image, REASON_BYTES.saturating_sub(others + separators));
        line(self.class, &[&name, &image, &words], count)
    }
}

fn of_pod(pod: &PodSeen) -> Option<Finding<'_>> {
    if pod.ready {
        return None;
    }
    let whole = |(class, words, message)| Finding { class, words, message, pod, container: None };
    // Its containers were stopped because of it.
    if let Some((reason, message)) = pod.failed.as_ref().filter(|(reason, _)| !reason.is_empty()) {
        return Some(whole(failed(reason, message)));
    }
    let unscheduled = pod.unscheduled.as_ref().and_then(|(reason, message)| {
        // Gates are lifted by whoever set them; Keptn holds pods by one.
        (reason != "SchedulingGated").then(|| whole(unscheduled(reason, message)))
    });
    // Before all init containers have ended the others wait, and one that runs is at its work.
    let initializing = pod.containers.iter().any(|container| {
        container.waiting.as_ref().is_some_and(|(reason, _)| reason == "PodInitializing")
    });
    let containers = pod.containers.iter().filter_map(|container| {
        let (class, words, message) = of_container(container, initializing)?;
        Some(Finding { class, words, message, pod, container: Some(container) })
    });
    unscheduled.into_iter().chain(containers).min_by_key(|finding| finding.class)
}

/// A class, what the line says, and whose words they are.
type Said<'a> = (FailureClass, String, &'a str);

/// A pod that failed as a whole: reasons of pkg/kubelet/eviction, lifecycle, nodeshutdown,
/// active_deadline.go and cm.
fn failed<'a>(reason: &'a str, message: &'a str) -> Said<'a> {
    use FailureClass::{
        AdmissionRefused, DeadlineExceeded, OutOfMemory, Unknown, Unschedulable, VolumeFailed,
    };
    // The node was low on resource: memory. … / The node had condition: [MemoryPressure].
    let low_on_memory =
        ["low on resource: memory", "[MemoryPressure]"].iter().any(|sign| message.contains(sign));
    let class = match reason {
        "Evicted" if low_on_memory => OutOfMemory,
        "VolumeAttachmentLimitExceeded" => VolumeFailed,
        _ if kubelet::about_volume(message) => VolumeFailed,
        "Evicted"
        | "Preempting"
        | "Preempted"
        | "NodeAffinity"
        | "NodeName"
        | "NodePorts"
        | "NodeUnschedulable"
        | "TaintToleration"
        | "TopologyAffinityError"
        | "PodOSSelectorNodeLabelDoesNotMatch"
        | "PodOSNotSupported" => Unschedulable,
        _ if reason.starts_with("OutOf") => Unschedulable,
        "UnexpectedAdmissionError"
        | "AppArmor"
        | "SysctlForbidden"
        | "PodLevelResourcesNotSupported"
        | "SupplementalGroupsPolicyNotSupported" => AdmissionRefused,
        "DeadlineExceeded" => DeadlineExceeded,
        _ => Unknown,
    };
    let said = if message.is_empty() { reason } else { message };
    let words = if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") };
    (class, words, said)
}

fn unscheduled<'a>(reason: &'a str, message: &'a str) -> Said<'a> {
    let class = if kubelet::unschedulable_for_volume(message) {
        FailureClass::VolumeFailed
    } else {
        FailureClass::Unschedulable
    };
    let words = kubelet::unschedulable(message);
    (class, if words.is_empty() { reason } else { words }.to_owned(), message)
}

fn of_container(container: &ContainerSeen, initializing: bool) -> Option<Said<'_>> {
    if container.ready {
        return None;
    }
    let waiting = container.waiting.as_ref().and_then(|(reason, message)| waits(reason, message));
    let first = waiting.into_iter().chain(ended(container)).min_by_key(|(class, ..)| *class);
    let unready = container.running && container.restarts <= 0 && !initializing;
    first.or_else(|| {
        unready.then(|| (FailureClass::ProbeFailed, "running but not ready".to_owned(), ""))
    })
}

/// A container that waits, but not for its next try after an end.
fn waits<'a>(reason: &str, message: &'a str) -> Option<Said<'a>> {
    use FailureClass::{ContainerConfig, CrashLoop, ImagePullFailed, VolumeFailed};
    match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable"
        | "SignatureValidationFailed"
        | "ImageInspectError" => Some((ImagePullFailed, kubelet::pull(reason, message), message)),
        "CrashLoopBackOff" => None,
        _ if kubelet::about_volume(message) => {
            Some((VolumeFailed, kubelet::unwrapped(message).to_owned(), message))
        }
        "" | "ContainerCreating" | "PodInitializing" => None,
        _ => {
            let class = if reason == "PostStartHookError" { CrashLoop } else { ContainerConfig };
            let words = kubelet::unwrapped(message);
            Some((class, if words.is_empty() { reason } else { words }.to_owned(), message))
        }
    }
}

/// A container that ended, and may have been started again.
fn ended(container: &ContainerSeen) -> Option<Said<'_>> {
    use FailureClass::{ContainerConfig, CrashLoop, OutOfMemory};
    let waiting = container.waiting.as_ref().filter(|(reason, _)| reason == "CrashLoopBackOff");
    let again = waiting.is_some() || (container.running && container.restarts > 0);
    let restarts = match container.restarts {
        ..=0 => None,
        1 => Some("1 restart".to_owned()),
        restarts => Some(format!("{restarts} restarts")),
    };
    let back_off = waiting.map_or("", |(_, message)| message.as_str());
    let Some(last) = &container.terminated else {
        let words = restarts.unwrap_or_else(|| "ends again and again".to_owned());
        return again.then_some((CrashLoop, words, back_off));
    };
    let message = if last.message.is_empty() { back_off } else { &last.message };
    let class = match last.reason.as_str() {
        "OOMKilled" => OutOfMemory,
        "StartError" | "ContainerCannotRun" => {
            let words = kubelet::unwrapped(&last.message);
            let words = if words.is_empty() { &last.reason } else { words };
            return Some((ContainerConfig, words.to_owned(), message));
        }
        // The node was lost, and with it how it ended.
        "ContainerStatusUnknown" => return None,
        // An init container that is done.
        _ if last.exit_code == 0 && !again => return None,
        _ => CrashLoop,
    };
    let killed = if class == OutOfMemory { "OOMKilled, " } else { "" };
    let mut words = format!("{killed}exit code {}{}", last.exit_code, signal(last.exit_code));
    if let Some(restarts) = restarts {
        words = format!("{words}, {restarts}");
    }
    if !last.message.is_empty() {
        words = format!("{words}: {}", last.message);
    }
    Some((class, words, message))
}

/// Exit codes above 128 are signals; these tell a person something.
fn signal(exit_code: i32) -> &'static str {
    match exit_code {
        134 => " (SIGABRT)",
        137 => " (SIGKILL)",
        139 => " (SIGSEGV)",
        143 => " (SIGTERM)",
        _ => "",
    }
}
