//! A chain as bytes, while nothing happens to its Rollout.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Attempt, Chain, Follow, LinkState, Linked, Relation, Trace};
use crate::base::packed::{Reader, Text, Writer};
use crate::base::{Phase, Source, Traceparent};
use crate::seen::Workload;

/// A chain that is not worked with now.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PackedChain(Box<[u8]>);

const PHASES: [Phase; 7] = [
    Phase::Progressing,
    Phase::Promoted,
    Phase::Aborted,
    Phase::Superseded,
    Phase::Reverted,
    Phase::Deleted,
    Phase::Unknown,
];
const SOURCES: [Source; 4] = [Source::Observed, Source::Status, Source::Event, Source::Inferred];
const STATES: [LinkState; 4] =
    [LinkState::None, LinkState::Requested, LinkState::Applied, LinkState::Lost];
const RELATIONS: [Relation; 5] = [
    Relation::Successor,
    Relation::Rollback,
    Relation::RetryAfter,
    Relation::Supersedes,
    Relation::After,
];

impl PackedChain {
    /// Packs a chain.
    pub fn of(chain: &Chain) -> Self {
        let mut writer = Writer::default();
        let attempts = chain.attempts();
        writer.number(attempts.len() as u64);
        for (index, attempt) in attempts.iter().enumerate().rev() {
            // Oldest first: an attempt follows earlier ones, and repeats what they say.
            write(
                &mut writer,
                attempt,
                attempts.get(index.saturating_add(1)..).unwrap_or_default(),
            );
        }
        Self(writer.finish())
    }

    /// The chain. It is the one that was packed; none only if the bytes are not ours.
    pub fn chain(&self) -> Option<Chain> {
        let mut reader = Reader::new(&self.0);
        let count = usize::try_from(reader.number()?).ok()?;
        let mut oldest_first: Vec<Arc<Attempt>> = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            let attempt = read(&mut reader, &oldest_first)?;
            oldest_first.push(Arc::new(attempt));
        }
        oldest_first.reverse();
        Some(Chain::restored(oldest_first))
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

/// `older` are newest first.
fn write(writer: &mut Writer, attempt: &Attempt, older: &[Arc<Attempt>]) {
    let Attempt {
        revision,
        hash,
        number,
        replica_set,
        workload,
        follows,
        phase,
        started,
        started_source,
        ended,
        reason,
        trace,
        linked,
    } = attempt;
    let codes = place(&PHASES, phase)
        | (place(&SOURCES, started_source) << 3)
        | (place(&STATES, &linked.state) << 5);
    let flags = [
        ended.is_some(),
        reason.is_some(),
        replica_set.is_some(),
        workload.is_some(),
        trace.is_some(),
        trace.as_ref().is_some_and(|trace| trace.app_version.is_some()),
        trace.as_ref().is_some_and(|trace| trace.workload_version.is_some()),
    ];
    writer.number((codes << flags.len()) | bits(&flags));
    writer.signed(*revision);
    writer.text(Text::Digits, hash);
    writer.number(u64::from(*number));
    writer.time(*started);
    if let Some(ended) = ended {
        writer.time(*ended);
    }
    if let Some(reason) = reason {
        writer.text(Text::Words, reason);
    }
    if let Some(replica_set) = replica_set {
        writer.text_around(Text::Name, replica_set, hash);
    }
    if let Some(Workload { app, name, version, hashed }) = workload {
        writer.text(Text::Name, app);
        writer.text(Text::Name, name);
        writer.text(Text::Version, version);
        writer.number(u64::from(*hashed));
    }
    if let Some(Trace { traceparent, app_version, workload_version }) = trace {
        write_trace(writer, traceparent, older);
        let version = attempt.version().unwrap_or_default();
        for name in [app_version, workload_version].into_iter().flatten() {
            writer.text_around(Text::Name, name, version);
        }
    }
    let app_version = trace.as_ref().and_then(|trace| trace.app_version.as_deref());
    writer.text_around(Text::Words, &linked.reason, app_version.unwrap_or_default());
    writer.number(follows.len() as u64);
    for follow in follows {
        write_follow(writer, follow, older);
    }
}

fn read(reader: &mut Reader<'_>, older: &[Arc<Attempt>]) -> Option<Attempt> {
    let head = reader.number()?;
    let has = |bit: u32| head >> bit & 1 == 1;
    let codes = head >> 7;
    let revision = reader.signed()?;
    let hash = reader.text(Text::Digits)?;
    let number = u32::try_from(reader.number()?).ok()?;
    let started = reader.time()?;
    let ended = if has(0) { Some(reader.time()?) } else { None };
    let reason = if has(1) { Some(reader.text(Text::Words)?) } else { None };
    let replica_set = if has(2) { Some(reader.text_around(Text::Name, &hash)?) } else { None };
    let workload = if has(3) {
        Some(Workload {
            app: reader.text(Text::Name)?,
            name: reader.text(Text::Name)?,
            version: reader.text(Text::Version)?,
            hashed: reader.number()? == 1,
        })
    } else {
        None
    };
    let version = workload.as_ref().map(|workload| workload.version.as_str()).unwrap_or_default();
    let trace = if has(4) {
        Some(Trace {
            traceparent: read_trace(reader, older)?,
            app_version: if has(5) { Some(reader.text_around(Text::Name, version)?) } else { None },
            workload_version: if has(6) {
                Some(reader.text_around(Text::Name, version)?)
            } else {
                None
            },
        })
    } else {
        None
    };
    let app_version = trace.as_ref().and_then(|trace| trace.app_version.as_deref());
    let words = reader.text_around(Text::Words, app_version.unwrap_or_default())?;
    let count = usize::try_from(reader.number()?).ok()?;
    let follows = (0..count).map(|_| read_follow(reader, older)).collect::<Option<_>>()?;
    Some(Attempt {
        revision,
        hash,
        number,
        replica_set,
        workload,
        follows,
        phase: at(&PHASES, codes % 8)?,
        started,
        started_source: at(&SOURCES, codes / 8 % 4)?,
        ended,
        reason,
        trace,
        linked: Linked { state: at(&STATES, codes / 32)?, reason: words },
    })
}

/// What is followed is most often an attempt that stands before it, with its trace.
fn write_follow(writer: &mut Writer, follow: &Follow, older: &[Arc<Attempt>]) {
    let Follow { hash, revision, number, version, relation, trace } = follow;
    let flags = [version.is_some(), trace.is_some()];
    writer.number((place(&RELATIONS, relation) << flags.len()) | bits(&flags));
    writer.signed(*revision);
    writer.text(Text::Digits, hash);
    writer.number(u64::from(*number));
    if let Some(version) = version {
        writer.text(Text::Version, version);
    }
    if let Some(trace) = trace {
        write_trace(writer, trace, older);
    }
}

fn read_follow(reader: &mut Reader<'_>, older: &[Arc<Attempt>]) -> Option<Follow> {
    let coded = reader.number()?;
    let revision = reader.signed()?;
    let hash = reader.text(Text::Digits)?;
    let number = u32::try_from(reader.number()?).ok()?;
    let version = if coded & 1 == 1 { Some(reader.text(Text::Version)?) } else { None };
    let trace = if coded >> 1 & 1 == 1 { Some(read_trace(reader, older)?) } else { None };
    Some(Follow { hash, revision, number, version, relation: at(&RELATIONS, coded >> 2)?, trace })
}

/// So many attempts before, from 1; 0 and the bytes if none of them has it.
fn write_trace(writer: &mut Writer, trace: &Traceparent, newest_first: &[Arc<Attempt>]) {
    let is = |older: &Arc<Attempt>| older.trace.as_ref().is_some_and(|it| it.traceparent == *trace);
    if let Some(place) = newest_first.iter().position(is) {
        writer.number((place as u64).saturating_add(1));
    } else {
        writer.number(0);
        writer.traceparent(trace);
    }
}

fn read_trace(reader: &mut Reader<'_>, oldest_first: &[Arc<Attempt>]) -> Option<Traceparent> {
    let back = usize::try_from(reader.number()?).ok()?;
    if back == 0 {
        return reader.traceparent();
    }
    let older = oldest_first.get(oldest_first.len().checked_sub(back)?)?;
    Some(older.trace.as_ref()?.traceparent)
}

fn bits(flags: &[bool]) -> u64 {
    flags.iter().enumerate().map(|(place, is)| u64::from(*is) << place).sum()
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u64 {
    all.iter().position(|other| other == one).unwrap_or(0) as u64
}

fn at<T: Copy>(all: &[T], place: u64) -> Option<T> {
    all.get(usize::try_from(place).ok()?).copied()
}
