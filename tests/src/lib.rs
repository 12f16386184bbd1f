//! The test cluster and what runs on it, shared by tests, demo and benches.
