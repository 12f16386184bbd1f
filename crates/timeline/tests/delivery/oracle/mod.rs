//! What has to hold when everything has come to rest. The judge knows what really happened, because
//! the model decided it, and compares all that is stored with that. It calls nothing of the product
//! to find out what is right.

mod attempts;
mod delivered;
mod figures;

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::world::World;

/// Rules that the product does not keep yet, each with the reason. A rule that is kept everywhere
/// must not stand here.
pub(crate) const NOT_YET: &[(&str, &str)] = &[];

/// What was found wrong, by rule: the first example.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: RefCell<BTreeMap<&'static str, String>>,
}

impl Findings {
    /// A rule; the words are only made if it is broken.
    pub(crate) fn rule(&self, name: &'static str, holds: bool, words: impl FnOnce() -> String) -> bool {
        if !holds {
            self.found.borrow_mut().entry(name).or_insert_with(words);
        }
        holds
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// The rules that are broken.
    pub(crate) fn rules(&self) -> Vec<&'static str> {
        self.found.borrow().keys().copied().collect()
    }

    fn must_be_known(&self) {
        let found = self.found.borrow();
        let new = found.iter().filter(|(rule, _)| NOT_YET.iter().all(|(known, _)| known != *rule));
        let new: Vec<_> = new.map(|(rule, words)| format!("[{rule}] {words}")).collect();
        assert!(new.is_empty(), "{}", new.join("\n"));
    }
}

impl World<'_> {
    /// Nothing is wrong but what is known to be.
    pub(crate) fn must_be_right(&self, undisturbed: &World<'_>) {
        self.findings(undisturbed).must_be_known();
    }

    pub(crate) fn findings(&self, undisturbed: &World<'_>) -> Findings {
        let findings = Findings::default();
        self.judge_delivery(&findings);
        self.judge_attempts(&findings, undisturbed);
        self.judge_chains(&findings);
        self.judge_ledgers(&findings);
        findings
    }
}
