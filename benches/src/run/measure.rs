//! Runs one contestant in a process of its own.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::{
    param::clock_ticks_per_second,
    process::{Pid, WaitId, WaitIdOptions, waitid},
};
use serde::Serialize;

use crate::{Outcome, number};

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What one run took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Sample {
    /// Of the work alone, as the contestant says.
    pub(super) seconds: f64,
    /// Processor time of the whole process, its start included.
    pub(super) cpu_seconds: f64,
    /// The peak of its memory.
    pub(super) peak_kib: u64,
}

/// Runs a contestant to its end.
pub(super) fn measure(mut command: Command) -> Result<(Sample, Outcome)> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {command:?}"))?;
    let mut out = child.stdout.take().context("the process has no output")?;
    // A pipe holds little, and an answer may be long.
    let reading = thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let (id, mut peak) = (child.id(), 0);
    let pid = Pid::from_raw(i32::try_from(id)?).context("the process has no id")?;
    // The process stays a zombie, which tells its processor time, until it is waited for below.
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while waitid(WaitId::Pid(pid), look)?.is_none() {
        peak = peak_memory_kib(id).unwrap_or(0).max(peak);
        thread::sleep(LOOK_EVERY);
    }
    let cpu_seconds = cpu_seconds(id).context("the system does not tell processor times")?;
    let status = child.wait()?;
    let text = reading.join().map_err(|_| anyhow!("the reading of the output panicked"))??;
    ensure!(status.success(), "{command:?} failed: {status}");
    let line = text.lines().last().unwrap_or_default();
    let outcome: Outcome = serde_json::from_str(line).with_context(|| format!("{command:?} printed {line:?}"))?;
    Ok((Sample { seconds: outcome.seconds, cpu_seconds, peak_kib: peak }, outcome))
}

/// User and system time of a process, its threads included: `utime` and `stime` of proc(5).
fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(number(user + system) / number(clock_ticks_per_second()))
}

/// The peak of memory of a process in KiB: `VmHWM` of proc(5). None when the process is gone.
///
/// The rig of the tests has the same; without it a contestant is built without the twin.
fn peak_memory_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}
