//! A line as bytes: what nearly all have in common is one of a few numbers, and times are seconds.

use jiff::Timestamp;

use super::codes::{at, place};
use crate::base::packed::{Reader, Text, Writer};
use crate::ledger::line::{Exposed, Id, Line, Ref, Word};
use crate::ledger::text::{CLASSES, KINDS, OUTCOMES, REFUSALS, SOURCES};
use crate::seen::commit::CommitTime;

/// How many classes there are, and none.
const CLASS_CODES: usize = CLASSES.len().saturating_add(1);
/// How many words there are of the time of a commit, and none.
const COMMIT_CODES: usize = REFUSALS.len().saturating_add(SOURCES.len()).saturating_add(1);
const EXPOSED: [Exposed; 3] = [Exposed::No, Exposed::Unknown, Exposed::Yes];

/// Which fields of a line follow, and how.
mod has {
    pub(super) const ENDED: u64 = 1;
    pub(super) const INFERRED: u64 = 1 << 1;
    pub(super) const SETTLED: u64 = 1 << 2;
    pub(super) const EXPOSED_AT: u64 = 1 << 3;
    pub(super) const VERSION: u64 = 1 << 4;
    pub(super) const COMMIT: u64 = 1 << 5;
    pub(super) const REPLACES: u64 = 1 << 6;
    pub(super) const RECOVERS: u64 = 1 << 7;
    pub(super) const TEMPLATE: u64 = 1 << 8;
    /// It is not the first attempt of its revision.
    pub(super) const NUMBER: u64 = 1 << 9;
    /// What it replaces is the first attempt of the revision before.
    pub(super) const REPLACES_LAST: u64 = 1 << 10;
    /// Its revision is the one before that of the line before: the newest comes first.
    pub(super) const NEXT: u64 = 1 << 11;
    /// Its times are whole seconds in the order in which they come about, see [`super::in_order`].
    pub(super) const IN_ORDER: u64 = 1 << 12;
    pub(super) const BITS: u32 = 13;
}

/// The line before.
#[derive(Default, Clone, Copy)]
pub(super) struct Before {
    revision: i64,
    started: i64,
}

pub(super) fn write_line(writer: &mut Writer, line: &Line, before: Before) {
    let Line {
        id,
        outcome,
        kind,
        started: _,
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
    let last = Ref { revision: id.revision.wrapping_sub(1), number: 1 };
    let replaces_last = *replaces == Some(last);
    let in_order = in_order(line, before);
    let flags = flag(ended.is_some(), has::ENDED)
        | flag(*inferred, has::INFERRED)
        | flag(settled.is_some(), has::SETTLED)
        | flag(exposed_at.is_some(), has::EXPOSED_AT)
        | flag(version.is_some(), has::VERSION)
        | flag(commit.is_some(), has::COMMIT)
        | flag(template.is_some(), has::TEMPLATE)
        | flag(replaces.is_some() && !replaces_last, has::REPLACES)
        | flag(recovers.is_some(), has::RECOVERS)
        | flag(replaces_last, has::REPLACES_LAST)
        | flag(id.number != 1, has::NUMBER)
        | flag(id.revision == before.revision.wrapping_sub(1), has::NEXT)
        | flag(in_order.is_some(), has::IN_ORDER);
    let codes = [
        (place(&OUTCOMES, outcome), OUTCOMES.len()),
        (place(&KINDS, kind), KINDS.len()),
        (place(&EXPOSED, exposed), EXPOSED.len()),
        (class.map_or(0, |class| place(&CLASSES, &class).saturating_add(1)), CLASS_CODES),
        (commit_code(*commit_time), COMMIT_CODES),
    ];
    let codes = codes
        .iter()
        .rev()
        .fold(0u64, |all, (code, of)| all.saturating_mul(*of as u64).saturating_add(*code));
    // Lines of a team that goes on as it does are alike in all of this.
    writer.one_of_few((codes << has::BITS) | flags);
    if flags & has::NEXT == 0 {
        writer.signed(id.revision.wrapping_sub(before.revision));
    }
    if id.number != 1 {
        writer.number(u64::from(id.number));
    }
    writer.text(Text::Digits, id.hash.as_str());
    match in_order {
        Some(seconds) => seconds.into_iter().flatten().for_each(|since| writer.number(since)),
        None => times_of(line).into_iter().flatten().for_each(|at| writer.time(at)),
    }
    if let Some(version) = version {
        writer.text(Text::Version, version.as_str());
    }
    if let Some(commit) = commit {
        writer.text(Text::Digits, commit.as_str());
    }
    if let Some(template) = template {
        writer.bits(*template);
    }
    let replaces = replaces.filter(|_| !replaces_last);
    for other in [replaces, *recovers].into_iter().flatten() {
        writer.signed(other.revision.wrapping_sub(id.revision));
        writer.number(u64::from(other.number));
    }
}

pub(super) fn read_line(reader: &mut Reader<'_>, before: Before) -> Option<Line> {
    let head = reader.one_of_few()?;
    let (flags, mut codes) = (head & ((1 << has::BITS) - 1), head >> has::BITS);
    let has = |flag: u64| flags & flag != 0;
    let mut code = |of: usize| {
        let code = codes.checked_rem(of as u64);
        codes = codes.checked_div(of as u64)?;
        code
    };
    let outcome = at(&OUTCOMES, code(OUTCOMES.len())?)?;
    let kind = at(&KINDS, code(KINDS.len())?)?;
    let exposed = at(&EXPOSED, code(EXPOSED.len())?)?;
    let class = match code(CLASS_CODES)?.checked_sub(1) {
        Some(class) => Some(at(&CLASSES, class)?),
        None => None,
    };
    let commit_code = code(COMMIT_CODES)?;
    let revision = if has(has::NEXT) {
        before.revision.wrapping_sub(1)
    } else {
        reader.signed()?.wrapping_add(before.revision)
    };
    let number = if has(has::NUMBER) { u32::try_from(reader.number()?).ok()? } else { 1 };
    let hash = Word::packed(reader.text(Text::Digits)?);
    let which =
        [true, has(has::ENDED), has(has::SETTLED), has(has::EXPOSED_AT), is_at(commit_code)];
    let [started, ended, settled, exposed_at, committed] = if has(has::IN_ORDER) {
        read_in_order(reader, which, before)?
    } else {
        let mut times = [None; 5];
        for (time, _) in times.iter_mut().zip(which).filter(|(_, is)| *is) {
            *time = Some(reader.time()?);
        }
        times
    };
    let mut word = |is: bool, kind| {
        if is { reader.text(kind).map(|text| Some(Word::packed(text))) } else { Some(None) }
    };
    let version = word(has(has::VERSION), Text::Version)?;
    let commit = word(has(has::COMMIT), Text::Digits)?;
    let template = if has(has::TEMPLATE) { Some(reader.bits()?) } else { None };
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
        outcome,
        kind,
        started: started?,
        ended,
        inferred: has(has::INFERRED),
        settled,
        exposed,
        exposed_at,
        class,
        version,
        commit,
        commit_time: commit_time(commit_code, committed)?,
        template,
        replaces,
        recovers,
    })
}

impl Before {
    pub(super) fn of(line: &Line) -> Self {
        Self { revision: line.id.revision, started: line.started.as_second() }
    }
}

/// Start, end, when it was settled, when users could be hit, and when the commit was made.
fn times_of(line: &Line) -> [Option<Timestamp>; 5] {
    let committed = match line.commit_time {
        CommitTime::At(at, _) => Some(at),
        CommitTime::Unknown | CommitTime::Refused(_) => None,
    };
    [Some(line.started), line.ended, line.settled, line.exposed_at, committed]
}

/// The times as seconds: the start before that of the line before, the end after the start, what
/// was settled after that, exposure after the start, the commit before it. None if they come about
/// in another order, or not at whole seconds.
fn in_order(line: &Line, before: Before) -> Option<[Option<u64>; 5]> {
    let times = times_of(line);
    let whole = times.iter().flatten().all(|at| at.subsec_nanosecond() == 0);
    let [_, ended, settled, exposed, committed] = times.map(|at| at.map(Timestamp::as_second));
    let started = line.started.as_second();
    let since = |to: Option<i64>, from: i64| match to {
        Some(to) => u64::try_from(to.checked_sub(from)?).ok().map(Some),
        None => Some(None),
    };
    let seconds = [
        since(Some(before.started), started)?,
        since(ended, started)?,
        since(settled, ended.unwrap_or(started))?,
        since(exposed, started)?,
        since(committed.map(|_| started), committed.unwrap_or(started))?,
    ];
    whole.then_some(seconds)
}

fn read_in_order(
    reader: &mut Reader<'_>,
    which: [bool; 5],
    before: Before,
) -> Option<[Option<Timestamp>; 5]> {
    let mut started = before.started;
    let mut ended = None;
    let mut times = [None; 5];
    for (n, _) in which.into_iter().enumerate().filter(|(_, is)| *is) {
        let since = i64::try_from(reader.number()?).ok()?;
        let second = match n {
            0 | 4 => started.checked_sub(since)?,
            2 => ended.unwrap_or(started).checked_add(since)?,
            _ => started.checked_add(since)?,
        };
        match n {
            0 => started = second,
            1 => ended = Some(second),
            _ => {}
        }
        *times.get_mut(n)? = Some(Timestamp::from_second(second).ok()?);
    }
    Some(times)
}

/// 0 if the time of the commit is unknown, then the refusals, then the sources.
fn commit_code(time: CommitTime) -> u64 {
    let first = (REFUSALS.len() as u64).saturating_add(1);
    match time {
        CommitTime::Unknown => 0,
        CommitTime::Refused(why) => place(&REFUSALS, &why).saturating_add(1),
        CommitTime::At(_, source) => place(&SOURCES, &source).saturating_add(first),
    }
}

/// Whether a time follows.
fn is_at(code: u64) -> bool {
    code > REFUSALS.len() as u64
}

fn commit_time(code: u64, committed: Option<Timestamp>) -> Option<CommitTime> {
    let Some(refusal) = code.checked_sub(1) else { return Some(CommitTime::Unknown) };
    match refusal.checked_sub(REFUSALS.len() as u64) {
        Some(source) => Some(CommitTime::At(committed?, at(&SOURCES, source)?)),
        None => Some(CommitTime::Refused(at(&REFUSALS, refusal)?)),
    }
}
