//! What happened to a Rollout and what follows from it, without I/O.
