//! The way out to the sinks: what leaves, what waits, and where.

use jiff::Timestamp;

use super::delivery::Delivery;
use super::recall::Page;
use super::{Ask, Outbox, WAITING_INSIDE};
use crate::base::Key;

impl Outbox {
    /// Drops journals that can be read again, until no more are left in memory than may wait there.
    /// Those that wait longest stay. One whose object was deleted can be read nowhere: beyond that
    /// number it is lost.
    pub(super) fn let_wait_outside(&mut self) {
        let mut dropped = Vec::new();
        for gate in self.gates.values() {
            let surplus = gate.waiting.len().saturating_sub(WAITING_INSIDE);
            let newest_first = gate.waiting.iter().rev().map(|(_, key)| key);
            let can = newest_first.filter(|key| {
                let delivery = self.deliveries.get(key);
                delivery.is_some_and(|it| it.can_wait_outside() || it.waits_here_only())
            });
            dropped.extend(can.take(surplus).cloned());
        }
        for key in dropped {
            let Some(delivery) = self.deliveries.get(&key) else { continue };
            let outside = delivery.can_wait_outside().then(|| delivery.unsent());
            self.remove(&key);
            if let Some(unsent) = outside {
                self.outside.left(unsent);
            }
        }
    }

    /// Hands out what the sinks take.
    pub(super) fn let_out(&mut self, now: Timestamp, asks: &mut Vec<Ask>) {
        for (sink, gate) in &mut self.gates {
            while let Some(key) = gate.next(now) {
                if let Some(batch) = self.deliveries.get_mut(&key).and_then(|it| it.send(sink)) {
                    gate.sending = gate.sending.saturating_add(1);
                    asks.push(Ask::Send(sink.clone(), key, Box::new(batch)));
                }
            }
        }
        let room = self.gates.values().all(|gate| gate.waiting.is_empty() && !gate.problem);
        if room && let Some(Page(page)) = self.outside.ask(now) {
            asks.push(Ask::Recall(WAITING_INSIDE, page));
        }
    }

    /// Files a journal under those that wait for a sink, or takes it away from there.
    pub(super) fn queue(&mut self, key: &Key, now: Timestamp) {
        let delivery = self.deliveries.get(key);
        for (sink, gate) in &mut self.gates {
            match delivery.and_then(|delivery: &Delivery| delivery.waits_for(sink, now)) {
                Some(since) => gate.wait(key, since),
                None => gate.leave(key),
            }
        }
    }
}
