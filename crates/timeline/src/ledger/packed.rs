//! A ledger as bytes, while nothing is added to it: about 40 for a line.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::line::{Exposed, Id, Line, Ref, Word};
use super::text::{CLASSES, KINDS, OUTCOMES, REFUSALS, SOURCES};
use super::{Compacted, Day, Ledger, Sum};
use crate::base::packed::{Reader, Text, Writer};
use crate::seen::commit::CommitTime;

/// A ledger that is not worked with now.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PackedLedger(Box<[u8]>);

const EXPOSED: [Exposed; 3] = [Exposed::No, Exposed::Unknown, Exposed::Yes];

/// Which optional fields of a line follow.
mod has {
    pub(super) const ENDED: u64 = 1;
    pub(super) const INFERRED: u64 = 1 << 1;
    pub(super) const SETTLED: u64 = 1 << 2;
    pub(super) const EXPOSED_AT: u64 = 1 << 3;
    pub(super) const CLASS: u64 = 1 << 4;
    pub(super) const VERSION: u64 = 1 << 5;
    pub(super) const COMMIT: u64 = 1 << 6;
    pub(super) const REFUSED: u64 = 1 << 7;
    pub(super) const COMMITTED: u64 = 1 << 8;
    pub(super) const REPLACES: u64 = 1 << 9;
    pub(super) const RECOVERS: u64 = 1 << 10;
    pub(super) const TEMPLATE: u64 = 1 << 11;
    /// It is not the first attempt of its revision.
    pub(super) const NUMBER: u64 = 1 << 12;
    /// What it replaces is the first attempt of the revision before.
    pub(super) const REPLACES_LAST: u64 = 1 << 13;
    pub(super) const BITS: u32 = 14;
}

impl PackedLedger {
    /// Packs a ledger.
    pub fn of(ledger: &Ledger) -> Self {
        let Ledger { rollout_uid, known_since, lines, days, compacted } = ledger;
        let mut writer = Writer::default();
        writer.text(Text::Name, rollout_uid);
        writer.number(u64::from(known_since.is_some()) | u64::from(compacted.is_some()) << 1);
        if let Some(known_since) = known_since {
            writer.time(*known_since);
        }
        if let Some(mark) = compacted {
            writer.time(mark.at);
            write_id(&mut writer, &mark.id);
        }
        writer.number(lines.len() as u64);
        let mut revision = 0;
        for line in lines {
            write_line(&mut writer, line, revision);
            revision = line.id.revision;
        }
        writer.number(days.len() as u64);
        for day in days {
            write_day(&mut writer, day);
        }
        Self(writer.finish())
    }

    /// The ledger. It is the one that was packed; none only if the bytes are not ours.
    pub fn ledger(&self) -> Option<Ledger> {
        let mut reader = Reader::new(&self.0);
        let rollout_uid = reader.text(Text::Name)?;
        let has = reader.number()?;
        let known_since = if has & 1 == 1 { Some(reader.time()?) } else { None };
        let compacted = if has & 2 == 2 {
            Some(Compacted { at: reader.time()?, id: read_id(&mut reader)? })
        } else {
            None
        };
        let count = length(&mut reader)?;
        let mut lines = Vec::with_capacity(count.min(self.0.len()));
        let mut revision = 0;
        for _ in 0..count {
            let line = read_line(&mut reader, revision)?;
            revision = line.id.revision;
            lines.push(line);
        }
        let count = length(&mut reader)?;
        let mut days = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            days.push(read_day(&mut reader)?);
        }
        Some(Ledger { rollout_uid, known_since, lines, days, compacted })
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

fn write_line(writer: &mut Writer, line: &Line, revision: i64) {
    let Line {
        id,
        outcome,
        kind,
        started,
        ended,
        inferred,
        settled,
        exposed,
        exposed_at,
        class,
        version,
        commit,
        commit_time,
        template,
        replaces,
        recovers,
    } = line;
    let flag = |is: bool, flag: u64| if is { flag } else { 0 };
    let flags = flag(ended.is_some(), has::ENDED)
        | flag(*inferred, has::INFERRED)
        | flag(settled.is_some(), has::SETTLED)
        | flag(exposed_at.is_some(), has::EXPOSED_AT)
        | flag(class.is_some(), has::CLASS)
        | flag(version.is_some(), has::VERSION)
        | flag(commit.is_some(), has::COMMIT)
        | flag(matches!(commit_time, CommitTime::Refused(_)), has::REFUSED)
        | flag(matches!(commit_time, CommitTime::At(..)), has::COMMITTED)
        | flag(template.is_some(), has::TEMPLATE)
        | flag(replaces.is_some(), has::REPLACES)
        | flag(recovers.is_some(), has::RECOVERS);
    let last = Ref { revision: id.revision.wrapping_sub(1), number: 1 };
    let replaces_last = *replaces == Some(last);
    let flags = flags & !flag(replaces_last, has::REPLACES)
        | flag(replaces_last, has::REPLACES_LAST)
        | flag(id.number != 1, has::NUMBER);
    let of_three = place(&EXPOSED, exposed);
    let kinds = KINDS.len() as u64;
    let codes = place(&OUTCOMES, outcome).saturating_mul(kinds).saturating_add(place(&KINDS, kind));
    let codes = codes.saturating_mul(3).saturating_add(of_three);
    writer.number((codes << has::BITS) | flags);
    writer.signed(id.revision.wrapping_sub(revision));
    if id.number != 1 {
        writer.number(u64::from(id.number));
    }
    writer.text(Text::Digits, id.hash.as_str());
    writer.time(*started);
    for at in [ended, settled, exposed_at].into_iter().flatten() {
        writer.time(*at);
    }
    if let Some(class) = class {
        writer.number(place(&CLASSES, class));
    }
    if let Some(version) = version {
        writer.text(Text::Version, version.as_str());
    }
    if let Some(commit) = commit {
        writer.text(Text::Digits, commit.as_str());
    }
    match commit_time {
        CommitTime::Untold => {}
        CommitTime::Refused(why) => writer.number(place(&REFUSALS, why)),
        CommitTime::At(at, source) => {
            writer.number(place(&SOURCES, source));
            writer.time(*at);
        }
    }
    if let Some(template) = template {
        writer.number(u64::from(*template));
    }
    let replaces = replaces.filter(|_| !replaces_last);
    for other in [replaces, *recovers].into_iter().flatten() {
        writer.signed(other.revision.wrapping_sub(id.revision));
        writer.number(u64::from(other.number));
    }
}

fn read_line(reader: &mut Reader<'_>, revision: i64) -> Option<Line> {
    let head = reader.number()?;
    let (flags, codes) = (head & ((1 << has::BITS) - 1), head >> has::BITS);
    let has = |flag: u64| flags & flag != 0;
    let kinds = KINDS.len() as u64;
    let revision = reader.signed()?.wrapping_add(revision);
    let number = if has(has::NUMBER) { u32::try_from(reader.number()?).ok()? } else { 1 };
    let hash = Word::packed(reader.text(Text::Digits)?);
    let started = reader.time()?;
    let mut time = |is: bool| if is { reader.time().map(Some) } else { Some(None) };
    let ended = time(has(has::ENDED))?;
    let settled = time(has(has::SETTLED))?;
    let exposed_at: Option<Timestamp> = time(has(has::EXPOSED_AT))?;
    let class = if has(has::CLASS) { Some(at(&CLASSES, reader.number()?)?) } else { None };
    let mut word = |is: bool, kind| {
        if is { reader.text(kind).map(|text| Some(Word::packed(text))) } else { Some(None) }
    };
    let version = word(has(has::VERSION), Text::Version)?;
    let commit = word(has(has::COMMIT), Text::Digits)?;
    let commit_time = if has(has::REFUSED) {
        CommitTime::Refused(at(&REFUSALS, reader.number()?)?)
    } else if has(has::COMMITTED) {
        let source = at(&SOURCES, reader.number()?)?;
        CommitTime::At(reader.time()?, source)
    } else {
        CommitTime::Untold
    };
    let template =
        if has(has::TEMPLATE) { Some(u32::try_from(reader.number()?).ok()?) } else { None };
    let mut other = |is: bool| {
        if !is {
            return Some(None);
        }
        let revision = reader.signed()?.wrapping_add(revision);
        Some(Some(Ref { revision, number: u32::try_from(reader.number()?).ok()? }))
    };
    let replaces = if has(has::REPLACES_LAST) {
        Some(Ref { revision: revision.wrapping_sub(1), number: 1 })
    } else {
        other(has(has::REPLACES))?
    };
    let recovers = other(has(has::RECOVERS))?;
    Some(Line {
        id: Id { revision, number, hash },
        outcome: at(&OUTCOMES, (codes / 3).checked_div(kinds)?)?,
        kind: at(&KINDS, (codes / 3).checked_rem(kinds)?)?,
        started,
        ended,
        inferred: has(has::INFERRED),
        settled,
        exposed: at(&EXPOSED, codes % 3)?,
        exposed_at,
        class,
        version,
        commit,
        commit_time,
        template,
        replaces,
        recovers,
    })
}

fn write_id(writer: &mut Writer, id: &Id) {
    writer.signed(id.revision);
    writer.number(u64::from(id.number));
    writer.text(Text::Digits, id.hash.as_str());
}

fn read_id(reader: &mut Reader<'_>) -> Option<Id> {
    let revision = reader.signed()?;
    let number = u32::try_from(reader.number()?).ok()?;
    Some(Id { revision, number, hash: Word::packed(reader.text(Text::Digits)?) })
}

fn write_day(writer: &mut Writer, day: &Day) {
    writer.signed(i64::from(day.date.year()));
    writer.number(day.date.day_of_year().unsigned_abs().into());
    let counts = day.sum.counts();
    let which = counts.iter().enumerate().map(|(n, count)| u64::from(*count > 0) << n).sum();
    writer.number(which);
    for count in counts.into_iter().filter(|count| *count > 0) {
        writer.number(u64::from(count));
    }
    for run in day.sum.runs() {
        writer.number(run.len() as u64);
        let mut before = 0;
        for value in run {
            writer.signed(i64::from(*value).saturating_sub(i64::from(before)));
            before = *value;
        }
    }
}

fn read_day(reader: &mut Reader<'_>) -> Option<Day> {
    let year = i16::try_from(reader.signed()?).ok()?;
    let day = i16::try_from(reader.number()?).ok()?;
    let first = Date::new(year, 1, 1).ok()?;
    let date = first.with().day_of_year(day).build().ok()?;
    let mut sum = Sum::default();
    let which = reader.number()?;
    for (n, (count, _)) in sum.counts_mut().into_iter().enumerate() {
        if which >> n & 1 == 1 {
            *count = u32::try_from(reader.number()?).ok()?;
        }
    }
    for (run, _) in sum.runs_mut() {
        let mut before = 0;
        for _ in 0..length(reader)? {
            before = reader.signed()?.checked_add(before)?;
            run.push(u32::try_from(before).ok()?);
        }
        run.shrink_to_fit();
    }
    Some(Day { date, sum })
}

fn length(reader: &mut Reader<'_>) -> Option<usize> {
    usize::try_from(reader.number()?).ok()
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u64 {
    all.iter().position(|other| other == one).unwrap_or(0) as u64
}

fn at<T: Copy>(all: &[T], place: u64) -> Option<T> {
    all.get(usize::try_from(place).ok()?).copied()
}
