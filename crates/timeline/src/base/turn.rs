//! What a change is worth.

/// What an observation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Nothing.
    Same,
    /// Something began, or more is known of it.
    Moved,
    /// An attempt ended, or began at a time that is recorded nowhere else: to be stored at once.
    Vital,
}
