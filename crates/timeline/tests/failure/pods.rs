use timeline::base::Moment;
use timeline::failure::{Failure, FailureClass, of_pods};
use timeline::seen::{ContainerSeen, PodSeen};

use super::{NOW, container, ended, pod, waiting, words};

fn line_of(containers: Vec<ContainerSeen>) -> Option<String> {
    of_pods(&[&pod("cart-1", containers)], NOW).failure.map(|failure| failure.reason)
}

fn failure_of(pods: &[PodSeen]) -> Option<Failure> {
    of_pods(&pods.iter().collect::<Vec<_>>(), NOW).failure
}

#[test]
fn a_failure_is_counted_over_the_pods_and_described_by_the_one_that_says_why() {
    let not_found = "rpc error: code = NotFound desc = example/cart:4.0.0: not found";
    let ready = PodSeen { ready: true, ..pod("cart-3", vec![container()]) };
    let pods = [
        pod("cart-1", vec![waiting("ImagePullBackOff", "Back-off pulling image")]),
        pod("cart-2", vec![waiting("ErrImagePull", not_found)]),
        ready,
    ];
    let failure = failure_of(&pods).unwrap();
    assert_eq!(
        failure,
        Failure {
            class: FailureClass::ImagePullFailed,
            cause: None,
            reason: "ImagePullFailed: cart: example/cart:4.0.0: not found (2 of 3 pods)".to_owned(),
            message: not_found.to_owned(),
            pod: Some("cart-2".to_owned()),
            container: Some("cart".to_owned()),
            image: Some("example/cart:4.0.0".to_owned()),
            at: Moment::observed(NOW),
        }
    );
}

#[test]
fn what_most_pods_say_is_shown() {
    let oom = |name: &str, container: &str| {
        let seen = ContainerSeen {
            name: container.to_owned(),
            terminated: Some(ended(137, "OOMKilled", "")),
            ..waiting("CrashLoopBackOff", "back-off 10s restarting failed container")
        };
        pod(name, vec![seen])
    };
    let pods = [oom("cart-1", "cart"), oom("cart-2", "proxy"), oom("cart-3", "proxy")];
    let failure = failure_of(&pods).unwrap();
    assert_eq!(
        failure.reason,
        "OutOfMemory: proxy: OOMKilled, exit code 137 (SIGKILL) (2 of 3 pods)"
    );
    assert_eq!(failure.pod.as_deref(), Some("cart-2"));
}

#[test]
fn the_class_that_explains_the_others_goes_first_in_a_pod_and_among_pods() {
    let crash = ContainerSeen {
        name: "proxy".to_owned(),
        restarts: 3,
        terminated: Some(ended(1, "Error", "")),
        ..waiting("CrashLoopBackOff", "back-off 40s restarting failed container=proxy")
    };
    let pull = waiting("ErrImagePull", "example/cart:4.0.0: not found");
    let expected = "ImagePullFailed: cart: example/cart:4.0.0: not found";
    let line = line_of(vec![crash.clone(), pull.clone()]).unwrap();
    assert_eq!(line, format!("{expected} (1 of 1 pods)"));
    let pods = [pod("cart-1", vec![crash]), pod("cart-2", vec![pull])];
    assert_eq!(failure_of(&pods).unwrap().reason, format!("{expected} (1 of 2 pods)"));
}

#[test]
fn a_container_that_ended_says_how() {
    let back_off = "back-off 5m0s restarting failed container=cart pod=cart-1_shop(uid)";
    let looping = |restarts, terminated| ContainerSeen {
        restarts,
        terminated,
        ..waiting("CrashLoopBackOff", back_off)
    };
    let running =
        |restarts, terminated| ContainerSeen { running: true, restarts, terminated, ..container() };
    let not_found = "failed to create containerd task: failed to create shim task: OCI runtime \
                     create failed: runc create failed: unable to start container process: exec: \
                     \"/app/no\": stat /app/no: no such file or directory: unknown";
    let cases = [
        (looping(5, Some(ended(1, "Error", ""))), "CrashLoop: cart: exit code 1, 5 restarts"),
        (
            looping(1, Some(ended(2, "Error", "panic: no database\n\ngoroutine 1 [running]:\n"))),
            "CrashLoop: cart: exit code 2, 1 restart: panic: no database goroutine 1 [running]:",
        ),
        (looping(5, Some(ended(0, "Completed", ""))), "CrashLoop: cart: exit code 0, 5 restarts"),
        (looping(5, None), "CrashLoop: cart: 5 restarts"),
        (looping(0, None), "CrashLoop: cart: ends again and again"),
        (looping(-7, Some(ended(3, "Error", ""))), "CrashLoop: cart: exit code 3"),
        (
            running(2, Some(ended(143, "Error", ""))),
            "CrashLoop: cart: exit code 143 (SIGTERM), 2 restarts",
        ),
        (running(1, None), "CrashLoop: cart: 1 restart"),
        (
            ContainerSeen { terminated: Some(ended(139, "Error", "")), ..container() },
            "CrashLoop: cart: exit code 139 (SIGSEGV)",
        ),
        (
            looping(4, Some(ended(137, "OOMKilled", ""))),
            "OutOfMemory: cart: OOMKilled, exit code 137 (SIGKILL), 4 restarts",
        ),
        (
            running(1, Some(ended(137, "OOMKilled", ""))),
            "OutOfMemory: cart: OOMKilled, exit code 137 (SIGKILL), 1 restart",
        ),
        (
            looping(3, Some(ended(128, "StartError", not_found))),
            "ContainerConfig: cart: exec: \"/app/no\": stat /app/no: no such file or directory: unknown",
        ),
        (
            waiting("PostStartHookError", "command '/warm-up' exited with 126"),
            "CrashLoop: cart: command '/warm-up' exited with 126",
        ),
    ];
    for (container, expected) in cases {
        assert_eq!(line_of(vec![container]).unwrap(), format!("{expected} (1 of 1 pods)"));
    }
    let failure =
        failure_of(&[pod("cart-1", vec![looping(5, Some(ended(1, "Error", "")))])]).unwrap();
    assert_eq!(failure.message, back_off);
}

#[test]
fn a_container_that_cannot_be_made_says_what_it_lacks() {
    let cases = [
        ("CreateContainerConfigError", "secret \"db\" not found", "secret \"db\" not found"),
        (
            "CreateContainerConfigError",
            "couldn't find key url in ConfigMap shop/cart",
            "couldn't find key url in ConfigMap shop/cart",
        ),
        (
            "CreateContainerError",
            "failed to generate container \"f00\" spec: failed to generate spec: no command specified",
            "failed to generate container \"f00\" spec: failed to generate spec: no command specified",
        ),
        (
            "RunContainerError",
            "failed to create containerd task: failed to create shim task: context deadline exceeded",
            "context deadline exceeded",
        ),
        ("CreateContainerError", "", "CreateContainerError"),
        ("RROUnsupported", "no recursive read-only mounts", "no recursive read-only mounts"),
    ];
    for (reason, message, expected) in cases {
        let line = line_of(vec![waiting(reason, message)]).unwrap();
        assert_eq!(line, format!("ContainerConfig: cart: {expected} (1 of 1 pods)"));
    }
}

#[test]
fn a_pod_that_no_node_takes_shows_the_schedulers_reasons_without_its_repetitions() {
    let cases = [
        (
            "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No \
             preemption victims found for incoming pod.",
            "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.",
        ),
        (
            "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, \
             preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            "Unschedulable: 0/1 nodes are available: 1 Insufficient memory.",
        ),
        (
            "no nodes available to schedule pods",
            "Unschedulable: no nodes available to schedule pods",
        ),
        (
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had volume node affinity conflict.",
            "Unschedulable: 0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had volume node \
             affinity conflict.",
        ),
        ("", "Unschedulable: Unschedulable"),
        (
            "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: \
             0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
            "VolumeFailed: 0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
        ),
        (
            "persistentvolumeclaim \"data\" not found",
            "VolumeFailed: persistentvolumeclaim \"data\" not found",
        ),
        (
            "0/2 nodes are available: 1 node(s) exceed max volume count, 1 node(s) had volume node \
             affinity conflict.",
            "VolumeFailed: 0/2 nodes are available: 1 node(s) exceed max volume count, 1 node(s) had \
             volume node affinity conflict.",
        ),
    ];
    for (message, expected) in cases {
        let pod = PodSeen {
            unscheduled: Some(words("Unschedulable", message)),
            ..pod("cart-1", Vec::new())
        };
        let failure = failure_of(&[pod]).unwrap();
        assert_eq!(failure.reason, format!("{expected} (1 of 1 pods)"));
        assert_eq!(
            (failure.message.as_str(), failure.container, failure.image),
            (message, None, None)
        );
    }
}

#[test]
fn volumes_are_distinguished_from_what_else_keeps_a_container_waiting() {
    let cases = [
        (
            "ContainerCreating",
            "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[]: \
             timed out waiting for the condition",
            "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[]: \
             timed out waiting for the condition",
        ),
        (
            "CreateContainerConfigError",
            "failed to prepare subPath for volumeMount \"data\" of container \"cart\"",
            "failed to prepare subPath for volumeMount \"data\" of container \"cart\"",
        ),
        ("CreateContainerError", "ImageVolumeMountFailed: no such layer", "no such layer"),
    ];
    for (reason, message, expected) in cases {
        let line = line_of(vec![waiting(reason, message)]).unwrap();
        assert_eq!(line, format!("VolumeFailed: cart: {expected} (1 of 1 pods)"));
    }
}

#[test]
fn a_pod_that_failed_as_a_whole_is_explained_by_that_and_not_by_its_stopped_containers() {
    let cases = [
        (
            "Evicted",
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ",
            FailureClass::OutOfMemory,
        ),
        ("Evicted", "The node had condition: [MemoryPressure]. ", FailureClass::OutOfMemory),
        (
            "Evicted",
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
            FailureClass::Unschedulable,
        ),
        (
            "OutOfcpu",
            "Pod was rejected: Node didn't have enough resource: cpu, requested: 2000, used: 3000, \
             capacity: 4000",
            FailureClass::Unschedulable,
        ),
        ("OutOfmemory", "Node didn't have enough resource: memory", FailureClass::Unschedulable),
        (
            "NodeAffinity",
            "Pod was rejected: Predicate NodeAffinity failed",
            FailureClass::Unschedulable,
        ),
        (
            "UnexpectedAdmissionError",
            "Allocate failed due to no healthy devices present",
            FailureClass::AdmissionRefused,
        ),
        ("SysctlForbidden", "forbidden sysctl: \"kernel.msgmax\"", FailureClass::AdmissionRefused),
        (
            "DeadlineExceeded",
            "Pod was active on the node longer than the specified deadline",
            FailureClass::DeadlineExceeded,
        ),
        ("VolumeAttachmentLimitExceeded", "", FailureClass::VolumeFailed),
        (
            "Terminated",
            "Pod was terminated in response to imminent node shutdown.",
            FailureClass::Unknown,
        ),
        ("SomethingNew", "", FailureClass::Unknown),
    ];
    for (reason, message, class) in cases {
        let stopped = ContainerSeen { terminated: Some(ended(137, "Error", "")), ..container() };
        let pod = PodSeen { failed: Some(words(reason, message)), ..pod("cart-1", vec![stopped]) };
        let failure = failure_of(&[pod]).unwrap();
        assert_eq!(failure.class, class, "{reason}: {message}");
        let said = format!("{reason}: {message}");
        let said = said.trim_end_matches([' ', ':']);
        assert_eq!(failure.reason, format!("{class}: {said} (1 ended pod)"));
    }
}

#[test]
fn a_pod_that_runs_and_is_not_ready_comes_after_everything_else() {
    let running = ContainerSeen { running: true, ..container() };
    let line = line_of(vec![running.clone()]).unwrap();
    assert_eq!(line, "ProbeFailed: cart: running but not ready (1 of 1 pods)");

    let stuck = PodSeen {
        unscheduled: Some(words("Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")),
        ..pod("cart-2", Vec::new())
    };
    let failure = failure_of(&[pod("cart-1", vec![running]), stuck]).unwrap();
    assert_eq!(failure.class, FailureClass::Unschedulable);
}

#[test]
fn what_is_on_its_way_or_done_is_no_failure() {
    let init = ContainerSeen { name: "migrate".to_owned(), ..container() };
    let cases = [
        ("creating", vec![waiting("ContainerCreating", "")]),
        ("gated", Vec::new()),
        (
            "an init container at its work",
            vec![ContainerSeen { running: true, ..init.clone() }, waiting("PodInitializing", "")],
        ),
        (
            "an init container that is done",
            vec![
                ContainerSeen { restarts: 2, terminated: Some(ended(0, "Completed", "")), ..init },
                waiting("PodInitializing", ""),
            ],
        ),
        (
            "a container that recovered",
            vec![ContainerSeen {
                ready: true,
                running: true,
                restarts: 3,
                terminated: Some(ended(1, "Error", "")),
                ..container()
            }],
        ),
        (
            "lost with its node",
            vec![ContainerSeen {
                terminated: Some(ended(137, "ContainerStatusUnknown", "could not be located")),
                ..container()
            }],
        ),
    ];
    for (what, containers) in cases {
        let mut pod = pod("cart-1", containers);
        if what == "gated" {
            pod.unscheduled = Some(words(
                "SchedulingGated",
                "Scheduling is blocked due to non-empty scheduling gates",
            ));
        }
        assert_eq!(failure_of(&[pod]), None, "{what}");
    }
    assert_eq!(failure_of(&[]), None);
    let pull = waiting("ErrImagePull", "not found");
    assert_eq!(failure_of(&[PodSeen { ready: true, ..pod("cart-1", vec![pull]) }]), None);
}

#[test]
fn a_pod_that_is_being_deleted_is_no_evidence_and_is_not_counted() {
    let deleted =
        |name: &str, container| PodSeen { deleted: Some(super::NOW), ..pod(name, vec![container]) };
    let running = ContainerSeen { running: true, ..container() };
    let stopped =
        ContainerSeen { terminated: Some(ended(143, "Error", "")), restarts: 1, ..container() };
    let going = [deleted("cart-1", running.clone()), deleted("cart-2", stopped)];
    assert_eq!(failure_of(&going), None);
    let [one, other] = going;
    let failure = failure_of(&[one, other, pod("cart-3", vec![running])]).unwrap();
    assert_eq!(failure.reason, "ProbeFailed: cart: running but not ready (1 of 1 pods)");
}
