//! What is not right yet, in one place.

/// What the product gets wrong yet, each with the reason: rules of this judge, and kinds of stories.
/// One that is right everywhere must not stand here.
pub(crate) const NOT_YET: &[(&str, &str)] = &[
    ("exposed since", "nobody notes the first ready pod of a canary without a router"),
    ("missing", "an attempt that nobody saw is neither stored nor does knownSince say so"),
    ("promoted unseen", "an attempt is superseded although it may have been promoted before"),
    ("reverted unseen", "an attempt is reverted although others came between, and are there"),
    ("deleted unseen", "a Rollout that went before a start ends without a gap"),
    ("one record", "a line keeps the class of what once held the attempt up"),
    ("an abort that Argo ignores", "the wish of a client ends the attempt"),
    ("a rollback to what nobody knows", "every deployment of the failure window fails"),
    ("a first revision is never healthy", "it is promoted when it is replaced"),
    ("stopped, and shipped later", "what never was live is a rollback"),
    ("a hotfix for what was stopped", "what is live fails instead"),
    ("a template with a stamp", "the same version and commit under another hash is a change"),
    ("an undo keeps the annotations", "the rollback has the commit of what it takes back"),
    ("a header route at weight 0", "only a weight is known to hit users"),
    ("traffic comes back slowly", "nobody waits for longer than a minute"),
    ("a hash is tried again at once", "pods of the second attempt expose the first one too"),
    ("a weight of another revision", "it is taken for that of the attempt under way"),
    ("a step is skipped", "a single one is completed"),
    ("Rollouts cannot be listed", "a start without them ends every attempt as deleted"),
    ("our own resources are away", "what is deleted meanwhile ends when they are back"),
];

/// Whether something is known to be wrong.
pub(crate) fn is_known(what: &str) -> bool {
    NOT_YET.iter().any(|(known, _)| *known == what)
}
