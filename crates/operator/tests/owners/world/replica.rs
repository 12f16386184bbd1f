//! A replica: a process that stands by or leads, ends and comes again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use operator::lease::{Candidate, Leadership, Term};
use operator::standby::{LISTED_ANEW, Standby};
use timeline::{Engine, Key, Kind, Observation};

use super::{OPTIONS, Process, READ, Step, World};
use crate::api_server::KINDS;

pub(super) const LASTS: Duration = Duration::from_secs(15);

pub(crate) struct Replica {
    pub(super) up: bool,
    pub(super) life: u32,
    /// It was stopped, and is woken then.
    pub(super) still_until: Option<Timestamp>,
    /// It reaches nobody until then.
    pub(super) cut_until: Option<Timestamp>,
    pub(super) leadership: Leadership,
    pub(super) candidate: Candidate,
    pub(super) term: Option<Term>,
    /// Which term that is, of all that there were.
    pub(super) led: usize,
    /// When its request for the Lease left that is not answered.
    pub(super) asking: Option<Timestamp>,
    pub(super) recount: bool,
    /// When it looks at the Lease next: its place among the turns.
    pub(super) due: Option<(Timestamp, u64)>,
    pub(super) seen: Standby,
    /// What it knows, where another came to lead and it did not notice yet.
    pub(super) engine: Option<Engine>,
    /// What its watches have still to deliver, and since when.
    pub(super) waiting: BTreeMap<Kind, VecDeque<(Timestamp, Observation)>>,
    /// The kinds whose watch has begun.
    pub(super) watched: BTreeSet<Kind>,
    pub(super) lags: BTreeMap<Kind, i64>,
    pub(super) pods: BTreeMap<Key, String>,
}

impl Replica {
    pub(super) fn new(replica: usize, life: u32) -> Self {
        Self {
            up: false,
            life,
            still_until: None,
            cut_until: None,
            leadership: Leadership::candidate(),
            candidate: Candidate::new(format!("throughline-{replica}_{life}"), LASTS),
            term: None,
            led: 0,
            asking: None,
            recount: false,
            due: None,
            seen: Standby::default(),
            engine: None,
            waiting: BTreeMap::new(),
            watched: BTreeSet::new(),
            lags: BTreeMap::new(),
            pods: BTreeMap::new(),
        }
    }
}

impl World<'_> {
    pub(super) fn process(&self, r: usize) -> Process {
        Process { replica: r, life: self.replicas[r].life }
    }

    /// A process starts.
    pub(super) fn start(&mut self, r: usize) {
        let life = self.replicas[r].life + 1;
        let cut_until = self.replicas[r].cut_until;
        self.replicas[r] = Replica { up: true, cut_until, ..Replica::new(r, life) };
        self.note(|| format!("{r} starts"));
        self.stands_by(r);
    }

    /// It watches what is not listed anew by who comes to lead, and looks at the Lease.
    pub(super) fn stands_by(&mut self, r: usize) {
        let replica = &mut self.replicas[r];
        replica.seen = Standby::default();
        replica.waiting.clear();
        replica.watched.clear();
        replica.pods.clear();
        replica.term = None;
        replica.recount = replica.leadership.was_refused();
        let process = self.process(r);
        for (n, kind) in (0..).zip(KINDS) {
            if !LISTED_ANEW.contains(&kind) {
                self.after(n * 2, Step::List(process, kind));
            }
        }
        self.turn_after(r, 5);
    }

    /// It leads from now on, with what it has seen, and lists the rest.
    pub(super) fn leads(&mut self, r: usize) {
        self.note(|| format!("{r} leads"));
        if let Some(before) = self.owner.filter(|before| *before != r) {
            // It has not noticed.
            self.goes_dark_with();
            self.replicas[before].engine = self.operator.take();
        }
        self.terms += 1;
        self.replicas[r].led = self.terms;
        self.owner = Some(r);
        self.operator = Some(Engine::new(OPTIONS));
        self.shown.clear();
        self.unread.extend(READ);
        let seen = std::mem::take(&mut self.replicas[r].seen);
        for observation in seen.replay() {
            self.observe(r, observation);
        }
        let process = self.process(r);
        for (n, kind) in (0..).zip(LISTED_ANEW) {
            // Not in the same order each time.
            let place = (n + self.crashes) % LISTED_ANEW.len();
            self.after(i64::try_from(place).unwrap() * 9, Step::List(process, kind));
        }
    }

    /// It leads no more, and notices.
    pub(super) fn leads_no_more(&mut self, r: usize, why: &str) {
        self.note(|| format!("{r} leads no more: {why}"));
        self.replicas[r].leadership.waits(why.to_owned());
        self.forget(r);
        self.stands_by(r);
    }

    /// What a process knew and did not store is gone, and so is what has not left it yet.
    pub(super) fn forget(&mut self, r: usize) {
        if self.owner == Some(r) {
            self.goes_dark_with();
            self.owner = None;
            self.operator = None;
            self.shown.clear();
        }
        self.replicas[r].engine = None;
        self.requests.retain(|_, request| request.process.replica != r || request.left);
        for request in self.requests.values_mut().filter(|it| it.process.replica == r) {
            request.orphan = true;
        }
    }

    /// What a leader has seen and not stored, and what had not reached it yet, may never be known any
    /// more.
    fn goes_dark_with(&mut self) {
        self.crashes += 1;
        // Another sees pods and Events when it comes to look at them.
        self.lossy = true;
        self.goes_dark(READ);
    }

    /// It goes on after it stood still, or reaches the others again.
    pub(super) fn wake(&mut self, r: usize) {
        let now = self.now;
        let replica = &mut self.replicas[r];
        replica.still_until.take_if(|until| *until <= now);
        replica.cut_until.take_if(|until| *until <= now);
        self.note(|| format!("{r} goes on"));
        if self.replicas[r].still_until.is_none() {
            self.act(r);
        }
    }
}
