//! Kubernetes types: our own resources and the few fields that we read of others.
