//! Keptn's names: which application, workload and version Keptn sees in a pod template, and what
//! it calls the objects that it makes of them.
//!
//! The rules are those of Keptn's lifecycle-operator, webhooks/pod_mutator/handlers/objectmeta.go
//! and common/common.go. They are followed to the letter, oddities included: a name computed
//! otherwise finds nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The longest name that Kubernetes takes for an object.
pub const NAME_LIMIT: usize = 253;
/// Keptn's lower bound for a part of a name that it cuts.
const PART_MINIMUM: usize = 80;

/// What Keptn makes of one pod template: the names under which its objects are found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Workload {
    /// Name of the KeptnApp and of the KeptnAppContext.
    pub app: SmolStr,
    /// Name of the KeptnWorkload: `<app>-<workload>`.
    pub name: SmolStr,
    /// Version as Keptn writes it into KeptnWorkload.spec.version: lower-case.
    pub version: SmolStr,
    /// Keptn computed the version from the containers, so an injected container changes it.
    pub hashed: bool,
}

/// Labels and annotations of a pod template or of a Rollout.
#[derive(Debug, Clone, Copy)]
pub struct Metadata<'a> {
    /// `metadata.annotations`
    pub annotations: &'a BTreeMap<String, String>,
    /// `metadata.labels`
    pub labels: &'a BTreeMap<String, String>,
}

/// The fields of a container that Keptn's version hash is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// `name`
    pub name: String,
    /// `image`
    pub image: String,
    /// `env`: name and value; an entry with `valueFrom` has an empty value.
    pub env: Vec<(String, String)>,
}

/// Why a pod template gives no usable workload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
pub enum NoWorkload {
    /// Keptn ignores such pods.
    #[error(
        "no keptn.sh/workload or app.kubernetes.io/name on the pod template or the Rollout: \
         Keptn makes no trace"
    )]
    Unnamed,
    /// `keptn.sh/container` points nowhere.
    #[error("keptn.sh/container names no container of the pod template: Keptn finds no version")]
    NoSuchContainer,
    /// Keptn would make objects whose names Kubernetes refuses.
    #[error("{what} has {length} characters, Keptn cannot name an object by more than 253")]
    TooLong {
        /// `app`, `workload` or `version`
        what: SmolStr,
        /// Length found, in bytes.
        length: usize,
    },
}

impl Workload {
    /// The workload that Keptn's webhook finds for a pod of this template.
    ///
    /// The pod's own metadata decides if it names a workload; otherwise, and only then, the
    /// metadata of the Rollout does (pod_annotation.go).
    pub fn of(
        template: Metadata<'_>,
        rollout: Metadata<'_>,
        containers: &[Container],
    ) -> Result<Self, NoWorkload> {
        let metadata =
            if template.value("workload", "name").is_some() { template } else { rollout };
        let workload = metadata.value("workload", "name").ok_or(NoWorkload::Unnamed)?;
        let app = metadata.value("app", "part-of").unwrap_or(workload);
        let (version, hashed) = match metadata.value("version", "version") {
            Some(version) => (version.to_owned(), false),
            None => version_of(containers, metadata.keptn("container"))?,
        };
        for (what, value) in [("app", app), ("workload", workload), ("version", &version)] {
            if value.len() > NAME_LIMIT {
                return Err(NoWorkload::TooLong { what: what.into(), length: value.len() });
            }
        }
        Ok(Self {
            app: resource_name(&[app]).into(),
            name: resource_name(&[app, workload]).into(),
            version: version.to_lowercase().into(),
            hashed,
        })
    }

    /// The name under which a KeptnAppVersion lists this workload: without the app.
    pub fn short_name(&self) -> &str {
        self.name
            .strip_prefix(self.app.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .unwrap_or(&self.name)
    }

    /// Name of the KeptnWorkloadVersion of this workload and version.
    pub fn version_name(&self) -> String {
        resource_name(&[&self.name, &self.version])
    }
}

impl<'a> Metadata<'a> {
    /// `keptn.sh/<key>`, then `app.kubernetes.io/<recommended>`; annotation before label, empty
    /// counts as absent.
    fn value(&self, key: &str, recommended: &str) -> Option<&'a str> {
        self.keptn(key).or_else(|| self.either(&format!("app.kubernetes.io/{recommended}")))
    }

    fn keptn(&self, key: &str) -> Option<&'a str> {
        self.either(&format!("keptn.sh/{key}"))
    }

    fn either(&self, key: &str) -> Option<&'a str> {
        [self.annotations, self.labels]
            .into_iter()
            .filter_map(|map| map.get(key))
            .map(String::as_str)
            .find(|value| !value.is_empty())
    }
}

/// The tag of the container that `keptn.sh/container` names, else a hash over all containers.
fn version_of(
    containers: &[Container],
    chosen: Option<&str>,
) -> Result<(String, bool), NoWorkload> {
    if let Some(name) = chosen {
        let mut found = containers.iter().filter(|container| container.name == name).peekable();
        if found.peek().is_none() {
            return Err(NoWorkload::NoSuchContainer);
        }
        if let Some(tag) = found.find_map(|container| tag(&container.image)) {
            return Ok((tag.to_owned(), false));
        }
    }
    let mut hash = Fnv32::new();
    for container in containers {
        hash.add(&container.name);
        hash.add(&container.image);
        for (name, value) in &container.env {
            hash.add(name);
            hash.add(value);
        }
    }
    Ok((hash.0.to_string(), true))
}

/// What stands behind the last colon, as Keptn takes it, be it a tag, a digest or a port.
fn tag(image: &str) -> Option<&str> {
    let (_, tag) = image.rsplit_once(':')?;
    (!tag.is_empty() && tag != "latest").then_some(tag)
}

/// FNV-1a of 32 bits, as Go's hash/fnv has it.
struct Fnv32(u32);

impl Fnv32 {
    fn new() -> Self {
        Self(0x811c_9dc5)
    }

    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
}

/// Keptn's `CreateResourceName`: the parts joined by dashes, earlier parts cut until all fits,
/// lower-case, `_` as `-`. Never a hash, so two long names can become one.
pub fn resource_name(parts: &[&str]) -> String {
    let mut minimum = PART_MINIMUM;
    while parts.len().saturating_mul(minimum) > NAME_LIMIT {
        minimum /= 2;
    }
    let mut parts = parts.to_vec();
    let last = parts.len().saturating_sub(1);
    for i in 0..last {
        let texts: usize = parts.iter().map(|part| part.len()).sum();
        let length = texts.saturating_add(last);
        if length <= NAME_LIMIT {
            break;
        }
        let kept = parts[i].len().saturating_sub(length.saturating_sub(NAME_LIMIT)).max(minimum);
        if kept < parts[i].len() {
            // Kubernetes' names are ASCII; a hostile annotation need not be.
            parts[i] = parts[i].get(..parts[i].floor_char_boundary(kept)).unwrap_or_default();
        }
    }
    parts.join("-").to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn cart(tag: &str) -> Vec<Container> {
        vec![Container { name: "cart".into(), image: format!("example/cart:{tag}"), env: vec![] }]
    }

    /// Annotations, then labels.
    type Pairs<'a> = (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]);

    fn workload(
        template: Pairs<'_>,
        rollout: Pairs<'_>,
        containers: &[Container],
    ) -> Result<Workload, NoWorkload> {
        let maps = [map(template.0), map(template.1), map(rollout.0), map(rollout.1)];
        let metadata = |i: usize| Metadata { annotations: &maps[i], labels: &maps[i + 1] };
        Workload::of(metadata(0), metadata(2), containers)
    }

    #[test]
    fn labels_of_the_template_name_app_workload_and_version() {
        let labels: &[_] = &[
            ("app.kubernetes.io/name", "cart"),
            ("app.kubernetes.io/part-of", "shop"),
            ("app.kubernetes.io/version", "1.0.0"),
        ];
        let found = workload((&[], labels), (&[], &[]), &cart("9")).unwrap();
        assert_eq!((found.app.as_str(), found.name.as_str()), ("shop", "shop-cart"));
        assert_eq!(found.short_name(), "cart");
        assert_eq!(found.version_name(), "shop-cart-1.0.0");
        assert!(!found.hashed);
    }

    #[test]
    fn without_an_app_the_workload_is_its_own_app() {
        let labels: &[_] =
            &[("app.kubernetes.io/name", "cart"), ("app.kubernetes.io/version", "1.0.0")];
        let found = workload((&[], labels), (&[], &[]), &cart("9")).unwrap();
        assert_eq!((found.app.as_str(), found.name.as_str()), ("cart", "cart-cart"));
        assert_eq!(found.version_name(), "cart-cart-1.0.0");
    }

    #[test]
    fn keptn_keys_win_over_recommended_ones_and_annotations_over_labels() {
        let found = workload(
            (
                &[("keptn.sh/version", "2"), ("app.kubernetes.io/name", "by-annotation")],
                &[
                    ("keptn.sh/version", "3"),
                    ("keptn.sh/workload", "by-keptn"),
                    ("app.kubernetes.io/part-of", ""),
                    ("keptn.sh/app", "Shop_One"),
                ],
            ),
            (&[("keptn.sh/app", "never-read")], &[]),
            &[],
        )
        .unwrap();
        assert_eq!(found.name, "shop-one-by-keptn");
        assert_eq!((found.app.as_str(), found.version.as_str()), ("shop-one", "2"));
    }

    #[test]
    fn the_rollout_is_asked_only_if_the_template_names_no_workload() {
        let rollout: (&[_], &[_]) =
            (&[("keptn.sh/app", "shop"), ("keptn.sh/workload", "cart")], &[]);
        let found = workload((&[], &[("app", "cart")]), rollout, &cart("1.0.0")).unwrap();
        // The recording hash-version: what the real webhook computed for this very template.
        assert_eq!(found.version_name(), "shop-cart-3391518271");
        assert!(found.hashed);
        let found = workload((&[], &[]), rollout, &cart("2.0.0")).unwrap();
        assert_eq!(found.version, "214277426");
        let found = workload((&[("keptn.sh/workload", "pay")], &[]), rollout, &cart("1")).unwrap();
        assert_eq!((found.app.as_str(), found.name.as_str()), ("pay", "pay-pay"));
    }

    #[test]
    fn the_tag_is_the_version_only_of_a_container_that_is_named() {
        let keys: (&[_], &[_]) =
            (&[("keptn.sh/workload", "cart"), ("keptn.sh/container", "cart")], &[]);
        let version = |image: &str| {
            let containers = [Container { name: "cart".into(), image: image.into(), env: vec![] }];
            workload(keys, (&[], &[]), &containers).unwrap()
        };
        assert_eq!(version("example/cart:1.2.3-RC1").version, "1.2.3-rc1");
        assert_eq!(version("localhost:5000/cart").version, "5000/cart");
        assert!(version("example/cart:latest").hashed);
        assert!(version("example/cart").hashed);
        assert!(version("example/cart:").hashed);
        let none = workload(
            (&[("keptn.sh/workload", "cart"), ("keptn.sh/container", "other")], &[]),
            (&[], &[]),
            &cart("1"),
        );
        assert_eq!(none, Err(NoWorkload::NoSuchContainer));
    }

    #[test]
    fn names_at_and_over_kubernetes_limit_are_cut_as_keptn_cuts_them() {
        let at = "a".repeat(253);
        assert_eq!(resource_name(&[&at]), at);
        let app = "a".repeat(200);
        let cut = resource_name(&[&app, &"w".repeat(100)]);
        assert_eq!(cut, format!("{}-{}", "a".repeat(152), "w".repeat(100)));
        // The first part never falls below its minimum, the last is never cut.
        let cut = resource_name(&[&app, &"w".repeat(250)]);
        assert_eq!(cut, format!("{}-{}", "a".repeat(80), "w".repeat(250)));
        let cut = resource_name(&["a".repeat(70).as_str(), &"w".repeat(250)]);
        assert_eq!(cut.len(), 70 + 1 + 250);

        let labels = [("keptn.sh/workload", "cart"), ("keptn.sh/app", &"a".repeat(254))];
        let long = workload((&labels, &[]), (&[], &[]), &cart("1"));
        assert_eq!(long, Err(NoWorkload::TooLong { what: "app".into(), length: 254 }));
    }

    #[test]
    fn a_version_of_a_million_characters_is_refused_not_carried() {
        let version = "v".repeat(1_000_000);
        let keys = [("keptn.sh/workload", "cart"), ("keptn.sh/version", version.as_str())];
        let refused = workload((&keys, &[]), (&[], &[]), &[]);
        assert_eq!(refused, Err(NoWorkload::TooLong { what: "version".into(), length: 1_000_000 }));
    }

    proptest! {
        #[test]
        fn any_parts_give_a_name_without_panic(parts in prop::collection::vec(".{0,200}", 1..4)) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            prop_assert!(!resource_name(&parts).contains('_'));
        }
    }
}
