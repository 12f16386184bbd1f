//! What comes next in the world.

use timeline::{Key, Kind};

#[derive(Debug, Clone)]
pub(super) enum Step {
    Change(usize),
    List(Kind),
    Deliver(Kind),
    Commit(u64),
    Answer(u64),
    Collect(Key),
    Start,
    /// The kind is served again.
    Serve(Kind),
    /// The namespace is deleted.
    Terminate,
}
