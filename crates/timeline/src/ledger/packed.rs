//! A ledger as bytes, while nothing is added to it: about 30 for a line.

mod codes;
mod days;
mod lines;

use serde::{Deserialize, Serialize};

use super::line::{Id, Word};
use super::{Compacted, Ledger};
use crate::base::packed::{Reader, Text, Writer};
use codes::length;
use days::{number_of, read_day, write_day};
use lines::{Before, read_line, write_line};

/// A ledger that is not worked with now.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PackedLedger(Box<[u8]>);

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
        let mut before = Before::default();
        for line in lines {
            write_line(&mut writer, line, before);
            before = Before::of(line);
        }
        writer.number(days.len() as u64);
        let mut before = 0;
        for day in days {
            write_day(&mut writer, day, before);
            before = number_of(day.date);
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
        let mut before = Before::default();
        for _ in 0..count {
            let line = read_line(&mut reader, before)?;
            before = Before::of(&line);
            lines.push(line);
        }
        let count = length(&mut reader)?;
        let mut days = Vec::with_capacity(count.min(self.0.len()));
        let mut before = 0;
        for _ in 0..count {
            let day = read_day(&mut reader, before)?;
            before = number_of(day.date);
            days.push(day);
        }
        Some(Ledger { rollout_uid, known_since, lines, days, compacted })
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.0.len()
    }
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
