//! What has to hold when everything has come to rest. The judge knows what really happened, because
//! the model decided it, and compares all that is stored with that. It calls nothing of the product
//! to find out what is right.

mod attempts;
mod delivered;
mod figures;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::world::World;

/// Rules that the product does not keep yet, each with the reason. A rule that is kept everywhere
/// must not stand here.
pub(crate) const NOT_YET: &[(&str, &str)] = &[
    ("exposed since", "tmp"), ("figures", "tmp"), ("figures of lines", "tmp"), ("kind", "tmp"), ("links", "tmp"), ("one record", "tmp"), ("missing", "tmp"),
];

/// What was found wrong, by rule: the first example.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: RefCell<BTreeMap<&'static str, String>>,
    /// Rules of which an example is known already.
    examples: BTreeSet<&'static str>,
}

impl Findings {
    /// A rule; the words are only made if it is broken.
    pub(crate) fn rule(&self, name: &'static str, holds: bool, words: impl FnOnce() -> String) -> bool {
        if !holds {
            let known = NOT_YET.iter().any(|(known, _)| *known == name);
            let silent = known || self.examples.contains(name);
            let words = || if silent { String::new() } else { words() };
            self.found.borrow_mut().entry(name).or_insert_with(words);
        }
        holds
    }

    /// The rules that are broken.
    pub(crate) fn rules(&self) -> Vec<&'static str> {
        self.found.borrow().keys().copied().collect()
    }

    /// What is wrong and not known to be, by rule.
    pub(crate) fn new(self) -> BTreeMap<&'static str, String> {
        let mut found = self.found.into_inner();
        found.retain(|rule, _| NOT_YET.iter().all(|(known, _)| known != rule));
        found
    }
}

impl World<'_> {
    /// Nothing is wrong but what is known to be.
    pub(crate) fn must_be_right(&self, undisturbed: &World<'_>) {
        let new = self.findings(undisturbed, BTreeSet::new()).new();
        assert!(new.is_empty(), "{new:#?}");
    }

    /// What is wrong, with words but for those rules.
    pub(crate) fn findings(
        &self,
        undisturbed: &World<'_>,
        examples: BTreeSet<&'static str>,
    ) -> Findings {
        let findings = Findings { examples, ..Findings::default() };
        self.judge_delivery(&findings);
        self.judge_attempts(&findings, undisturbed);
        self.judge_chains(&findings);
        self.judge_ledgers(&findings);
        findings
    }
}
