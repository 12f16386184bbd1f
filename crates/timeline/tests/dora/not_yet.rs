//! What is not right yet, in one place.

/// What the product gets wrong yet, each with the reason: rules of this judge, and kinds of stories.
/// One that is right everywhere must not stand here.
pub(crate) const NOT_YET: &[(&str, &str)] = &[
    ("promoted unseen", "a first revision is superseded although it may have been promoted before"),
    ("missing", "what came and went unseen in few random stories is no attempt and no gap"),
    ("Rollouts cannot be listed", "what goes or is replaced meanwhile may end as deleted"),
    ("our own resources are away", "what is stored meanwhile may be told once its Rollout is gone"),
];

/// Whether something is known to be wrong.
pub(crate) fn is_known(what: &str) -> bool {
    NOT_YET.iter().any(|(known, _)| *known == what)
}
