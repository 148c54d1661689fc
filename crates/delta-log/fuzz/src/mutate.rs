//! Changes the logs and checkpoints of the tests' tables at random, and gives verdicts on them, with limits on time and memory for
//! each. It needs no nightly toolchain and no libFuzzer.
//!
//! ```text
//! cargo run --release --manifest-path crates/delta-log/fuzz/Cargo.toml --bin mutate -- SECONDS [SEED]
//! cargo run --release --manifest-path crates/delta-log/fuzz/Cargo.toml --bin mutate -- seeds FOLDER
//! ```
//!
//! The second form writes a corpus for the fuzz targets. The first ends with an error at the first input that goes wrong, and
//! names its number: the same seed comes to it again.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use bytes::Bytes;
use levee_delta_log_fuzz::{Table, commit_key};
use peak_alloc::PeakAlloc;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// What one input may take: the least budget for pages, twice, since a page is held beside what it was made of, and a footer.
const MEMORY: usize = 768 << 20;
const TIME: Duration = Duration::from_secs(10);

/// Values at which numbers turn into something else.
const EDGES: [u8; 9] = [0, 1, 0x0f, 0x15, 0x7f, 0x80, 0xf0, 0xfe, 0xff];

/// Where to change something: anywhere, near the end (where Parquet has its footer), or at a number of a Thrift struct.
fn place(bytes: &[u8], random: &mut StdRng) -> usize {
    let len = bytes.len();
    match random.random_range(0..3) {
        0 => random.random_range(0..len),
        1 => len - 1 - random.random_range(0..len.min(400)),
        _ => {
            let from = random.random_range(0..len);
            // A field of 32 bits, one after the field before it.
            let field = bytes[from..].iter().position(|byte| *byte == 0x15);
            field.map_or(from, |field| (from + field + 1).min(len - 1))
        }
    }
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut StdRng) {
    let len = bytes.len();
    if len == 0 {
        bytes.extend_from_slice(other.get(..other.len().min(64)).unwrap_or_default());
        return;
    }
    let at = place(bytes, random);
    let end = (at + random.random_range(1..=32)).min(len);
    match random.random_range(0..10) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = *EDGES.choose(random).expect("edges"),
        2 => bytes[at..end].fill(*EDGES.choose(random).expect("edges")),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        5 => bytes.truncate(at),
        6 if !other.is_empty() => {
            let from = random.random_range(0..other.len());
            let to = (from + random.random_range(1..=200)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        7 => {
            let number = [i64::MAX, i64::MIN, -1, 1 << 31, 1 << 40].choose(random).expect("numbers").to_string();
            bytes.splice(at..end.min(at + 3), number.into_bytes());
        }
        8 => {
            // A length of Thrift or Snappy that is far too great.
            let mut value = 1_u64 << random.random_range(7..40);
            let mut varint = Vec::new();
            while value > 0x7f {
                varint.push((value & 0x7f) as u8 | 0x80);
                value >>= 7;
            }
            varint.push(value as u8);
            bytes.splice(at..(at + random.random_range(1..=3)).min(len), varint);
        }
        _ => {
            let value: u32 = random.random();
            let end = (at + 4).min(len);
            bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        }
    }
}

/// A table of the tests with one to three files of its log changed.
fn input(tables: &[Table], random: &mut StdRng) -> Table {
    let mut table = tables.choose(random).expect("tables").clone();
    let log: Vec<String> = table.0.keys().filter(|key| key.starts_with("_delta_log/")).cloned().collect();
    for _ in 0..random.random_range(1..=3) {
        let key = log.choose(random).expect("a log");
        let other: Bytes = table.0[log.choose(random).expect("a log")].clone();
        let mut bytes = table.0[key].to_vec();
        for _ in 0..random.random_range(1..=4) {
            mutate(&mut bytes, &other, random);
        }
        table.put(key, bytes);
    }
    table
}

fn seeds(folder: &Path) {
    let write = |target: &str, number: usize, bytes: &[u8]| {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{number:02}")), bytes).expect("a file");
    };
    // One of each codec would repeat the same columns; a few stand for all.
    for (number, table) in
        Table::fixtures().into_iter().enumerate().filter(|(number, _)| [2, 5, 6, 8, 11].contains(number))
    {
        for (key, bytes) in table.0.iter().filter(|(key, _)| key.starts_with("_delta_log/")) {
            let target = match key.rsplit_once('.') {
                Some((name, "parquet")) if name.contains(".checkpoint") => "checkpoint",
                Some((name, "json")) if !name.contains(".checkpoint") && number == 8 => "commit",
                None => "last_checkpoint",
                _ => continue,
            };
            let version = key.get(29..31).and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(0);
            write(target, if target == "commit" { version } else { number }, bytes);
        }
        if number == 8 {
            write("table", number, &table.to_pieces());
        }
    }
    write("commit", 90, &Table::small().0[&commit_key(0)]);
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [command, folder] = words.as_slice()
        && command == "seeds"
    {
        seeds(Path::new(folder));
        return ExitCode::SUCCESS;
    }
    let number = |at: usize, default: u64| words.get(at).map_or(default, |word| word.parse().expect("a number"));
    let (seconds, seed) = (number(0, 60), number(1, 1));
    let tables = Table::fixtures();
    // What the crate `parquet` trips over is caught there; it need not be printed.
    std::panic::set_hook(Box::new(|_| {}));
    let (start, mut count, mut peak, mut slowest) = (Instant::now(), 0_u64, 0, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(seconds) {
        let table = input(&tables, &mut StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ count));
        let before = ALLOCATED.current_usage();
        ALLOCATED.reset_peak_usage();
        let began = Instant::now();
        let held = catch_unwind(AssertUnwindSafe(|| table.check()));
        let (took, memory) = (began.elapsed(), ALLOCATED.peak_usage().saturating_sub(before));
        if held.is_err() || took > TIME || memory > MEMORY {
            let why = held.err().map(|why| why.downcast_ref::<String>().cloned().unwrap_or_default());
            eprintln!("input {count} of seed {seed}: {took:?}, {memory} bytes, {why:?}");
            return ExitCode::FAILURE;
        }
        (peak, slowest, count) = (memory.max(peak), took.max(slowest), count + 1);
    }
    println!("{count} inputs of seed {seed}; at most {} KiB and {slowest:?} for one", peak >> 10);
    ExitCode::SUCCESS
}
