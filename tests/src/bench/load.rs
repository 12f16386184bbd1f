//! Who used the cores meanwhile: a number measured beside a compiler is another number.

use std::time::Duration;

use super::process;
use crate::cluster::Cluster;

/// CPU time so far, of the machine and of those that belong to the measurement.
#[derive(Debug)]
pub(super) struct Load {
    machine: Times,
    own: Vec<(String, Duration)>,
}

/// From the first line of /proc/stat, in its ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    busy: u64,
    stolen: u64,
    all: u64,
}

impl Load {
    /// As it is now; `operator` is a process id.
    pub(super) fn now(cluster: &Cluster, operator: u32) -> Self {
        let mut own = cluster.processes();
        own.push(("throughline".into(), operator));
        own.push(("bench".into(), std::process::id()));
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        Self {
            machine: times(&stat),
            own: own
                .into_iter()
                .map(|(name, id)| (name, process::cpu(id).unwrap_or_default()))
                .collect(),
        }
    }

    /// What the cores did since an earlier look, in words and in percent of all of them.
    pub(super) fn since(&self, earlier: &Self) -> String {
        let percent = |ticks: u64| {
            let all = self.machine.all.saturating_sub(earlier.machine.all);
            ticks * 100 / all.max(1)
        };
        let busy = self.machine.busy.saturating_sub(earlier.machine.busy);
        let mut others = busy;
        let mut words = Vec::new();
        for ((name, now), (_, before)) in self.own.iter().zip(&earlier.own) {
            let ticks = process::ticks(now.saturating_sub(*before));
            others = others.saturating_sub(ticks);
            if percent(ticks) > 0 {
                words.push(format!("{name} {} %", percent(ticks)));
            }
        }
        words.push(format!("others {} %", percent(others)));
        let stolen = self.machine.stolen.saturating_sub(earlier.machine.stolen);
        if percent(stolen) > 0 {
            words.push(format!("stolen by the host {} %", percent(stolen)));
        }
        format!("{} % busy: {}", percent(busy), words.join(", "))
    }
}

fn times(stat: &str) -> Times {
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
    let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
    let (idle, stolen) = (at(3) + at(4), at(7));
    let all = ticks.iter().sum::<u64>();
    Times { busy: all - idle - stolen, stolen, all }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_is_of_others() {
        let stat = "cpu  100 0 50 800 30 5 5 10 0 0\ncpu0 1 1 1\n";
        let machine = times(stat);
        assert_eq!(machine, Times { busy: 160, stolen: 10, all: 1000 });
        let own = |ms| vec![("etcd".to_owned(), Duration::from_millis(ms))];
        let later = Load { machine: Times { busy: 260, stolen: 30, all: 1200 }, own: own(500) };
        let earlier = Load { machine, own: own(100) };
        let words = "50 % busy: etcd 20 %, others 30 %, stolen by the host 10 %";
        assert_eq!(later.since(&earlier), words);
    }
}
