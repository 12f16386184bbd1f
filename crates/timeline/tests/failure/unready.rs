//! Pods that run and are not ready: probes, sidecars, gates, and what only an Event says.

use jiff::{SignedDuration, Timestamp};
use timeline::failure::{PodsSaid, of_pods};
use timeline::seen::{ContainerSeen, PodSeen};

use super::{NOW, container, ended, pod, waiting, words};

const GATE: &str = "target-health.elbv2.k8s.aws/k8s-shop-cart-1";

fn ago(seconds: i64) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds)
}

fn said(pod: &PodSeen) -> PodsSaid {
    of_pods(&[pod], NOW)
}

fn line(pod: &PodSeen) -> Option<String> {
    said(pod).failure.map(|failure| failure.reason)
}

fn running(name: &str, started: Option<bool>) -> ContainerSeen {
    ContainerSeen { name: name.to_owned(), running: true, started, ..container() }
}

#[test]
fn a_probe_is_shown_by_the_container_that_it_keeps_from_being_ready() {
    let initializing = waiting("PodInitializing", "");
    let sidecar = |started, ready| ContainerSeen {
        sidecar: true,
        image: "example/otel-agent:0.9".to_owned(),
        ready,
        ..running("otel-agent", Some(started))
    };
    for (what, containers, expected) in [
        (
            "a sidecar that its startup probe keeps from being started holds the others up",
            vec![sidecar(false, false), initializing.clone()],
            Some("otel-agent: running but not started"),
        ),
        (
            "one that has started does not, while an init container is at its work",
            vec![sidecar(true, false), running("migrate", Some(false)), initializing.clone()],
            None,
        ),
        (
            "it keeps the pod from being ready once all have started",
            vec![
                sidecar(true, false),
                ContainerSeen { ready: true, ..running("cart", Some(true)) },
            ],
            Some("otel-agent: running but not ready"),
        ),
        (
            "an ordinary init container is at its work",
            vec![running("migrate", Some(false)), initializing],
            None,
        ),
        (
            "a startup probe",
            vec![running("cart", Some(false))],
            Some("cart: running but not started"),
        ),
        (
            "a readiness probe",
            vec![running("cart", Some(true))],
            Some("cart: running but not ready"),
        ),
    ] {
        let pod = pod("cart-1", containers);
        let expected = expected.map(|words| format!("ProbeFailed: {words} (1 of 1 pods)"));
        assert_eq!(line(&pod), expected, "{what}");
        if let Some(failure) = said(&pod).failure.filter(|_| what.starts_with("a sidecar")) {
            assert_eq!(failure.container.as_deref(), Some("otel-agent"));
            assert_eq!(failure.image.as_deref(), Some("example/otel-agent:0.9"));
        }
    }
}

#[test]
fn an_init_container_that_fails_is_named_while_the_others_wait_for_it() {
    let crashed = ContainerSeen {
        restarts: 3,
        terminated: Some(ended(1, "Error", "")),
        ..waiting("CrashLoopBackOff", "")
    };
    for (init, expected) in [
        (crashed, "CrashLoop: migrate: exit code 1, 3 restarts (1 of 1 pods)"),
        (
            waiting("ErrImagePull", "not found"),
            "ImagePullFailed: migrate: example/cart:4.0.0: not found (1 of 1 pods)",
        ),
    ] {
        let init = ContainerSeen { name: "migrate".to_owned(), ..init };
        let pod = pod("cart-1", vec![init, waiting("PodInitializing", "")]);
        assert_eq!(line(&pod).as_deref(), Some(expected));
    }
}

#[test]
fn a_readiness_gate_is_shown_by_its_name_and_its_words() {
    let words = "Health checks failed with these codes: [502]";
    let gated = |words: &str, ready| PodSeen {
        gates: vec![(GATE.to_owned(), words.to_owned())],
        ..pod("cart-1", vec![ContainerSeen { ready, ..running("cart", Some(true)) }])
    };
    let expected = format!("ProbeFailed: readiness gate {GATE}: {words} (1 of 1 pods)");
    assert_eq!(line(&gated(words, true)), Some(expected));
    let unset = format!("ProbeFailed: readiness gate {GATE}: not set (1 of 1 pods)");
    assert_eq!(line(&gated("", true)), Some(unset));
    // The container comes first: a load balancer cannot find healthy what is not ready.
    let probe = "ProbeFailed: cart: running but not ready (1 of 1 pods)";
    assert_eq!(line(&gated(words, false)).as_deref(), Some(probe));
    let failure = said(&gated(words, true)).failure.unwrap();
    assert_eq!((failure.message.as_str(), failure.pod.as_deref()), (words, Some("cart-1")));
    assert_eq!(line(&PodSeen { ready: true, gates: Vec::new(), ..gated("", true) }), None);
}

#[test]
fn pods_that_may_only_be_starting_explain_nothing_yet() {
    let up = |since, turned| {
        let container = ContainerSeen { since, ..running("cart", Some(true)) };
        PodSeen { turned, ..pod("cart-1", vec![container]) }
    };
    for (what, pod, starts) in [
        ("just started", up(Some(ago(5)), Some(ago(20))), true),
        ("was ready until now", up(Some(ago(3600)), Some(ago(5))), true),
        ("long since", up(Some(ago(31)), Some(ago(40))), false),
        ("nobody knows", up(None, None), false),
        ("on a clock that is wrong", up(Some(Timestamp::MAX), None), false),
    ] {
        let said = said(&pod);
        assert_eq!(said.starting.is_some(), starts, "{what}");
        assert_eq!(said.failure.is_some(), !starts, "{what}");
        assert_eq!((said.until.is_some(), said.silent), (starts, starts), "{what}");
    }
}

#[test]
fn a_scheduling_gate_is_why_a_deadline_passed_and_nothing_else() {
    let held = PodSeen {
        held_by: vec!["keptn-prechecks-gate".to_owned()],
        unscheduled: Some(words("SchedulingGated", "Scheduling is blocked")),
        ..pod("cart-1", Vec::new())
    };
    let said = said(&held);
    assert_eq!(said.failure, None);
    let line = said.starting.unwrap().reason;
    assert_eq!(line, "Unschedulable: scheduling gate keptn-prechecks-gate (1 of 1 pods)");
}

#[test]
fn what_only_an_event_says_is_shown_where_the_pod_says_nothing() {
    let creating = pod("cart-1", vec![waiting("ContainerCreating", "")]);
    assert!(said(&creating).silent);
    for (reason, message, expected) in [
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"tls\" : secret \"cart-tls\" not found",
            "VolumeFailed: FailedMount: MountVolume.SetUp failed for volume \"tls\" : secret \
             \"cart-tls\" not found",
        ),
        (
            "FailedAttachVolume",
            "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) cart-0",
            "VolumeFailed: FailedAttachVolume: Multi-Attach error for volume \"pvc-1\" Volume is \
             already used by pod(s) cart-0",
        ),
        (
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: no IP addresses available",
            "ContainerConfig: FailedCreatePodSandBox: Failed to create pod sandbox: no IP addresses \
             available",
        ),
    ] {
        let pod = PodSeen { event: Some(words(reason, message)), ..creating.clone() };
        assert_eq!(line(&pod).unwrap(), format!("{expected} (1 of 1 pods)"));
        assert!(!said(&pod).silent);
        // It is over when the pod is ready, whatever was said before.
        assert_eq!(line(&PodSeen { ready: true, ..pod }), None);
    }
    let words =
        words("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503");
    let probed =
        PodSeen { event: Some(words.clone()), ..pod("cart-1", vec![running("cart", None)]) };
    let expected = format!("ProbeFailed: cart: {} (1 of 1 pods)", words.1);
    assert_eq!(line(&probed), Some(expected));
    // A volume that could not be mounted at first can be, where a container was started.
    let mount = Some(super::words("FailedMount", "secret \"cart-tls\" not found"));
    let started = ContainerSeen { since: Some(ago(5)), ..running("cart", None) };
    assert_eq!(line(&PodSeen { event: mount, ..pod("cart-1", vec![started]) }), None);
    let pulled = PodSeen { event: Some(super::words("Pulled", "image")), ..creating };
    assert_eq!(line(&pulled), None);
}
