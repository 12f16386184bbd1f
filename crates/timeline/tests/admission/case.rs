//! Rollouts and what Keptn makes, in few words.

use std::sync::Arc;

use jiff::Timestamp;
use smol_str::SmolStr;
use timeline::Traceparent;
use timeline::base::{Phase, Source};
use timeline::chain::{Attempt, Chain, Follow, Linked, PackedChain, Relation, Trace};
use timeline::keptn::admission::{AppKnown, Asked, ChainKnown, Decision};
use timeline::seen::Workload;

/// The span of Keptn's phase AppDeploy in trace `n`.
pub(crate) fn trace(n: u32) -> Traceparent {
    format!("00-{n:032x}-{n:016x}-01").parse().unwrap()
}

/// An attempt of the workload `cart` in the app `shop`, unless it is said otherwise.
#[derive(Clone)]
pub(crate) struct Tried {
    pub(crate) attempt: Attempt,
}

fn tried(revision: i64, version: &str, phase: Phase) -> Tried {
    let at = |second| Timestamp::from_second(1_800_000_000 + second).unwrap();
    let workload = Workload {
        app: "shop".into(),
        name: "shop-cart".into(),
        version: version.into(),
        hashed: false,
    };
    Tried {
        attempt: Attempt {
            revision,
            hash: format!("hash-{version}").into(),
            number: 1,
            replica_set: Some(format!("cart-{version}").into()),
            workload: Some(workload),
            follows: Box::default(),
            phase,
            started: at(revision * 100),
            started_source: Source::Status,
            ended: (phase != Phase::Progressing).then(|| at(revision * 100 + 50)),
            reason: None,
            trace: None,
            linked: Linked::none("not looked for yet"),
        },
    }
}

/// One that is over; it has claimed a KeptnAppVersion in trace `n`, none if that is 0.
pub(crate) fn over(revision: i64, version: &str, n: u32, phase: Phase) -> Tried {
    let tried = tried(revision, version, phase);
    if n == 0 { tried } else { tried.claimed(&format!("shop-{version}-6b86b273"), n) }
}

pub(crate) fn live(revision: i64, version: &str, n: u32) -> Tried {
    over(revision, version, n, Phase::Promoted)
}

pub(crate) fn aborted(revision: i64, version: &str, n: u32) -> Tried {
    over(revision, version, n, Phase::Aborted)
}

pub(crate) fn open(revision: i64, version: &str) -> Tried {
    tried(revision, version, Phase::Progressing)
}

/// It has no KeptnAppVersion of its own yet and goes on in trace `n`.
pub(crate) fn goes_on(mut tried: Tried, n: u32) -> Tried {
    let traceparent = trace(n);
    tried.attempt.trace = Some(Trace { traceparent, app_version: None, workload_version: None });
    tried
}

impl Tried {
    pub(crate) fn number(mut self, number: u32) -> Self {
        self.attempt.number = number;
        self
    }

    pub(crate) fn of(mut self, name: &str) -> Self {
        self.attempt.workload.as_mut().unwrap().name = format!("shop-{name}").into();
        self
    }

    pub(crate) fn in_app(mut self, app: &str) -> Self {
        let workload = self.attempt.workload.as_mut().unwrap();
        (workload.app, workload.name) = (app.into(), format!("{app}-cart").into());
        self
    }

    /// Keptn's own word agrees.
    pub(crate) fn claimed(mut self, name: &str, n: u32) -> Self {
        self.attempt.trace = Some(Trace {
            traceparent: trace(n),
            app_version: Some(name.into()),
            workload_version: Some("named".into()),
        });
        self
    }

    /// It replaces a revision whose trace is `n`.
    pub(crate) fn follows(self, revision: i64, n: u32) -> Self {
        let followed = tried(revision, "any", Phase::Promoted);
        self.after(&followed, Relation::Successor, n)
    }

    pub(crate) fn after(mut self, followed: &Self, relation: Relation, n: u32) -> Self {
        let follow = Follow {
            hash: followed.attempt.hash.clone(),
            revision: followed.attempt.revision,
            number: followed.attempt.number,
            version: None,
            relation,
            trace: Some(trace(n)),
        };
        self.attempt.follows = self.attempt.follows.into_iter().chain([follow]).collect();
        self
    }
}

/// What Keptn is about to make.
pub(crate) struct AppVersion {
    name: String,
    workloads: Vec<(SmolStr, SmolStr)>,
    pub(crate) span_links: Vec<String>,
}

impl AppVersion {
    pub(crate) fn new(name: &str, workloads: &[(&str, &str)]) -> Self {
        let workloads = workloads.iter().map(|(name, of)| ((*name).into(), (*of).into()));
        Self { name: name.into(), workloads: workloads.collect(), span_links: Vec::new() }
    }
}

/// What is known of the app.
#[derive(Default)]
pub(crate) struct Case {
    /// Attempts of each Rollout, oldest first.
    pub(crate) rollouts: Vec<Vec<Tried>>,
    pub(crate) unnamed: Vec<(SmolStr, SmolStr)>,
    pub(crate) ours: Vec<Traceparent>,
    pub(crate) foreign: Vec<String>,
}

impl Case {
    pub(crate) fn of(rollout: Vec<Tried>) -> Self {
        Self { rollouts: vec![rollout], ..Self::default() }
    }

    /// The same whether the Rollouts are worked with or rest.
    pub(crate) fn decide(&self, made: &AppVersion) -> Decision {
        let chain = |tried: &Vec<Tried>| {
            let newest_first = tried.iter().rev().map(|it| Arc::new(it.attempt.clone()));
            Chain::restored(newest_first.collect())
        };
        let chains: Vec<Chain> = self.rollouts.iter().map(chain).collect();
        let resting = |chain: &Chain| ChainKnown::Resting(Arc::new(PackedChain::of(chain)));
        let decide = |rollouts: Vec<ChainKnown>| {
            let known = AppKnown {
                rollouts: rollouts.into(),
                unnamed: self.unnamed.clone().into(),
                ours: self.ours.clone().into(),
                foreign: self.foreign.clone().into(),
            };
            known.decide(&Asked {
                name: &made.name,
                app: "shop",
                workloads: &made.workloads,
                span_links: &made.span_links,
            })
        };
        let decided = decide(chains.iter().map(resting).collect());
        assert_eq!(decide(chains.into_iter().map(ChainKnown::Awake).collect()), decided);
        decided
    }

    /// The traces that are linked, whatever of ours was written ahead.
    pub(crate) fn decided(&self, made: &AppVersion) -> Vec<u32> {
        let Decision::Links(links) = self.decide(made) else { panic!("it waits") };
        let all = self.rollouts.iter().flatten().filter_map(|it| it.attempt.trace.as_ref());
        let span_links = all.map(|trace| trace.traceparent.to_string()).collect();
        let inherited =
            AppVersion { name: made.name.clone(), workloads: made.workloads.clone(), span_links };
        let Decision::Links(again) = self.decide(&inherited) else { panic!("it waits") };
        let (once, again) = (numbers(&links), numbers(&again));
        let sorted = |mut numbers: Vec<u32>| {
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(
            sorted(again),
            sorted(once.clone()),
            "what was written ahead makes no difference"
        );
        once
    }

    pub(crate) fn links(&self, name: &str, version: &str) -> Vec<u32> {
        self.decided(&AppVersion::new(name, &[("cart", version)]))
    }

    /// What is answered if nothing more is seen in time.
    pub(crate) fn not_yet(&self, name: &str, version: &str) -> Option<Vec<u32>> {
        match self.decide(&AppVersion::new(name, &[("cart", version)])) {
            Decision::NotYet(links) => links.map(|links| numbers(&links)),
            Decision::Links(links) => panic!("decided: {links:?}"),
        }
    }
}

fn numbers(links: &[String]) -> Vec<u32> {
    let number = |link: &String| u32::from_str_radix(&link[27..35], 16).unwrap();
    links.iter().map(number).collect()
}
