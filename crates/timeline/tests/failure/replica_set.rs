use timeline::Key;
use timeline::base::Moment;
use timeline::failure::{FailureClass, of_replica_set};
use timeline::seen::{ReplicaSetSeen, RevisionFacts, Template};

use super::{NOW, words};

pub(crate) fn set(failure: Option<(String, String)>) -> ReplicaSetSeen {
    ReplicaSetSeen {
        key: Key::new("shop", "cart-b"),
        uid: "uid-b".into(),
        rollout: "cart".into(),
        rollout_uid: "uid-1".into(),
        hash: "b".into(),
        revision: Some(2),
        created: None,
        template: Template::AskRollout(Vec::new()),
        desired: None,
        ready: 0,
        available: 0,
        failure,
        facts: RevisionFacts::default(),
    }
}

#[test]
fn what_refuses_the_pods_is_named_with_its_words() {
    use FailureClass::{AdmissionRefused, QuotaExceeded, Unknown};
    let cases = [
        (
            "pods \"cart-b-x2x7p\" is forbidden: exceeded quota: compute, requested: pods=1, used: \
             pods=2, limited: pods=2",
            QuotaExceeded,
            "compute: requested: pods=1, used: pods=2, limited: pods=2",
        ),
        (
            "pods \"cart-b-x2x7p\" is forbidden: exceeded quota: compute, requested: \
             limits.cpu=2,limits.memory=1Gi, used: limits.cpu=4,limits.memory=2Gi, limited: \
             limits.cpu=4,limits.memory=2Gi",
            QuotaExceeded,
            "compute: requested: limits.cpu=2,limits.memory=1Gi, used: \
             limits.cpu=4,limits.memory=2Gi, limited: limits.cpu=4,limits.memory=2Gi",
        ),
        (
            "pods \"cart-b-x2x7p\" is forbidden: failed quota: compute: must specify limits.cpu for: cart",
            QuotaExceeded,
            "compute: must specify limits.cpu for: cart",
        ),
        ("exceeded quota", QuotaExceeded, "exceeded quota"),
        (
            "admission webhook \"validate.kyverno.svc-fail\" denied the request: \n\nresource \
             Pod/shop/cart-b was blocked due to the following policies \n\nrequire-labels:\n  check: \
             'label app is required'\n",
            AdmissionRefused,
            "validate.kyverno.svc-fail: resource Pod/shop/cart-b was blocked due to the following \
             policies require-labels: check: 'label app is required'",
        ),
        (
            "admission webhook \"mpod.keptn.sh\" denied the request without explanation",
            AdmissionRefused,
            "mpod.keptn.sh: without explanation",
        ),
        (
            "Internal error occurred: failed calling webhook \"mpod.keptn.sh\": failed to call \
             webhook: Post \"https://keptn.keptn-system.svc:443/mutate?timeout=10s\": no endpoints \
             available for service \"keptn\"",
            AdmissionRefused,
            "mpod.keptn.sh: failed to call webhook: Post \
             \"https://keptn.keptn-system.svc:443/mutate?timeout=10s\": no endpoints available for \
             service \"keptn\"",
        ),
        (
            "pods \"cart-b-x2x7p\" is forbidden: violates PodSecurity \"restricted:latest\": \
             runAsNonRoot != true (pod or container \"cart\" must set \
             securityContext.runAsNonRoot=true)",
            AdmissionRefused,
            "PodSecurity restricted:latest: runAsNonRoot != true (pod or container \"cart\" must set \
             securityContext.runAsNonRoot=true)",
        ),
        (
            "pods \"cart-b-x2x7p\" is forbidden: ValidatingAdmissionPolicy 'registries' with binding \
             'shop' denied request: images come from registry.test",
            AdmissionRefused,
            "ValidatingAdmissionPolicy registries: images come from registry.test",
        ),
        (
            "pods \"cart-b-x2x7p\" is forbidden: maximum cpu usage per Container is 1, but limit is 2",
            AdmissionRefused,
            "maximum cpu usage per Container is 1, but limit is 2",
        ),
        (
            "pods \"cart-b-\" is forbidden: error looking up service account shop/cart: \
             serviceaccount \"cart\" not found",
            AdmissionRefused,
            "error looking up service account shop/cart: serviceaccount \"cart\" not found",
        ),
        (
            "Pod \"cart-b-x2x7p\" is invalid: spec.containers[0].image: Required value",
            Unknown,
            "Pod \"cart-b-x2x7p\" is invalid: spec.containers[0].image: Required value",
        ),
        ("", Unknown, "FailedCreate"),
    ];
    for (message, class, expected) in cases {
        let failure = of_replica_set(&set(Some(words("FailedCreate", message))), NOW).unwrap();
        assert_eq!(failure.reason, format!("{class}: {expected}"), "{message}");
        assert_eq!((failure.class, failure.cause, failure.pod), (class, None, None));
        assert_eq!(failure.at, Moment::observed(NOW));
    }
}

#[test]
fn a_replica_set_that_makes_its_pods_is_no_failure() {
    assert_eq!(of_replica_set(&set(None), NOW), None);
}
