//! Numbers that stand for what is one of few.

use crate::base::packed::Reader;

pub(super) fn length(reader: &mut Reader<'_>) -> Option<usize> {
    usize::try_from(reader.number()?).ok()
}

pub(super) fn place<T: PartialEq>(all: &[T], one: &T) -> u64 {
    all.iter().position(|other| other == one).unwrap_or(0) as u64
}

pub(super) fn at<T: Copy>(all: &[T], place: u64) -> Option<T> {
    all.get(usize::try_from(place).ok()?).copied()
}
