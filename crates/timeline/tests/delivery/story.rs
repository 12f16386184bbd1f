//! What happens in the cluster while the operator looks on: stories by name, and random ones that
//! obey Argo's rules.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use timeline::seen::{AnalysisPhase, Strategy as Replacing};

use crate::argo::{Argo, Change, Plan, Tried};

/// Changes in order of time, and the truth behind them.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) changes: Vec<Change>,
    pub(crate) truth: Vec<Tried>,
    /// What happens in it that not everybody gets right.
    pub(crate) kinds: BTreeSet<&'static str>,
    /// When the namespace is deleted, with all that is in it.
    pub(crate) namespace_goes: Option<Timestamp>,
    /// Keptn is not installed.
    pub(crate) no_keptn: bool,
    /// From when until when the collector is away.
    pub(crate) away: Vec<(Timestamp, Timestamp)>,
}

pub(crate) fn start() -> Timestamp {
    // Some clock of nanoseconds.
    Timestamp::new(1_800_000_000, 123_456_789).unwrap()
}

pub(crate) const CANARY: [Plan; 6] = [
    Plan::Weight(20),
    Plan::Pause(Some(10)),
    Plan::Weight(50),
    Plan::Pause(Some(10)),
    Plan::Weight(80),
    Plan::Pause(Some(10)),
];
pub(crate) const ASKING: [Plan; 3] = [Plan::Weight(25), Plan::Pause(None), Plan::Weight(75)];
pub(crate) const TESTED: [Plan; 4] =
    [Plan::Weight(25), Plan::Analysis, Plan::Pause(Some(5)), Plan::Analysis];

pub(crate) const ROUTES: [Plan; 5] =
    [Plan::Scale(1), Plan::Header, Plan::Pause(None), Plan::Weight(50), Plan::Pause(None)];
pub(crate) const MIRRORS: [Plan; 4] =
    [Plan::Scale(1), Plan::Mirror, Plan::Pause(None), Plan::Weight(50)];

impl Story {
    pub(crate) fn of(name: &'static str, all: impl IntoIterator<Item = Argo>) -> Self {
        let mut story = Self {
            name,
            changes: Vec::new(),
            truth: Vec::new(),
            kinds: BTreeSet::new(),
            namespace_goes: None,
            no_keptn: false,
            away: Vec::new(),
        };
        for argo in all {
            story.changes.extend(argo.changes);
            story.truth.extend(argo.truth);
            story.kinds.extend(argo.kinds);
        }
        story.changes.sort_by_key(|change| change.at);
        story
    }

    /// The collector is away for that time, counted in seconds from the beginning.
    pub(crate) fn without_collector(mut self, from: i64, until: i64) -> Self {
        let at = |second| start() + SignedDuration::from_secs(second);
        self.away.push((at(from), at(until)));
        self
    }

    /// The namespace goes when the last Rollout goes.
    fn with_its_namespace(mut self) -> Self {
        self.namespace_goes = self.truth.iter().filter_map(|it| it.gone).max();
        self
    }

    /// Only the operator makes traces.
    pub(crate) fn without_keptn(mut self) -> Self {
        self.no_keptn = true;
        self
    }
}

/// With revision 1 of hash `a` live.
fn live(name: &str, plan: &[Plan]) -> Argo {
    live_as(Argo::new(name, Replacing::Canary, plan, start()))
}

fn live_as(mut argo: Argo) -> Argo {
    argo.wait(2).apply("a").wait(3).pods_get_ready().wait(70);
    argo
}

fn played(mut argo: Argo, play: impl FnOnce(&mut Argo)) -> Argo {
    play(&mut argo);
    argo.wait(100).flaps();
    argo
}

/// Six steps in about a minute.
pub(crate) fn canary() -> Story {
    Story::of(
        "canary",
        [played(live("cart", &CANARY), |argo| {
            argo.apply("b").wait(6).run();
        })],
    )
}

pub(crate) fn all() -> Vec<Story> {
    recorded().into_iter().chain(reported()).collect()
}

fn recorded() -> Vec<Story> {
    let blue_green = || live_as(Argo::new("cart", Replacing::BlueGreen, &[], start()));
    let passes = AnalysisPhase::Successful;
    vec![
        canary(),
        Story::of(
            "routed canary, with Keptn",
            [played(
                live_as(Argo::new("cart", Replacing::Canary, &CANARY, start()).routed()),
                |argo| {
                    argo.apply("b").wait(3).keptn(7).wait(6).run().wait(200);
                    argo.apply("c").wait(40).keptn(8).run();
                },
            )],
        ),
        Story::of(
            "a person promotes",
            [played(live("cart", &ASKING), |argo| {
                argo.apply("b").wait(6).run().wait(45).resume().run();
            })],
        ),
        Story::of(
            "aborted by an analysis, and tried again",
            [played(live("cart", &TESTED), |argo| {
                argo.apply("b").wait(6).step().step().step().fails_analysis();
                argo.wait(20).retry().wait(3).run();
            })],
        ),
        Story::of(
            "aborted by a person, twice tried again, and reverted",
            [played(live("cart", &ASKING), |argo| {
                argo.apply("b").wait(6).run().wait(5).abort().wait(4).retry();
                argo.wait(4).run().wait(9).abort().wait(90).retry().wait(12).run().apply("a");
            })],
        ),
        Story::of(
            "superseded, and back again",
            [played(live("cart", &ASKING), |argo| {
                argo.apply("b").wait(6).run().watches_in_background();
                argo.wait(8).apply("c").wait(6).run().promote_full().wait(33);
                argo.apply("b").wait(4).run().resume().run();
            })],
        ),
        Story::of(
            "blue-green",
            [played(blue_green(), |argo| {
                argo.apply("b").wait(5).previews().wait(9).resume().switches(passes);
                argo.wait(20).apply("c").wait(5).previews().wait(9).resume();
                argo.switches(AnalysisPhase::Failed);
            })],
        ),
        Story::of(
            "deleted midway, and made again",
            [played(live("cart", &ASKING), |argo| {
                argo.apply("b").wait(6).run().wait(20).delete().wait(5);
                argo.apply("a").wait(4).pods_get_ready().wait(80).apply("c").wait(2).run();
                argo.wait(3).resume().run();
            })],
        ),
        Story::of(
            "an image that does not exist",
            [played(live("cart", &CANARY), |argo| {
                argo.cannot_pull("b").apply("b").wait(50).times_out().wait(30).apply("c");
                argo.wait(5).run();
            })],
        ),
        Story::of(
            "two Rollouts at once",
            [
                played(live("cart", &CANARY), |argo| {
                    argo.apply("b").wait(6).run();
                }),
                played(live("pay", &ASKING), |argo| {
                    argo.wait(4).apply("b").wait(6).run().wait(5).abort().wait(30).retry();
                    argo.run().wait(10).promote_full();
                }),
            ],
        ),
    ]
}

/// What people reported: each stands for a kind.
#[expect(clippy::too_many_lines, reason = "a list")]
fn reported() -> Vec<Story> {
    let of = |name, argo, play: fn(&mut Argo)| Story::of(name, [played(argo, play)]);
    let routed =
        |plan: &[Plan]| live_as(Argo::new("cart", Replacing::Canary, plan, start()).routed());
    let slow = || live_as(Argo::new("cart", Replacing::Canary, &ASKING, start()).slow());
    let new = || Argo::new("cart", Replacing::Canary, &ASKING, start());
    vec![
        of("an abort that Argo ignores", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().wait(5).loses_abort();
        }),
        of(
            "back within the window, and an abort that Argo ignores",
            live("cart", &ASKING),
            |argo| {
                argo.apply("b").wait(6).run().wait(5).resume().run().wait(60).returns_to("a");
            },
        ),
        of("aborted, and shipped later", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().wait(5).abort().wait(60).apply("c").wait(3).run();
            argo.resume().run().wait(1000).apply("b").wait(4).run().resume().run();
            argo.wait(90).apply("d").wait(4).run().resume().run();
        }),
        of("a first revision that is never healthy", new(), |argo| {
            argo.cannot_pull("x").wait(2).apply("x").wait(50).stalls().wait(20).apply("b");
            argo.wait(4).run().resume().run().wait(9).pods_get_ready().wait(60);
            argo.apply("c").wait(4).run().resume().run();
        }),
        of("a first revision that is slow", new(), |argo| {
            argo.wait(2).apply("a").wait(300).pods_get_ready().wait(60);
            argo.apply("b").wait(4).run().resume().run();
        }),
        of("a header route, and no weight", routed(&ROUTES), |argo| {
            argo.apply("b").wait(6).run().wait(45).abort();
        }),
        of("a mirror route", routed(&MIRRORS), |argo| {
            argo.apply("b").wait(6).run().wait(45).abort();
        }),
        of("a hotfix for an aborted canary", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().resume().run().wait(100).apply("c").wait(4).run();
            argo.wait(9).abort().wait(600).hotfix("d").wait(4).run().resume().run();
        }),
        of("a hotfix for what is live", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().resume().run().wait(100);
            argo.hotfix("d").wait(4).run().resume().run();
        }),
        of("an undo keeps the annotations", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().resume().run().wait(100).undo("a").wait(5).run();
            argo.resume().run().wait(1000).apply("b2").wait(5).run().resume().run();
        }),
        of("a chart with a timestamp", live("cart", &ASKING), |argo| {
            for hash in ["a2", "b", "a3", "a4"] {
                argo.apply(hash).wait(4).run().resume().run().wait(100);
            }
        }),
        of("a controller's upgrade", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(4).run().resume().run().wait(100).apply("bu").wait(4).run();
            argo.resume().run();
        }),
        of("traffic comes back slowly", slow(), |argo| {
            argo.apply("b").wait(6).run().wait(5).resume().step().wait(9).abort().wait(100);
            argo.shifts_back(50).wait(100).shifts_back(25).wait(100).shifts_back(0);
        }),
        of("traffic never comes back", slow(), |argo| {
            argo.apply("b").wait(6).run().wait(5).abort().wait(100).shifts_back(10);
        }),
        of("traffic comes back after the old template is", slow(), |argo| {
            argo.apply("b").wait(6).run().wait(5).apply("a").wait(100).shifts_back(10).wait(200);
            argo.shifts_back(0);
        }),
        of("another revision over a canary that has the traffic", slow(), |argo| {
            argo.apply("b").wait(6).run().wait(5).apply("c").wait(20).run().resume().run();
        }),
        of("promoted in full over a canary that has the traffic", slow(), |argo| {
            argo.apply("b").wait(6).run().wait(5).apply("c").wait(2).promote_full();
        }),
        of("Argo refuses the spec midway", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().wait(5).refuses().wait(20).apply("c").wait(5).run();
            argo.times_out().wait(9).retry().wait(4).run().resume().run();
        }),
        of("a spec that is refused for a while", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().wait(5).refuses().wait(20).accepts().wait(9).resume();
            argo.run();
        }),
        of("stopped after a spec that was refused for a while", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().wait(5).refuses().wait(20).accepts().wait(9).abort();
        }),
        of("two revisions at once, and back", live("cart", &CANARY), |argo| {
            argo.apply("b").wait(2).apply("c").wait(2).apply("a");
        }),
        of("timed out, and then stopped by hand", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(60).stalls().wait(30).abort().wait(60).apply("c").wait(60);
            argo.stalls().wait(30).apply("d").wait(4).run().resume().run();
        }),
        of("stopped while the crashing pods are up", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().crashes().wait(2).abort();
        }),
        of("an evicted pod was replaced", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().evicts(true).wait(40).abort();
        }),
        of("an evicted pod was not replaced", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().evicts(false).wait(40).abort();
        }),
        of("a volume that cannot be mounted", live("cart", &ASKING), |argo| {
            argo.apply("m").wait(100).stalls().wait(60).abort().wait(60).apply("c").wait(4).run();
            argo.resume().run();
        }),
        of("superseded at once, and applied again", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(1).apply("c").wait(1).apply("b").wait(4).run().resume().run();
        }),
        of("a step is skipped", live("cart", &TESTED), |argo| {
            argo.apply("b").wait(6).step().skips().wait(3).run();
        }),
        of("two promotions, one after the other", live("cart", &CANARY), |argo| {
            argo.apply("b").wait(1).promote_full().wait(1).apply("c").wait(1).promote_full();
            argo.wait(1).apply("d").wait(4).step().wait(9).abort();
        }),
        of("a namespace that goes midway", live("cart", &ASKING), |argo| {
            argo.apply("b").wait(6).run().wait(5).delete();
        })
        .with_its_namespace(),
        of("the first revision goes with its Rollout", new(), |argo| {
            argo.wait(2).apply("a").wait(9).delete().wait(30).apply("b").wait(4);
            argo.pods_get_ready();
        }),
    ]
}

/// Many Rollouts at once, each with a revision that fails.
pub(crate) fn crowd(rollouts: usize) -> Story {
    let of = |n: usize| {
        let mut argo = Argo::new(&format!("cart-{n}"), Replacing::Canary, &ASKING, start());
        argo.wait(n as u64 % 60).apply("a").wait(4).pods_get_ready().wait(5);
        argo.apply("b").wait(6).run().wait(40).abort();
        argo
    };
    Story::of("a crowd", (0..rollouts).map(of))
}
