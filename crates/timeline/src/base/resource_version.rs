//! Which of two versions of an object is the earlier.

/// Kubernetes' resource versions are opaque but, in every API server that exists, numbers that
/// grow; where one is not, nothing counts as older and only a conflict shows it.
pub(crate) fn is_older(this: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    number(this).zip(number(other)).is_some_and(|(this, other)| this < other)
}
