//! The Resource of an attempt's spans: the service that is deployed, not this operator. It is part
//! of what a backend compares, so it is made of nothing but what froze when the attempt was placed.

use crate::journal::Journal;
use crate::spans::Attribute;

use super::attributes::{
    Attributes, ENVIRONMENT, NAMESPACE, REPLICA_SET, SERVICE, SERVICE_NAMESPACE, SERVICE_VERSION,
};

pub(super) fn of(journal: &Journal) -> Vec<Attribute> {
    let (rollout, facts) = (&journal.identity.rollout, &journal.facts);
    let mut resource = Attributes::with_capacity(6);
    resource.text(SERVICE, facts.service.as_deref().unwrap_or(&rollout.name));
    resource.text(SERVICE_NAMESPACE, facts.app.as_deref().unwrap_or(&rollout.namespace));
    resource.known(SERVICE_VERSION, facts.version.as_deref());
    resource.text(NAMESPACE, &rollout.namespace);
    resource.known(REPLICA_SET, facts.replica_set.as_deref());
    resource.known(ENVIRONMENT, facts.environment.as_deref());
    resource.finish()
}
