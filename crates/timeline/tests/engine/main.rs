//! The engine beside a store: what passed unseen, what comes back, and what another process goes on with.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod missed;
mod restarts;
mod returns;
mod slow;
mod stored;
