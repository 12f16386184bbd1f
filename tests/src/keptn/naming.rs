//! How Keptn names things, and the hashes it uses for it (docs/keptn.md 1.3 and 1.4).

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::Container;
use sha2::{Digest, Sha256};

const LONGEST: usize = 253;
const SHORTEST_PART: usize = 80;

/// `CreateResourceName` (common/common.go): parts joined with `-`, cut when they are too long, the
/// last one never; lower case, `_` becomes `-`. No hash is added to a cut name.
pub fn resource_name(parts: &[&str]) -> String {
    let mut shortest = SHORTEST_PART;
    while parts.len() * shortest > LONGEST {
        shortest /= 2;
    }
    let mut parts: Vec<&str> = parts.to_vec();
    for index in 0..parts.len().saturating_sub(1) {
        let length = parts.iter().map(|part| part.len()).sum::<usize>() + parts.len() - 1;
        if length <= LONGEST {
            break;
        }
        let kept = parts[index].len().saturating_sub(length - LONGEST).max(shortest);
        if let Some(cut) = parts[index].get(..kept) {
            parts[index] = cut;
        }
    }
    parts.join("-").to_lowercase().replace('_', "-")
}

/// Ends the name of a `KeptnAppVersion`: the first 8 hex digits of the SHA-256 of the generation
/// in decimal.
pub fn generation_hash(generation: i64) -> String {
    hex(&Sha256::digest(generation.to_string()), 8)
}

/// Version of an app that Keptn made by itself: that of its only workload, or else a hash over
/// all of them (name of the `KeptnWorkload` and version, sorted by name).
pub fn app_version(workloads: &[(&str, &str)]) -> String {
    if let [(_, version)] = workloads {
        return (*version).to_owned();
    }
    let mut all = String::new();
    for (name, version) in workloads {
        // Writing to a String does not fail.
        let _ = write!(all, "{name}-{version}");
    }
    hex(&Sha256::digest(all), 10)
}

/// Version of a pod that names none (docs/keptn.md 1.2, `calculateVersion`): the tag of the container
/// that is called `container`, else FNV-1a over names, images and environment of the containers up
/// to there. `None` when `container` is given and not there.
pub fn pod_version(containers: &[Container], container: Option<&str>) -> Option<String> {
    let mut hash = Fnv::default();
    let mut found = false;
    for candidate in containers {
        let image = candidate.image.as_deref().unwrap_or_default();
        if container == Some(candidate.name.as_str()) {
            found = true;
            if let Some(tag) = tag(image) {
                return Some(tag.to_owned());
            }
        }
        hash.write(&candidate.name);
        hash.write(image);
        for variable in candidate.env.iter().flatten() {
            hash.write(&variable.name);
            hash.write(variable.value.as_deref().unwrap_or_default());
        }
    }
    (found || container.is_none()).then(|| hash.0.to_string())
}

// What follows the last colon, be it a tag, a digest or the path after a registry's port.
fn tag(image: &str) -> Option<&str> {
    let (_, tag) = image.rsplit_once(':')?;
    (!tag.is_empty() && tag != "latest").then_some(tag)
}

struct Fnv(u32);

impl Default for Fnv {
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl Fnv {
    fn write(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
}

fn hex(bytes: &[u8], digits: usize) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(digits);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, image: &str) -> Container {
        Container { name: name.into(), image: Some(image.into()), ..Container::default() }
    }

    #[test]
    fn generations_hash_as_in_keptn_md() {
        let hashes = ["6b86b273", "d4735e3a", "4e074085", "4b227777", "ef2d127d", "e7f6c011"];
        for (generation, hash) in (1..).zip(hashes) {
            assert_eq!(generation_hash(generation), hash);
        }
    }

    // The numbers below stand in the recordings of hash-version and two-workloads.
    #[test]
    fn versions_are_derived_as_recorded() {
        let derived = |image| pod_version(&[container("cart", image)], None);
        assert_eq!(derived("example/cart:1.0.0").as_deref(), Some("3391518271"));
        assert_eq!(derived("example/cart:2.0.0").as_deref(), Some("214277426"));
    }

    #[test]
    fn apps_of_two_workloads_are_versioned_as_recorded() {
        let version = |cart, pay| app_version(&[("shop-cart", cart), ("shop-pay", pay)]);
        assert_eq!(app_version(&[("shop-cart", "1.0.0")]), "1.0.0");
        assert_eq!(version("1.0.0", "1.0.0"), "9601637160");
        assert_eq!(version("2.0.0", "1.0.0"), "6273950f13");
        assert_eq!(version("2.0.0", "2.0.0"), "244ac2eb13");
        assert_eq!(version("3.0.0", "3.0.0"), "49473cb4f6");
        assert_eq!(version("4.0.0", "3.0.0"), "d0e2962a9f");
        assert_eq!(app_version(&[]), "e3b0c44298");
    }

    #[test]
    fn a_named_container_gives_its_tag() {
        let pod = [container("proxy", "mesh/proxy:7"), container("cart", "example/cart:1.2.3")];
        assert_eq!(pod_version(&pod, Some("cart")).as_deref(), Some("1.2.3"));
        assert_eq!(pod_version(&pod, Some("basket")), None);
        let untagged = |image| pod_version(&[container("cart", image)], Some("cart"));
        assert_eq!(untagged("localhost:5000/cart").as_deref(), Some("5000/cart"));
        assert_eq!(untagged("example/cart@sha256:0f").as_deref(), Some("0f"));
        assert_ne!(untagged("example/cart:latest").as_deref(), Some("latest"));
    }

    #[test]
    fn names_are_cut_from_the_left_and_never_at_the_end() {
        assert_eq!(resource_name(&["Shop_A", "cart", "1.0_RC"]), "shop-a-cart-1.0-rc");
        let long = "x".repeat(300);
        assert_eq!(resource_name(&[&long, "cart"]).len(), 253);
        assert!(resource_name(&[&long, "cart"]).ends_with("x-cart"));
        assert_eq!(resource_name(&["cart", &long]), format!("cart-{long}"));
        assert_eq!(resource_name(&[&long, &long, "v"]).len(), 253);
    }
}
