//! What one pod says about why it is not ready, or does not stay so.

use jiff::{SignedDuration, Timestamp};

use super::{FailureClass, kubelet};
use crate::seen::{ContainerSeen, PodSeen};

/// A pod that runs is given this long to get ready before that it is not is evidence: most do so
/// within half a minute, and what only starts is not worth a write at once.
const READY_GRACE: SignedDuration = SignedDuration::from_secs(30);
/// The kubelet starts a container again after 10 s, then twice as long each time, at most 5 minutes
/// (pkg/kubelet/kubelet.go, `backOffPeriod` and `MaxContainerBackOff`).
const FIRST_BACK_OFF: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_BACK_OFF: SignedDuration = SignedDuration::from_mins(5);
/// The clock of a node may be ahead by less than this; a later time is not believed.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// What one pod says.
pub(super) struct Finding<'a> {
    pub(super) class: FailureClass,
    /// What the line says beside container and image; may be empty.
    pub(super) words: String,
    /// The words of the kubelet or the scheduler.
    pub(super) message: &'a str,
    pub(super) pod: &'a PodSeen,
    pub(super) container: Option<&'a ContainerSeen>,
    /// It may only be starting.
    pub(super) starting: bool,
}

/// What one pod says now, and until when if time alone changes it.
pub(super) struct PodSaid<'a> {
    pub(super) finding: Option<Finding<'a>>,
    pub(super) until: Option<Timestamp>,
}

/// A class, what the line says, and whose words they are.
type Said<'a> = (FailureClass, String, &'a str);

/// What a pod says that its ReplicaSet still counts on.
pub(super) fn of_pod(pod: &PodSeen, now: Timestamp) -> PodSaid<'_> {
    let proven = pod.containers.iter().filter_map(|container| proven_at(container, now));
    let mut until = proven.filter(|at| *at >= now).min();
    let mut findings = Vec::new();
    if !pod.ready {
        let unscheduled = pod.unscheduled.as_ref();
        let unscheduled = unscheduled.filter(|(reason, _)| reason != "SchedulingGated");
        findings
            .extend(unscheduled.map(|(reason, words)| whole(pod, unschedulable(reason, words))));
    }
    // Before all init containers have ended the others wait, and one that runs is at its work.
    let initializing = pod.containers.iter().any(|container| {
        container.waiting.as_ref().is_some_and(|(reason, _)| reason == "PodInitializing")
    });
    for container in &pod.containers {
        let Some((class, words, message)) = of_container(container, pod.ready, now) else {
            continue;
        };
        let container = Some(container);
        findings.push(Finding { class, words, message, pod, container, starting: false });
    }
    if findings.is_empty() && !pod.ready {
        findings.extend(of_event(pod));
    }
    if findings.is_empty() && !pod.ready {
        let unready = unready(pod, initializing, now);
        until = [until, unready.until].into_iter().flatten().min();
        findings.extend(unready.finding);
    }
    PodSaid { finding: findings.into_iter().min_by_key(|finding| finding.class), until }
}

/// What a pod says that is over.
pub(super) fn of_ended_pod(pod: &PodSeen) -> Option<Finding<'_>> {
    if let Some((reason, message)) = pod.failed.as_ref().filter(|(reason, _)| !reason.is_empty()) {
        return Some(whole(pod, failed(reason, message)));
    }
    let ended = pod.containers.iter().filter_map(|container| {
        let (class, words, message) = ended(container, false)?;
        Some(Finding { class, words, message, pod, container: Some(container), starting: false })
    });
    ended.min_by_key(|finding| finding.class)
}

fn whole<'a>(pod: &'a PodSeen, (class, words, message): Said<'a>) -> Finding<'a> {
    Finding { class, words, message, pod, container: None, starting: false }
}

/// A pod that nothing keeps from running, and that is not ready: a probe, a readiness gate or a
/// scheduling gate holds it.
fn unready(pod: &PodSeen, initializing: bool, now: Timestamp) -> PodSaid<'_> {
    if let Some(gate) = pod.held_by.first() {
        // The controller that set it removes it when it is time; only a deadline makes it a reason.
        let words = format!("scheduling gate {gate}");
        let message = pod.unscheduled.as_ref().map_or("", |(_, message)| message.as_str());
        let said = (FailureClass::Unschedulable, words, message);
        return PodSaid {
            finding: Some(Finding { starting: true, ..whole(pod, said) }),
            until: None,
        };
    }
    let probed = pod.containers.iter().find_map(|container| {
        let words = not_ready(container, initializing)?;
        let probe = pod.event.as_ref().filter(|(reason, _)| reason == "Unhealthy");
        let message = probe.map_or("", |(_, message)| message.as_str());
        let words = if message.is_empty() { words } else { message };
        let since = container.since.max(pod.turned);
        Some((Some(container), since, words.to_owned(), message))
    });
    let gated = || {
        let (gate, words) = pod.gates.first()?;
        let started = pod.containers.iter().filter_map(|container| container.since);
        let since = started.chain(pod.turned).max();
        let all_ready = pod.containers.iter().all(|container| container.ready);
        let said = if words.is_empty() { "not set" } else { words };
        let line = format!("readiness gate {gate}: {said}");
        (all_ready && !pod.containers.is_empty()).then_some((None, since, line, words.as_str()))
    };
    let Some((container, since, words, message)) = probed.or_else(gated) else {
        return PodSaid { finding: None, until: None };
    };
    let until = since
        .filter(|since| since.duration_since(now) <= AHEAD)
        .and_then(|since| since.checked_add(READY_GRACE).ok())
        .filter(|until| *until > now);
    let class = FailureClass::ProbeFailed;
    let starting = until.is_some();
    PodSaid { finding: Some(Finding { class, words, message, pod, container, starting }), until }
}

/// A container that runs and keeps its pod from being ready.
fn not_ready(container: &ContainerSeen, initializing: bool) -> Option<&'static str> {
    if !container.running || container.ready {
        return None;
    }
    match container.started {
        // The containers after a sidecar wait for its startup probe.
        Some(false) if container.sidecar || !initializing => Some("running but not started"),
        // An ordinary init container is at its work.
        _ if initializing => None,
        _ => Some("running but not ready"),
    }
}

/// What only an Event says.
fn of_event(pod: &PodSeen) -> Option<Finding<'_>> {
    use FailureClass::{ContainerConfig, VolumeFailed};
    let (reason, message) = pod.event.as_ref()?;
    // They come before any container is started.
    if pod.containers.iter().any(|it| it.running || it.terminated.is_some()) {
        return None;
    }
    let class = match reason.as_str() {
        "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => VolumeFailed,
        "FailedCreatePodSandBox" | "NetworkNotReady" => ContainerConfig,
        _ => return None,
    };
    let words = kubelet::unwrapped(message);
    let words = if words.is_empty() { reason } else { words };
    Some(whole(pod, (class, format!("{reason}: {words}"), message)))
}

fn of_container(container: &ContainerSeen, pod_ready: bool, now: Timestamp) -> Option<Said<'_>> {
    let again = ends_again(container, now);
    if container.ready || pod_ready {
        return if again == Some(true) { ended(container, true) } else { None };
    }
    let waiting = container.waiting.as_ref().and_then(|(reason, message)| waits(reason, message));
    let ended = ended(container, again.unwrap_or(true));
    waiting.into_iter().chain(ended).min_by_key(|(class, ..)| *class)
}

/// Whether a container that runs is likely to end again; none if its times do not say.
fn ends_again(container: &ContainerSeen, now: Timestamp) -> Option<bool> {
    Some(now <= proven_at(container, now)?)
}

/// Until when a container that was started again may only be up until its next end: it has not yet
/// run for longer than the back-off before this start, nor than it ran the last time.
///
/// One restart proves little, as what the container waits for may have come up late: it counts
/// during its back-off only.
fn proven_at(container: &ContainerSeen, now: Timestamp) -> Option<Timestamp> {
    if !container.running || container.restarts <= 0 {
        return None;
    }
    let last = container.terminated.as_ref()?;
    let finished = last.finished.filter(|at| at.duration_since(now) <= AHEAD)?;
    let doublings = u32::try_from(container.restarts.saturating_sub(1)).unwrap_or(0).min(8);
    let back_off = FIRST_BACK_OFF.saturating_mul(1 << doublings);
    let ran = last.started.map_or(SignedDuration::ZERO, |started| finished.duration_since(started));
    let proof = if container.restarts > 1 { back_off.max(ran) } else { back_off };
    finished.checked_add(proof.min(LONGEST_BACK_OFF)).ok()
}

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

fn unschedulable<'a>(reason: &'a str, message: &'a str) -> Said<'a> {
    let class = if kubelet::unschedulable_for_volume(message) {
        FailureClass::VolumeFailed
    } else {
        FailureClass::Unschedulable
    };
    let words = kubelet::unschedulable(message);
    (class, if words.is_empty() { reason } else { words }.to_owned(), message)
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

/// A container that ended, and may have been started again: `again` if it is likely to end again.
fn ended(container: &ContainerSeen, again: bool) -> Option<Said<'_>> {
    use FailureClass::{ContainerConfig, CrashLoop, OutOfMemory};
    let waiting = container.waiting.as_ref().filter(|(reason, _)| reason == "CrashLoopBackOff");
    let restarted = container.running && container.restarts > 0;
    if restarted && !again {
        return None;
    }
    let again = waiting.is_some() || restarted;
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

/// Exit codes above 128 are signals; these are known by name.
fn signal(exit_code: i32) -> &'static str {
    match exit_code {
        134 => " (SIGABRT)",
        137 => " (SIGKILL)",
        139 => " (SIGSEGV)",
        143 => " (SIGTERM)",
        _ => "",
    }
}
