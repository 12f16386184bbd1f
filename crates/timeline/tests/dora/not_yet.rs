//! What is not right yet, in one place.

/// What the product gets wrong yet, each with the reason: rules of this judge, and kinds of stories.
/// One that is right everywhere must not stand here.
pub(crate) const NOT_YET: &[(&str, &str)] = &[];

/// Whether something is known to be wrong.
pub(crate) fn is_known(what: &str) -> bool {
    NOT_YET.iter().any(|(known, _)| *known == what)
}
