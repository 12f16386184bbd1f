//! Pods that are over, and containers that end again and again.

use jiff::{SignedDuration, Timestamp};
use timeline::failure::{FailureClass, PodsSaid, of_pods};
use timeline::seen::{ContainerSeen, PodSeen, Terminated};

use super::{NOW, container, ended, pod, waiting, words};

fn ago(seconds: i64) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds)
}

fn said(pods: &[PodSeen]) -> PodsSaid {
    of_pods(&pods.iter().collect::<Vec<_>>(), NOW)
}

fn line(pods: &[PodSeen]) -> Option<String> {
    said(pods).failure.map(|failure| failure.reason)
}

fn ready(name: &str) -> PodSeen {
    let container = ContainerSeen { ready: true, running: true, ..container() };
    PodSeen { ready: true, ..pod(name, vec![container]) }
}

fn over(name: &str, reason: &str, message: &str) -> PodSeen {
    let stopped = ContainerSeen { terminated: Some(ended(137, "Error", "")), ..container() };
    PodSeen { over: true, failed: Some(words(reason, message)), ..pod(name, vec![stopped]) }
}

#[test]
fn a_pod_that_is_over_and_was_replaced_is_no_reason() {
    let disk = "The node was low on resource: ephemeral-storage. ";
    for (reason, message) in [
        ("Evicted", disk),
        ("Evicted", "The node was low on resource: memory. "),
        ("Terminated", "Pod was terminated in response to imminent node shutdown."),
        ("NodeShutdown", "Pod was rejected as the node is shutting down."),
        ("OutOfcpu", "Node didn't have enough resource: cpu"),
        ("NodeAffinity", "Predicate NodeAffinity failed"),
        ("Preempting", "Preempted in order to admit critical pod"),
    ] {
        let replaced = said(&[over("cart-1", reason, message), ready("cart-2"), ready("cart-3")]);
        assert_eq!((&replaced.failure, replaced.ready), (&None, true), "{reason}");
    }
    // Nor one that went without a word, or ended well.
    let mut done = PodSeen { failed: None, ..over("cart-1", "", "") };
    assert!(said(&[done.clone(), ready("cart-2")]).ready);
    done.containers[0].terminated = Some(ended(0, "Completed", ""));
    assert_eq!(line(&[done]), None);
}

#[test]
fn while_its_replacement_is_not_ready_a_pod_that_is_over_says_why() {
    let evicted = over("cart-1", "Evicted", "The node had condition: [DiskPressure]. ");
    let creating = pod("cart-2", vec![waiting("ContainerCreating", "")]);
    let expected = "Unschedulable: Evicted: The node had condition: [DiskPressure].";
    let pods = [evicted.clone(), creating.clone(), ready("cart-3")];
    assert_eq!(line(&pods).unwrap(), format!("{expected} (1 ended pod)"));
    assert_eq!(line(std::slice::from_ref(&evicted)).unwrap(), format!("{expected} (1 ended pod)"));
    let twice = [evicted.clone(), PodSeen { key: creating.key.clone(), ..evicted.clone() }];
    assert_eq!(line(&twice).unwrap(), format!("{expected} (2 ended pods)"));
    // What the replacement says itself is what holds now, and the one that is over is not counted.
    let pull = pod("cart-2", vec![waiting("ErrImagePull", "not found")]);
    let pods = [evicted, pull, ready("cart-3")];
    assert!(line(&pods).unwrap().ends_with("not found (1 of 2 pods)"), "{:?}", line(&pods));
}

#[test]
fn a_pod_that_was_over_long_before_is_not_why_a_new_one_is_not_ready() {
    let mut evicted = over("cart-1", "Evicted", "disk");
    evicted.turned = Some(ago(3600));
    let made = |seconds| PodSeen {
        created: Some(ago(seconds)),
        ..pod("cart-2", vec![waiting("ContainerCreating", "")])
    };
    assert!(line(&[evicted.clone(), made(3599)]).is_some(), "its replacement");
    assert_eq!(line(&[evicted.clone(), made(20), ready("cart-3")]), None, "scaled up since");
    assert_eq!(line(&[evicted.clone(), made(7200)]), None, "made before");
    evicted.turned = Some(Timestamp::MAX);
    assert_eq!(line(&[evicted, made(20)]), None);
}

/// A container that was started again, is up since some seconds, and ran for some before.
fn restarted(restarts: i32, up: i64, ran: i64, reason: &str) -> ContainerSeen {
    let last = ended(if reason == "OOMKilled" { 137 } else { 1 }, reason, "");
    let terminated = Terminated { started: Some(ago(up + ran)), finished: Some(ago(up)), ..last };
    ContainerSeen {
        running: true,
        restarts,
        since: Some(ago(up)),
        terminated: Some(terminated),
        ..container()
    }
}

#[test]
fn a_container_that_is_ready_between_its_ends_keeps_ending() {
    for (restarts, up, ran, reason, expected) in [
        (
            3,
            2,
            7,
            "OOMKilled",
            Some("OutOfMemory: cart: OOMKilled, exit code 137 (SIGKILL), 3 restarts"),
        ),
        (3, 39, 7, "Error", Some("CrashLoop: cart: exit code 1, 3 restarts")),
        (3, 41, 7, "Error", None),
        // It ran for two minutes each time: half a minute proves nothing.
        (
            2,
            30,
            120,
            "OOMKilled",
            Some("OutOfMemory: cart: OOMKilled, exit code 137 (SIGKILL), 2 restarts"),
        ),
        (2, 121, 120, "OOMKilled", None),
        // Longer than the longest back-off proves it.
        (90, 299, 86_400, "Error", Some("CrashLoop: cart: exit code 1, 90 restarts")),
        (90, 301, 86_400, "Error", None),
        (i32::MAX, 301, 5, "Error", None),
        // A dependency was late, once.
        (1, 9, 60, "Error", Some("CrashLoop: cart: exit code 1, 1 restart")),
        (1, 11, 60, "Error", None),
        (0, 2, 60, "Error", None),
    ] {
        let container = ContainerSeen { ready: true, ..restarted(restarts, up, ran, reason) };
        let said = said(&[PodSeen { ready: true, ..pod("cart-1", vec![container]) }]);
        let line = said.failure.map(|failure| failure.reason);
        let expected = expected.map(|line| format!("{line} (1 of 1 pods)"));
        assert_eq!(line, expected, "{restarts} restarts, up {up} s, ran {ran} s");
        assert_eq!(said.ready, expected.is_none());
        assert_eq!(said.until.is_some(), expected.is_some());
    }
}

#[test]
fn a_ready_container_whose_times_cannot_be_is_believed_to_be_ready() {
    for finished in [None, Some(Timestamp::MAX), Some(Timestamp::MIN)] {
        let mut container = ContainerSeen { ready: true, ..restarted(5, 2, 7, "Error") };
        container.terminated.as_mut().unwrap().finished = finished;
        let said = said(&[PodSeen { ready: true, ..pod("cart-1", vec![container]) }]);
        assert_eq!((said.failure, said.ready), (None, true), "{finished:?}");
    }
}

#[test]
fn a_container_that_has_run_for_long_and_is_not_ready_does_not_crash() {
    let class =
        |up| said(&[pod("cart-1", vec![restarted(2, up, 5, "Error")])]).failure.unwrap().class;
    assert_eq!(class(19), FailureClass::CrashLoop);
    assert_eq!(class(600), FailureClass::ProbeFailed);
}
