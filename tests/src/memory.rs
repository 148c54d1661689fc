//! How much memory a process has taken.

use std::fs;

/// The peak of memory of a process in KiB: `VmHWM` of proc(5). None when the process is gone.
#[must_use]
pub fn peak_memory_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}
