//! The links that are wanted: by a Rollout of its apps, and by an app.

use smol_str::SmolStr;

use crate::base::Traceparent;
use crate::keptn::app_context::Standing;

/// What an app wants, and how it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AppLinks {
    pub(super) wanted: Box<[Traceparent]>,
    pub(super) left_out: usize,
    pub(super) standing: Standing,
}

impl AppLinks {
    /// Nothing is wanted and nothing is in the way: what an app has of which nothing is kept.
    pub(super) fn are_nothing(&self) -> bool {
        self.wanted.is_empty() && self.left_out == 0 && self.standing == Standing::Linked
    }
}

/// What a Rollout wants of its apps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wants {
    /// Those that it is live in or tries to be.
    pub(super) apps: Box<[SmolStr]>,
    pub(super) links: Box<[Traceparent]>,
    pub(super) only_observed: bool,
}
