//! Components together: none undoes what another one does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use throughline_tests::kustomize::Overlay;

use super::said::{Changes, Said, said, sum};
use super::{components, rendered, rendered_over, words};

/// It holds all of `dashboards`, so that one of the two is enough, and kustomize takes one only.
const INSTEAD: (&str, &str) = ("grafana-operator", "dashboards");

fn all() -> Vec<String> {
    components().into_iter().filter(|name| name != INSTEAD.1).collect()
}

/// All subsets.
fn subsets<'a>(of: &[&'a str]) -> Vec<Vec<&'a str>> {
    let subset = |bits: usize| (0..of.len()).filter(move |index| bits >> index & 1 == 1);
    (0..1_usize << of.len()).map(|bits| subset(bits).map(|index| of[index]).collect()).collect()
}

#[test]
fn each_combination_of_components_is_the_sum_of_its_parts_in_whatever_order() {
    let names = all();
    let before = said(&rendered(None, &[]));
    let changes: BTreeMap<&str, Changes> = names
        .iter()
        .map(|name| (name.as_str(), Changes::between(&before, &said(&rendered(None, &[name])))))
        .collect();
    let (additions, changing): (Vec<&str>, Vec<&str>) =
        names.iter().map(String::as_str).partition(|name| changes[name].only_adds_to(&before));
    for expected in ["cert-manager", "export", "export-headers", "ha", "observe-only"] {
        assert!(changing.contains(&expected), "{expected} changes nothing");
    }

    // Those that only add objects are all there in one of the two orders.
    let mut combinations = Vec::new();
    for mut subset in subsets(&changing) {
        combinations.push(subset.clone());
        subset.reverse();
        subset.extend(&additions);
        combinations.push(subset);
    }
    let (before, changes) = (&before, &changes);
    let half = combinations.len().div_ceil(2);
    std::thread::scope(|scope| {
        for part in combinations.chunks(half) {
            scope.spawn(move || part.iter().for_each(|it| check(it, before, changes)));
        }
    });
}

fn check(combination: &[&str], before: &Said, changes: &BTreeMap<&str, Changes>) {
    let objects = rendered(None, combination);
    let expected = sum(before, combination.iter().map(|name| &changes[name]));
    let found = said(&objects);
    let differs = |(place, value): &(&_, &Value), other: &Said| other.get(*place) != Some(*value);
    let lost: Vec<_> = expected.iter().filter(|it| differs(it, &found)).collect();
    assert!(lost.is_empty(), "{combination:?} lose {lost:?}");
    let beyond: Vec<_> = found.iter().filter(|it| differs(it, &expected)).collect();
    assert!(beyond.is_empty(), "{combination:?} say beyond their parts {beyond:?}");

    let deployment = objects.iter().find(|object| words(object, "/kind") == "Deployment").unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_array().unwrap().iter().map(|it| words(it, "/name"));
    once(combination, variables);
    let flags = container["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
    once(combination, flags.map(|flag| flag.split('=').next().unwrap()));
}

fn once<'a>(combination: &[&str], names: impl Iterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for name in names {
        assert!(seen.insert(name), "{combination:?} say {name} twice");
    }
}

#[test]
fn another_namespace_reaches_all_that_names_it() {
    let cert_manager = "cert-manager";
    let names = all();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let others: Vec<&str> = names.iter().copied().filter(|name| *name != cert_manager).collect();
    assert_eq!(named(&rendered(Some("tracing"), &others)), [""; 0]);

    // A name of cert-manager's holds the namespace, which has to be known below.
    let below = Overlay::of_default(Some("tracing"), &[]).unwrap();
    let several: Vec<&str> = names.into_iter().filter(|name| *name != "one-namespace").collect();
    let objects = rendered_over(below.folder(), "tracing", &several);
    assert_eq!(named(&objects), [""; 0]);
    let of_kind = |kind| objects.iter().find(|object| words(object, "/kind") == kind).unwrap();
    let certificate = of_kind("Certificate");
    assert_eq!(words(certificate, "/spec/dnsNames/0"), "throughline-admission.tracing.svc");
    let webhook = of_kind("MutatingWebhookConfiguration");
    let injected = words(webhook, "/metadata/annotations/cert-manager.io~1inject-ca-from");
    assert_eq!(injected, "tracing/throughline-admission");
}

/// Where the namespace that was replaced is still named.
fn named(objects: &[Value]) -> Vec<String> {
    let old = |(_, value): &(_, Value)| value.to_string().contains("throughline-system");
    said(objects).into_iter().filter(old).map(|((object, path), _)| object + &path).collect()
}

#[test]
fn all_objects_are_found_by_their_label() {
    let names = all();
    for object in rendered(None, &names.iter().map(String::as_str).collect::<Vec<_>>()) {
        let label = words(&object, "/metadata/labels/app.kubernetes.io~1part-of");
        let (kind, name) = (words(&object, "/kind"), words(&object, "/metadata/name"));
        assert_eq!(label, "throughline", "{kind} {name}");
    }
}

#[test]
fn crds_go_with_nothing_that_is_deleted_or_pruned() {
    for object in rendered(None, &[]) {
        assert_ne!(words(&object, "/kind"), "CustomResourceDefinition");
    }
    let crds = Overlay::over(&throughline_tests::kustomize::config("crd"), None, &[]).unwrap();
    let crds = crds.objects().unwrap();
    assert_eq!(crds.len(), 2);
    for crd in crds {
        let annotation =
            |name: &str| words(&crd, &format!("/metadata/annotations/{name}")).to_owned();
        assert_eq!(annotation("argocd.argoproj.io~1sync-options"), "Prune=false,Delete=false");
        assert_eq!(annotation("kustomize.toolkit.fluxcd.io~1prune"), "disabled");
    }
}
