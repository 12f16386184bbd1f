//! What has to hold when everything has come to rest. The judge knows what really happened, because
//! the model decided it, and compares all that is stored with that. It calls nothing of the product
//! to find out what is right.

mod attempts;
mod delivered;
mod failures;
mod figures;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::not_yet::is_known;
use crate::world::World;

/// What was found wrong, by rule: the first example.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: RefCell<BTreeMap<&'static str, String>>,
    /// It is of a story that comes out wrong.
    is_of_known: bool,
    /// Rules of which an example is known already.
    examples: BTreeSet<&'static str>,
}

impl Findings {
    /// A rule; the words are only made if it is broken.
    pub(crate) fn rule(
        &self,
        name: &'static str,
        holds: bool,
        words: impl FnOnce() -> String,
    ) -> bool {
        if !holds {
            let silent = self.is_of_known || is_known(name) || self.examples.contains(name);
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
    pub(crate) fn unknown(self) -> BTreeMap<&'static str, String> {
        let mut found = self.found.into_inner();
        found.retain(|rule, _| !self.is_of_known && !is_known(rule));
        found
    }
}

impl World<'_> {
    /// Nothing is wrong but what is known to be.
    pub(crate) fn must_be_right(&self, undisturbed: &World<'_>) {
        let new = self.findings(undisturbed, BTreeSet::new()).unknown();
        assert!(new.is_empty(), "{new:#?}");
    }

    /// What is wrong, with words but for those rules.
    pub(crate) fn findings(
        &self,
        undisturbed: &World<'_>,
        examples: BTreeSet<&'static str>,
    ) -> Findings {
        let is_of_known = self.kinds.iter().any(|kind| is_known(kind));
        let findings = Findings { is_of_known, examples, ..Findings::default() };
        findings.rule("rest", self.rests, || format!("it never comes to rest: {}", self.steps));
        if !self.rests {
            return findings;
        }
        self.judge_delivery(&findings);
        self.judge_attempts(&findings, undisturbed);
        self.judge_chains(&findings);
        self.judge_ledgers(&findings);
        findings
    }
}
