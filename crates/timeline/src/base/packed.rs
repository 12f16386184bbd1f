//! Bytes that hold what is not needed now: numbers as varints, times as differences, texts as
//! what differs from an earlier one of the same kind.
//!
//! They never leave the process, so there is no version: the process that writes them reads them.
//! Reading returns `None` where they end too early, and never panics.

mod letters;
mod read;
mod recent;
mod write;

pub(crate) use read::Reader;
pub(crate) use recent::Text;
pub(crate) use write::Writer;

#[cfg(test)]
mod tests;
