//! Which of several replicas acts: a Lease says who leads, and who does not lead sends nothing.
//!
//! [`Candidate`] decides about the Lease, `Election` asks the API server for it, and [`Leadership`] is the result: asked before each
//! request that writes. A Lease has expired when this process has not seen it change for as long as
//! its holder said, by this process's own monotonic clock: times of other machines are never
//! compared. The holder stops after two thirds of that without a renewal. A holder that stood still
//! and is woken is stopped by the same clock; what had left it already is refused by the API server,
//! because a later leader's number stands in `status.writerEpoch`.

mod candidate;
mod election;
mod epoch;
mod leadership;

pub(crate) use candidate::Name;
pub use candidate::{Candidate, Look, Term};
pub(crate) use election::Election;
pub use leadership::{Leadership, NotLeading};
