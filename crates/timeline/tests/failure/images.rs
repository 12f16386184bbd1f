use timeline::failure::of_pods;
use timeline::seen::ContainerSeen;

use super::{NOW, container, pod, waiting};

const CART: &str = "example/cart:4.0.0";
/// How containerd begins, up to the registry's own words.
const RESOLVE: &str = "failed to pull and unpack image \"docker.io/example/cart:4.0.0\": failed to \
                       resolve reference \"docker.io/example/cart:4.0.0\":";

fn line_of(container: ContainerSeen) -> String {
    of_pods(&[&pod("cart-1", vec![container])], NOW).failure.map(|failure| failure.reason).unwrap()
}

fn reads(cases: &[(&str, String, &str)]) {
    for (reason, message, expected) in cases {
        let line = line_of(waiting(reason, message));
        let expected = format!("ImagePullFailed: cart: {CART}: {expected} (1 of 1 pods)");
        assert_eq!(line, expected, "{reason}: {message}");
    }
}

#[test]
fn a_failed_pull_of_containerd_names_the_image_and_comes_down_to_a_few_words() {
    let not_found =
        format!("rpc error: code = NotFound desc = {RESOLVE} docker.io/{CART}: not found");
    let denied = "pull access denied, repository does not exist or may require authorization: \
                  server message: insufficient_scope: authorization failed";
    let unauthorized = "failed to authorize: failed to fetch anonymous token: unexpected status from \
                        GET request to https://ghcr.io/token?service=ghcr.io: 401 Unauthorized";
    let no_host = "failed to do request: Head \"https://registry.test/v2/cart/manifests/4\": dial \
                   tcp: lookup registry.test on 10.0.0.10:53: no such host";
    let certificate = "failed to do request: Head \"https://registry.test/v2/\": tls: failed to \
                       verify certificate: x509: certificate signed by unknown authority";
    let platform = "rpc error: code = NotFound desc = failed to pull and unpack image \
                    \"docker.io/example/cart:4.0.0\": no match for platform in manifest: not found";
    let limit = "failed to pull and unpack image \"docker.io/example/cart:4.0.0\": failed to copy: \
                 httpReadSeeker: failed open: unexpected status code \
                 https://registry-1.docker.io/v2/example/cart/manifests/sha256:0: 429 Too Many \
                 Requests - Server message: toomanyrequests: You have reached your pull rate limit.";
    let pull = "ErrImagePull";
    reads(&[
        (pull, not_found.clone(), "not found"),
        (
            "ImagePullBackOff",
            format!("Back-off pulling image \"{CART}\": ErrImagePull: {not_found}"),
            "not found",
        ),
        (pull, format!("{RESOLVE} {denied}"), "pull access denied"),
        (pull, format!("{RESOLVE} {unauthorized}"), "unauthorized"),
        (pull, format!("{RESOLVE} {no_host}"), "no such host"),
        (pull, format!("{RESOLVE} {certificate}"), "certificate not accepted"),
        (pull, platform.to_owned(), "no match for platform"),
        (pull, limit.to_owned(), "too many requests"),
    ]);
}

#[test]
fn a_failed_pull_of_dockerd_or_of_cri_o_comes_down_to_a_few_words_too() {
    reads(&[
        (
            "ErrImagePull",
            format!(
                "rpc error: code = Unknown desc = Error response from daemon: manifest for {CART} \
                 not found: manifest unknown: manifest unknown"
            ),
            "not found",
        ),
        (
            "ErrImagePull",
            "rpc error: code = Unknown desc = Error response from daemon: pull access denied for \
             example/cart, repository does not exist or may require 'docker login': denied: \
             requested access to the resource is denied"
                .to_owned(),
            "pull access denied",
        ),
        (
            "ErrImagePull",
            "reading manifest 4.0.0 in docker.io/example/cart: manifest unknown".to_owned(),
            "manifest unknown",
        ),
        (
            "ErrImagePull",
            "unable to retrieve auth token: invalid username/password: unauthorized: incorrect \
             username or password"
                .to_owned(),
            "unauthorized",
        ),
    ]);
}

#[test]
fn a_pull_that_the_kubelet_does_not_even_try_says_so() {
    let tag = "Failed to apply default image tag \"cart::\": couldn't parse image name \"cart::\": \
               invalid reference format";
    reads(&[
        (
            "RegistryUnavailable",
            format!("image pull failed for {CART} because the registry is unavailable"),
            "registry unavailable",
        ),
        (
            "SignatureValidationFailed",
            format!("image pull failed for {CART} because the signature validation failed"),
            "signature validation failed",
        ),
        ("InvalidImageName", tag.to_owned(), "invalid image name"),
        ("InvalidImageName", String::new(), "invalid image name"),
        (
            "ErrImageNeverPull",
            format!("Container image \"{CART}\" is not present with pull policy of Never"),
            "not present and never pulled",
        ),
    ]);
}

#[test]
fn a_message_that_was_cut_or_that_is_not_known_yet_still_says_something() {
    let back_off = format!("Back-off pulling image \"{CART}\": ErrImagePull:");
    reads(&[
        (
            "ImagePullBackOff",
            format!("{back_off} rpc error: code = NotFound desc = failed to pull and un…"),
            "not found",
        ),
        (
            "ImagePullBackOff",
            format!("{back_off} rpc error: code = Unknown desc = {RESOLVE} the moon is full: run"),
            "the moon is full",
        ),
    ]);
}

#[test]
fn kubelets_that_only_say_back_off_still_name_the_image() {
    for message in ["Back-off pulling image \"example/cart:4.0.0\"", "Back-off pulling image", ""] {
        let line = line_of(waiting("ImagePullBackOff", message));
        assert_eq!(line, "ImagePullFailed: cart: example/cart:4.0.0 (1 of 1 pods)");
    }
}

#[test]
fn an_image_that_is_called_like_a_failure_is_not_taken_for_one() {
    let image = "toomanyrequests/unauthorized:not-found";
    let message = format!(
        "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": dial \
         tcp 10.1.2.3:443: connect: connection refused"
    );
    let cart = ContainerSeen { image: image.to_owned(), ..waiting("ErrImagePull", &message) };
    assert_eq!(
        line_of(cart),
        format!("ImagePullFailed: cart: {image}: connection refused (1 of 1 pods)")
    );
}

#[test]
fn a_long_image_is_cut_and_not_what_is_wrong_with_it() {
    let cart = ContainerSeen {
        name: "c".repeat(300),
        image: format!("registry.test/{}:1", "x/".repeat(4096)),
        ..waiting("ErrImagePull", "example/cart: not found")
    };
    let line = line_of(cart);
    assert!(line.len() <= 256 && line.ends_with("…: not found (1 of 1 pods)"), "{line}");

    let cart = ContainerSeen { image: "é".repeat(4096), ..container() };
    let cart = ContainerSeen { waiting: waiting("ErrImagePull", "").waiting, ..cart };
    let line = line_of(cart);
    assert!(line.len() <= 256 && line.ends_with("é… (1 of 1 pods)"), "{line}");
}
