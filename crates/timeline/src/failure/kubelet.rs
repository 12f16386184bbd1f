//! What the kubelet's and the scheduler's long messages come down to. Their shapes are those of
//! Kubernetes 1.34 (pkg/kubelet/images/image_manager.go, pkg/kubelet/kuberuntime,
//! pkg/scheduler/framework) with the words of containerd, CRI-O and dockerd in them.

/// Wrappings that say nothing by themselves.
const PLAIN: [&str; 11] = [
    "Error: ",
    "ErrImagePull: ",
    "RegistryUnavailable: ",
    "SignatureValidationFailed: ",
    "ImageVolumeMountFailed: ",
    "Error response from daemon: ",
    "failed to create containerd task: ",
    "failed to create shim task: ",
    "OCI runtime create failed: ",
    "runc create failed: ",
    "unable to start container process: ",
];

/// Wrappings that name an image, up to `": `.
const NAMING: [&str; 4] = [
    "Back-off pulling image \"",
    "Failed to pull image \"",
    "failed to pull and unpack image \"",
    "failed to resolve reference \"",
];

/// Words of a failed pull and what they are called; the first that occur count. Each has a space in
/// it, and the name of an image has none.
const PULL: [(&str, &str); 25] = [
    ("toomanyrequests: ", "too many requests"),
    ("too many requests", "too many requests"),
    ("no such host", "no such host"),
    ("pull access denied", "pull access denied"),
    ("access to the resource is denied", "access denied"),
    (" unauthorized", "unauthorized"),
    ("authentication required", "unauthorized"),
    ("authorization failed", "unauthorized"),
    ("403 forbidden", "forbidden"),
    ("no match for platform", "no match for platform"),
    (" not found", "not found"),
    ("manifest unknown", "manifest unknown"),
    ("no space left on device", "no space left on device"),
    ("x509: ", "certificate not accepted"),
    ("connection refused", "connection refused"),
    ("i/o timeout", "timed out"),
    ("deadline exceeded", "timed out"),
    ("registry is unavailable", "registry unavailable"),
    ("signature validation failed", "signature validation failed"),
    ("couldn't parse image", "invalid image name"),
    ("invalid reference format", "invalid image name"),
    ("pull policy of never", "not present and never pulled"),
    // The end of a long message may be cut off; gRPC's code stands at its start.
    ("code = notfound", "not found"),
    ("code = unauthenticated", "unauthorized"),
    ("code = permissiondenied", "access denied"),
];

/// What the reason alone says about a failed pull.
const PULL_REASONS: [(&str, &str); 5] = [
    ("InvalidImageName", "invalid image name"),
    ("ErrImageNeverPull", "not present and never pulled"),
    ("RegistryUnavailable", "registry unavailable"),
    ("SignatureValidationFailed", "signature validation failed"),
    ("ImageInspectError", "cannot be inspected"),
];

/// Words about a volume that concern a pod as a whole.
const VOLUME: [&str; 9] = [
    "failedmount",
    "failedattachvolume",
    "unable to attach or mount volumes",
    "mountvolume.",
    "attachvolume.",
    "persistentvolumeclaim",
    "imagevolumemountfailed",
    "failed to prepare subpath for volumemount",
    "volumeattachmentlimitexceeded",
];

/// Words about a volume that the scheduler says of single nodes (its plugins volumebinding,
/// volumezone and nodevolumelimits).
const VOLUME_OF_NODES: [&str; 7] = [
    "volume node affinity conflict",
    "persistentvolume's node affinity",
    "persistent volumes to bind",
    "no available volume zone",
    "enough free storage",
    "non-existent pv",
    "max volume count",
];

/// Why an image cannot be had, in a few words; empty if the message does not say.
pub(super) fn pull(reason: &str, message: &str) -> String {
    let lower = message.to_lowercase();
    // So that words at the very start count as well.
    let lower = format!(" {lower}");
    if let Some((_, words)) = PULL.iter().find(|(sign, _)| lower.contains(sign)) {
        return (*words).to_owned();
    }
    if let Some((_, words)) = PULL_REASONS.iter().find(|(known, _)| *known == reason) {
        return (*words).to_owned();
    }
    let said = unwrapped(message);
    if said.starts_with("Back-off pulling image") {
        return String::new();
    }
    said.split(": ").next().unwrap_or_default().to_owned()
}

/// The message without what it is wrapped in.
pub(super) fn unwrapped(message: &str) -> &str {
    let mut text = message;
    loop {
        text = text.trim_start();
        let inner = PLAIN
            .iter()
            .find_map(|wrapping| text.strip_prefix(wrapping))
            .or_else(|| {
                let named = NAMING.iter().find_map(|wrapping| text.strip_prefix(wrapping))?;
                named.split_once("\": ").map(|(_, inner)| inner)
            })
            .or_else(|| {
                let (_, inner) = text.strip_prefix("rpc error: code = ")?.split_once(" desc = ")?;
                Some(inner)
            });
        match inner {
            Some(inner) => text = inner,
            None => return text,
        }
    }
}

/// Whether the message is about a volume.
pub(super) fn about_volume(message: &str) -> bool {
    let lower = message.to_lowercase();
    VOLUME.iter().any(|sign| lower.contains(sign))
}

/// The scheduler's reasons; what follows about preemption repeats them node by node
/// (pkg/scheduler/framework, `FitError`).
pub(super) fn unschedulable(message: &str) -> &str {
    let end = ["preemption:", "no new claims to deallocate"]
        .iter()
        .filter_map(|tail| message.find(tail))
        .min()
        .unwrap_or(message.len());
    message.get(..end).unwrap_or(message).trim()
}

/// Whether the scheduler names nothing but volumes: where other nodes lack something else, the
/// volume is not what keeps the pod out.
pub(super) fn unschedulable_for_volume(message: &str) -> bool {
    let words = unschedulable(message).to_lowercase();
    let reasons = words.split_once("nodes are available: ").map_or(&*words, |(_, reasons)| reasons);
    about_volume(reasons)
        || reasons
            .split(", ")
            .all(|reason| VOLUME_OF_NODES.iter().any(|sign| reason.contains(sign)))
}
