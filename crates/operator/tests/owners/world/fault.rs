//! What goes wrong, and when.

use jiff::{SignedDuration, Timestamp};
use timeline::{Key, Kind};

use super::{Process, Step, World};
use crate::api_server::KINDS;
use crate::argo::NAMESPACE;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Leader,
    Standby,
}

/// What goes wrong at a step, before it is made; times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A replica is stopped for so long, and then goes on as if nothing had been.
    StandsStill(Who, u32),
    /// The same to who leads, after it was found to lead and before its next request is sent.
    StandsStillOnTheWay(u32),
    /// A replica reaches nobody for so long.
    CutOff(Who, u32),
    /// A replica dies, and is back after so long.
    Crash(Who, InFlight, u32),
    /// Who leads is asked to stop: it stores what it knows and gives the Lease back, and is back after
    /// so long.
    HandsOver(u32),
    /// The next write of who leads is carried out, but its answer is lost.
    AnswerLost,
    /// It is not carried out.
    Fails,
    /// It arrives so much later.
    Slow(u32),
    /// The watch of a kind breaks, and lists anew.
    Relist(Who, Kind),
    /// From now on the watch of a kind delivers so much later.
    Lags(Who, Kind, u32),
    /// A person deletes the Lease.
    NoLease,
    /// A person adds a link to the KeptnAppContext.
    Edit(u8),
}

/// What becomes of the requests that had left when a replica died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InFlight {
    /// None arrives.
    Lost,
    /// All arrive at once.
    Done,
    /// All arrive so much later.
    Late(u32),
}

impl World<'_> {
    /// Makes a step of a process, and what goes wrong at it: whether the process is not there any more.
    pub(super) fn goes_wrong_at(&mut self, process: Process) -> bool {
        self.goes_wrong();
        let replica = &self.replicas[process.replica];
        replica.life != process.life || !replica.up
    }

    /// Makes a step, and what goes wrong at it.
    pub(super) fn goes_wrong(&mut self) {
        self.steps += 1;
        let Some(fault) = self.faults.remove(&self.steps) else { return };
        self.note(|| format!("{fault:?}"));
        match fault {
            Fault::StandsStill(who, long) => {
                if let Some(r) = self.who(who) {
                    self.stands_still(r, long.into());
                }
            }
            Fault::CutOff(who, long) => {
                if let Some(r) = self.who(who) {
                    let until = self.now + SignedDuration::from_millis(long.into());
                    let cut = &mut self.replicas[r].cut_until;
                    *cut = Some(cut.map_or(until, |known| known.max(until)));
                    self.is_kept(r, until);
                    self.schedule(until, Step::Wake(r));
                }
            }
            Fault::Crash(who, in_flight, down) => {
                if let Some(r) = self.who(who) {
                    self.dies(r, in_flight, down);
                }
            }
            Fault::HandsOver(down) => {
                let Some(r) = self.who(Who::Leader).filter(|_| self.is_led()) else { return };
                self.store_all(r);
                self.gives_back(r);
                self.dies(r, InFlight::Lost, down);
                self.lease_changed();
            }
            Fault::AnswerLost | Fault::Fails | Fault::Slow(_) | Fault::StandsStillOnTheWay(_) => {
                self.armed = Some(fault);
            }
            Fault::Relist(who, kind) => {
                let Some(r) = self.who(who) else { return };
                let process = self.process(r);
                if self.replicas[r].watched.contains(&kind) && KINDS.contains(&kind) {
                    if self.owner == Some(r) {
                        self.lossy = true;
                        self.loses_watch();
                    }
                    self.after(0, Step::List(process, kind));
                }
            }
            Fault::Lags(who, kind, by) => {
                if let Some(r) = self.who(who) {
                    // Some times are other ones then.
                    self.lossy = true;
                    self.replicas[r].lags.insert(kind, by.into());
                }
            }
            // Before anything is stored it cannot be known that there was one.
            Fault::NoLease if self.epochs.highest() == 0 => {}
            Fault::NoLease => {
                self.leases.lease = None;
                self.leases.deleted = Some(self.now);
                self.lease_changed();
            }
            Fault::Edit(n) => {
                if !self.story.no_keptn {
                    let app = Key::new(NAMESPACE, "shop");
                    let link = format!("theirs-{n}-{}", self.edits.len());
                    self.edits.push((app.clone(), link.clone()));
                    let event = self.contexts.edit(&app, link);
                    self.queue_event(Kind::AppContext, &event);
                }
            }
        }
    }

    fn who(&self, who: Who) -> Option<usize> {
        let leader = self.owner?;
        let r = if who == Who::Leader { leader } else { 1 - leader };
        self.replicas[r].up.then_some(r)
    }

    pub(super) fn stands_still(&mut self, r: usize, long: i64) {
        let until = self.now + SignedDuration::from_millis(long);
        let still = &mut self.replicas[r].still_until;
        *still = Some(still.map_or(until, |known| known.max(until)));
        self.is_kept(r, until);
        self.schedule(until, Step::Wake(r));
    }

    /// Who leads sees nothing and does nothing until then.
    fn is_kept(&mut self, r: usize, until: Timestamp) {
        if self.owner != Some(r) {
            return;
        }
        (self.lossy, self.kept) = (true, true);
        for rollout in self.keys.clone() {
            let safe = self.safe.get(&rollout).copied().unwrap_or(self.now).min(self.now);
            self.blind.entry(rollout).or_default().push((safe, until));
        }
    }

    fn gives_back(&mut self, r: usize) {
        let replica = &mut self.replicas[r];
        replica.leadership.waits("the lease was given back".to_owned());
        if let Some(term) = replica.term.take() {
            let lease = replica.candidate.gives_back(&term, self.now);
            self.leases.write(lease);
        }
    }

    fn dies(&mut self, r: usize, in_flight: InFlight, down: u32) {
        for n in self.on_the_way(r) {
            match in_flight {
                InFlight::Lost => self.is_lost(n),
                InFlight::Done => self.arrive(n),
                InFlight::Late(by) => self.after(by.into(), Step::Arrive(n)),
            }
        }
        self.forget(r);
        let replica = &mut self.replicas[r];
        replica.up = false;
        replica.still_until = None;
        replica.waiting.clear();
        replica.watched.clear();
        self.after(i64::from(down) + 1, Step::Start(r));
    }
}
