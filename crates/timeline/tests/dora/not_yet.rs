//! What is not right yet, in one place.

/// What the product gets wrong yet, each with the reason: rules of this judge, and kinds of stories.
/// One that is right everywhere must not stand here.
pub(crate) const NOT_YET: &[(&str, &str)] = &[
    ("missing", "what passed before a revision that became stable unseen is no attempt"),
    ("promoted unseen", "an attempt is superseded although it may have been promoted before"),
    ("deleted unseen", "a Rollout that went before a start ends without a gap"),
    ("a rollback to what nobody knows", "every deployment of the failure window fails"),
    ("a template with a stamp", "the same version and commit under another hash is a change"),
    ("an undo keeps the annotations", "the rollback has the commit of what it takes back"),
    ("Rollouts cannot be listed", "a start without them ends every attempt as deleted"),
    ("our own resources are away", "what is deleted meanwhile ends when they are back"),
];

/// Whether something is known to be wrong.
pub(crate) fn is_known(what: &str) -> bool {
    NOT_YET.iter().any(|(known, _)| *known == what)
}
