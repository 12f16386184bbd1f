//! The Lease: who looks at it, takes it and renews it, and when. What is decided is the product's
//! (`lease::Candidate`); here is only what its requests meet.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use operator::lease::Look;

use super::replica::LASTS;
use super::{ANSWER, Process, REQUEST, WATCH, World};

/// Something about the Lease.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there are a few at a time")]
pub(super) enum Turn {
    /// A process looks, or renews.
    Due(Process),
    /// What it asks for arrives.
    Arrive(Process, Asked),
    /// It is answered.
    Answer(Process, Asked, Option<Lease>),
}

/// A request of one of them, when it left, and of which epoch it is.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    sent: Timestamp,
    what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Read,
    Take(Lease, i64),
    Renew(Lease),
}

/// A third of how long it lasts, in milliseconds.
const THIRD: i64 = 5_000;

impl World<'_> {
    pub(super) fn turn_after(&mut self, r: usize, milliseconds: i64) {
        let process = self.process(r);
        self.turn_at(self.now + SignedDuration::from_millis(milliseconds), Turn::Due(process));
    }

    fn turn_at(&mut self, at: Timestamp, turn: Turn) {
        self.count += 1;
        let place = (at.max(self.now), self.count);
        if let Turn::Due(process) = &turn {
            // One clock for each: the last that it was set to.
            let before = self.replicas[process.replica].due.replace(place);
            before.map(|before| self.turns.remove(&before));
        }
        self.turns.insert(place, turn);
    }

    /// Whether somebody leads whom nothing keeps from it.
    pub(super) fn is_led(&self) -> bool {
        self.owner.is_some_and(|r| {
            let replica = &self.replicas[r];
            replica.term.is_some()
                && replica.leadership.holds_at(self.instant(r, self.now))
                && replica.still_until.is_none()
                && replica.cut_until.is_none()
                && self.leases.holder() == replica.candidate.me()
        })
    }

    /// Nothing happens for long: many renewals are as one.
    pub(super) fn renew_until(&mut self, first: Timestamp) {
        let long = SignedDuration::try_from(LASTS * 2).unwrap();
        if !self.is_led() || first.duration_since(self.now) < long {
            return;
        }
        let Some(r) = self.owner else { return };
        // What is on its way arrives.
        while let Some(((at, _), Turn::Arrive(..) | Turn::Answer(..))) =
            self.turns.first_key_value()
        {
            if *at >= first || !self.takes_turn() {
                return;
            }
        }
        let on_the_way = |turn: &Turn| !matches!(turn, Turn::Due(_));
        if self.turns.values().any(on_the_way) || !self.is_led() {
            return;
        }
        self.turns.clear();
        self.replicas.iter_mut().for_each(|replica| replica.due = None);
        self.now = first - SignedDuration::from_millis(THIRD);
        let sent = self.instant(r, self.now);
        let Some(mut term) = self.replicas[r].term.take() else { return };
        let asked = self.replicas[r].candidate.renews(&term, self.now);
        if let Some(lease) = self.leases.write(asked) {
            self.replicas[r].candidate.renewed(&mut term, lease, sent);
            self.replicas[r].leadership.renewed(term.epoch(), term.until());
        }
        self.replicas[r].term = Some(term);
        self.turn_after(r, THIRD);
        let other = 1 - r;
        let replica = &self.replicas[other];
        if !replica.up {
            return;
        }
        if replica.still_until.is_none() && replica.cut_until.is_none() {
            let now = self.instant(other, self.now);
            let lease = self.leases.lease.clone();
            self.replicas[other].candidate.look(lease.as_ref(), now);
        }
        self.turn_after(other, THIRD);
    }

    /// The next turn; none if there is none.
    pub(super) fn takes_turn(&mut self) -> bool {
        let Some(((at, _), turn)) = self.turns.pop_first() else { return false };
        self.now = self.now.max(at);
        if let Turn::Arrive(process, asked) = turn {
            let answer = self.asked(&asked);
            self.turn_at(
                self.now + SignedDuration::from_millis(ANSWER),
                Turn::Answer(process, asked, answer),
            );
            return true;
        }
        let (Turn::Due(process) | Turn::Answer(process, ..)) = &turn else { return true };
        let replica = &self.replicas[process.replica];
        let process = *process;
        if replica.life != process.life || !replica.up {
            return true;
        }
        if let Some(until) = replica.still_until.filter(|until| *until > self.now) {
            self.turn_at(until, turn);
            return true;
        }
        if matches!(turn, Turn::Due(_)) {
            self.replicas[process.replica].due = None;
        }
        match turn {
            Turn::Due(process) => self.is_due(process.replica),
            // The answer is lost.
            Turn::Answer(..) if self.replicas[process.replica].cut_until.is_some() => {}
            Turn::Answer(process, asked, answer) => self.answered(process.replica, &asked, answer),
            Turn::Arrive(..) => {}
        }
        true
    }

    /// A request arrives: the Lease as it is then, none if it was not written.
    fn asked(&mut self, asked: &Asked) -> Option<Lease> {
        let written = match &asked.what {
            What::Read => return self.leases.lease.clone(),
            What::Take(lease, _) | What::Renew(lease) => self.leases.write(lease.clone()),
        };
        if written.is_some() {
            self.lease_changed();
        }
        written
    }

    /// Who stands by looks sooner when nobody holds it any more.
    pub(super) fn lease_changed(&mut self) {
        if !self.leases.holder().is_empty() {
            return;
        }
        for r in 0..2 {
            if self.replicas[r].up && self.replicas[r].term.is_none() {
                self.turn_after(r, WATCH);
            }
        }
    }

    /// A process looks at the Lease or renews it, unless it has just asked.
    fn is_due(&mut self, r: usize) {
        let now = self.instant(r, self.now);
        let replica = &self.replicas[r];
        if let Some(term) = &replica.term {
            if !replica.leadership.holds_at(now) {
                let why = match replica.leadership.stands_by() {
                    Some(why) => why,
                    None => "the lease was not renewed in time".to_owned(),
                };
                self.leads_no_more(r, &why);
                return;
            }
            let until = self.time(r, term.until());
            let waits = replica.asking.is_some_and(|since| {
                self.now.duration_since(since) < SignedDuration::from_millis(THIRD / 5)
            });
            if !waits {
                let lease = replica.candidate.renews(term, self.now);
                self.ask(r, What::Renew(lease));
            }
            let next = self.now + SignedDuration::from_millis(THIRD / 5);
            let process = self.process(r);
            self.turn_at(until.min(next), Turn::Due(process));
            return;
        }
        let waits = replica.asking.is_some_and(|since| {
            self.now.duration_since(since) < SignedDuration::from_millis(THIRD)
        });
        if !waits {
            self.ask(r, What::Read);
        }
        self.turn_after(r, THIRD);
    }

    fn ask(&mut self, r: usize, what: What) {
        let asked = Asked { sent: self.now, what };
        self.replicas[r].asking = Some(self.now);
        if self.replicas[r].cut_until.is_none() {
            let process = self.process(r);
            let at = self.now + SignedDuration::from_millis(REQUEST);
            self.turn_at(at, Turn::Arrive(process, asked));
        }
    }

    fn answered(&mut self, r: usize, asked: &Asked, answer: Option<Lease>) {
        let (now, sent) = (self.instant(r, self.now), self.instant(r, asked.sent));
        let is_current = self.replicas[r].asking == Some(asked.sent);
        if !is_current {
            return;
        }
        self.replicas[r].asking = None;
        let highest = self.epochs.highest();
        let held = self.replicas[r].term.take();
        let replica = &mut self.replicas[r];
        match (&asked.what, held, answer) {
            (What::Read, None, found) => match replica.candidate.look(found.as_ref(), now) {
                Look::HeldBy(other, until) => {
                    replica.leadership.waits(format!("{other} leads"));
                    let next = self.now + SignedDuration::from_millis(THIRD);
                    let until = self.time(r, until).min(next);
                    let process = self.process(r);
                    self.turn_at(until, Turn::Due(process));
                }
                Look::Missing(until) if replica.candidate.was_led(highest) => {
                    replica.recount = true;
                    let next = self.now + SignedDuration::from_millis(THIRD);
                    let until = self.time(r, until).min(next);
                    let process = self.process(r);
                    self.turn_at(until, Turn::Due(process));
                }
                Look::Missing(_) | Look::Free => {
                    replica.recount |= found.is_none();
                    let stored = if replica.recount { highest } else { 0 };
                    let (lease, epoch) = replica.candidate.takes(found, stored, self.now);
                    self.ask(r, What::Take(lease, epoch));
                }
            },
            (What::Take(_, epoch), None, Some(lease)) => {
                let term = replica.candidate.took(lease, *epoch, self.now, sent);
                replica.leadership.renewed(*epoch, term.until());
                replica.term = Some(term);
                self.leads(r);
                self.turn_after(r, THIRD);
            }
            (What::Take(..), None, None) => self.ask(r, What::Read),
            (What::Renew(_), Some(mut term), Some(lease)) => {
                let leads = replica.leadership.holds_at(now);
                if leads {
                    replica.candidate.renewed(&mut term, lease, sent);
                    replica.leadership.renewed(term.epoch(), term.until());
                }
                replica.term = Some(term);
                self.turn_after(r, THIRD);
            }
            (What::Renew(_), Some(mut term), None) => {
                let found = self.leases.lease.clone();
                let other = match found {
                    Some(found) => self.replicas[r].candidate.rewritten(&mut term, found),
                    None => Some("nobody".to_owned()),
                };
                self.replicas[r].term = Some(term);
                match other {
                    Some(other) => self.leads_no_more(r, &format!("{other} leads")),
                    None => self.turn_after(r, THIRD / 5),
                }
            }
            (_, held, _) => replica.term = held,
        }
    }
}
