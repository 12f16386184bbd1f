//! The I/O around the pure core: watches, writes, configuration and the command line.

pub mod observe;
pub mod report;
