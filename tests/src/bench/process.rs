//! What the kernel shows of the operator's process.

use std::path::PathBuf;
use std::time::Duration;

use super::Error;
use crate::cluster;
use crate::operator::Operator;

/// Linux counts CPU time for user space in hundredths of a second on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// Resident memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// Now.
    pub(super) resident: u64,
    /// At most, since the process began.
    pub(super) peak: u64,
}

/// The process id of an operator that should run.
pub(super) fn running(operator: &Operator) -> Result<u32, Error> {
    operator.id().ok_or_else(|| {
        let program = "the operator".into();
        let hint = "it was not started";
        cluster::Error::Absent { program, hint }.into()
    })
}

/// Reads `VmRSS` and `VmHWM`.
pub(super) fn memory(id: u32) -> Result<Memory, Error> {
    let (path, text) = read(id, "status")?;
    memory_in(&text).ok_or_else(|| Error::Process { path, reason: "no VmRSS and VmHWM".into() })
}

fn memory_in(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    };
    Some(Memory { resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
}

/// The CPU time of all threads so far.
pub(super) fn cpu(id: u32) -> Result<Duration, Error> {
    let (path, text) = read(id, "stat")?;
    cpu_in(&text).ok_or_else(|| Error::Process { path, reason: "no utime and stime".into() })
}

fn cpu_in(stat: &str) -> Option<Duration> {
    // The name stands in brackets and may hold blanks; utime and stime are the 12th and 13th after.
    let (_, after) = stat.rsplit_once(')')?;
    let mut ticks = after.split_whitespace().skip(11);
    let mut next = || ticks.next()?.parse::<u32>().ok();
    Some(TICK * (next()? + next()?))
}

/// The CPU time of this thread so far, to the nanosecond.
pub(super) fn on_cpu() -> Result<Duration, Error> {
    const PATH: &str = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(PATH).unwrap_or_default();
    let first = text.split(' ').next().and_then(|first| first.parse().ok());
    first.map(Duration::from_nanos).ok_or(Error::NoCpuTime { path: PATH })
}

/// A time in the unit of the kernel's own counters.
pub(super) fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
}

/// The file that the process runs.
pub(super) fn program(id: u32) -> Result<PathBuf, Error> {
    let path = PathBuf::from(format!("/proc/{id}/exe"));
    std::fs::read_link(&path).map_err(|error| Error::Process { path, reason: error.to_string() })
}

fn read(id: u32, name: &str) -> Result<(PathBuf, String), Error> {
    let path = PathBuf::from(format!("/proc/{id}/{name}"));
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) => Err(Error::Process { path, reason: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_read_as_the_kernel_writes_them() {
        let status = "Name:\tthroughline\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        let expected = Memory { resident: 10 << 20, peak: 20 << 20 };
        assert_eq!(memory_in(status), Some(expected));
        assert_eq!(memory_in("VmRSS:\t1 kB\n"), None);
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 900 0 0 0 125 25 0 0 20 0 3 0 100 1000";
        assert_eq!(cpu_in(stat), Some(Duration::from_millis(1500)));
        assert!(cpu(std::process::id()).is_ok());
        assert!(on_cpu().is_ok());
    }
}
