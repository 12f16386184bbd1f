//! What is stored of a journal.

use crate::ledger::Line;
use crate::outbox::write::Stage;

/// What is stored, as far as decisions need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// None once the object is gone.
    pub(super) resource_version: Option<String>,
    /// Entries up to this number are stored, and with them where they belong.
    pub(super) closed: u32,
    pub(super) placed: bool,
    pub(super) stage: Stage,
    /// That it has ended is stored, and that nothing will follow.
    pub(super) ended: (bool, bool),
    pub(super) news: u64,
    pub(super) fingerprint: u64,
    /// The attempt in short, as it is stored: the ledger says nothing that a crash could lose.
    pub(super) line: Box<Line>,
}

impl Stored {
    pub(super) fn exists(&self) -> bool {
        self.resource_version.is_some()
    }
}
