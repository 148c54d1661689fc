//! A lake: tables with logs, leftovers and partitions, and the objects of it in the order of their keys, as listings have them.
//!
//! An object follows from the seed, its table and the partition that it is in, so that any range of rows can be made by itself.

use std::{collections::BTreeSet, fmt::Write, ops::Range};

use anyhow::Result;
use fastrand::Rng;
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, date},
};
use uuid::Builder;

use super::Size;

const LAYERS: [&str; 3] = ["bronze", "gold", "silver"];
const AREAS: [&str; 12] = [
    "billing",
    "crm",
    "events",
    "finance",
    "inventory",
    "logistics",
    "marketing",
    "payments",
    "risk",
    "sales",
    "support",
    "web",
];
const SUBJECTS: [&str; 16] = [
    "accounts",
    "bookings",
    "clicks",
    "contacts",
    "customers",
    "devices",
    "invoices",
    "items",
    "orders",
    "page_views",
    "prices",
    "refunds",
    "sessions",
    "shipments",
    "transactions",
    "visits",
];
/// In the order of their bytes.
const REGIONS: [&str; 6] = ["Baden-Württemberg", "New York", "São Paulo", "eu central 1", "us east 1", "Île-de-France"];

/// The first day of every table, and its first second.
const FIRST_DAY: Date = date(2024, 3, 27);
const FIRST_SECOND: i64 = 1_711_497_600;
const LARGE: u64 = 5_000_000_000;
const PARTS_ABOVE: u64 = 64 << 20;

/// An object of the lake.
#[derive(Debug)]
pub struct Object<'a> {
    /// Its row, from 0.
    pub row: u64,
    /// Its key, not encoded.
    pub key: &'a str,
    /// Bytes.
    pub size: u64,
    /// When it was written: within the day of its partition.
    pub last_modified: Timestamp,
    /// Its entity tag.
    pub etag: &'a str,
    /// Its storage class.
    pub storage_class: &'static str,
    /// Whether it was uploaded in parts.
    pub multipart: bool,
    /// How it is encrypted.
    pub encryption: &'static str,
    /// Its tier in INTELLIGENT_TIERING; else empty.
    pub tier: &'static str,
}

/// A lake of a number of objects.
#[derive(Debug)]
pub struct Lake {
    tables: Vec<Table>,
    padding: String,
    seed: u64,
}

#[derive(Debug)]
struct Table {
    name: String,
    rows: Range<u64>,
    shape: Shape,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    layout: Layout,
    days: u32,
    files: u32,
    log: u32,
    leftovers: u32,
    encryption: &'static str,
    tiering: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    ByDay,
    ByDayAndRegion,
    Flat,
}

/// Objects that are beside each other, made from one seed.
#[derive(Clone, Copy, Debug)]
enum Section {
    Log,
    Leftovers,
    Files { day: u32, region: Option<&'static str> },
}

/// What the objects of a section are written with.
struct Line<'a> {
    lake: &'a Lake,
    table: &'a Table,
    random: Rng,
    key: String,
    etag: String,
}

impl Lake {
    /// The lake of as many objects as there are rows.
    #[must_use]
    pub fn new(size: &Size) -> Self {
        let mut random = Rng::with_seed(size.seed);
        let (mut shapes, mut begin) = (Vec::new(), 0);
        while begin < size.rows {
            let shape = Shape::draw(&mut random);
            let end = begin.saturating_add(shape.rows()).min(size.rows);
            shapes.push((begin..end, shape));
            begin = end;
        }
        let names = names(shapes.len(), &mut random);
        let table = |((rows, shape), name)| Table { name, rows, shape };
        let tables = shapes.into_iter().zip(names).map(table).collect();
        let padding = "x".repeat(usize::from(size.padding));
        Self { tables, padding, seed: size.seed }
    }

    /// Gives the objects with these rows, in order.
    ///
    /// # Errors
    /// That of `take`.
    pub fn objects(&self, rows: Range<u64>, take: &mut dyn FnMut(&Object<'_>) -> Result<()>) -> Result<()> {
        let first = self.tables.partition_point(|table| table.rows.end <= rows.start);
        for (number, table) in self.tables.iter().enumerate().skip(first) {
            if table.rows.start >= rows.end {
                break;
            }
            let mut begin = table.rows.start;
            for (index, (section, count)) in table.shape.sections().enumerate() {
                let end = begin.saturating_add(u64::from(count)).min(table.rows.end);
                if begin < rows.end && end > rows.start {
                    let seed = mix(mix(self.seed, number as u64), index as u64);
                    let line = Line {
                        lake: self,
                        table,
                        random: Rng::with_seed(seed),
                        key: String::new(),
                        etag: String::new(),
                    };
                    line.section(section, count, begin, &mut |object| {
                        if rows.contains(&object.row) && object.row < table.rows.end { take(object) } else { Ok(()) }
                    })?;
                }
                begin = end;
            }
        }
        Ok(())
    }
}

impl Shape {
    fn draw(random: &mut Rng) -> Self {
        let layout = match random.u32(0..20) {
            0 => Layout::Flat,
            1..4 => Layout::ByDayAndRegion,
            _ => Layout::ByDay,
        };
        let days = random.u32(30..720);
        // Most tables have few files a day, some have many.
        let files = 1 + random.u32(0..14) * random.u32(0..14);
        let data = days * files * if layout == Layout::ByDayAndRegion { 3 } else { 1 };
        let encryption = if random.u32(0..3) == 0 { "SSE-KMS" } else { "SSE-S3" };
        let tiering = random.u32(0..20) == 0;
        Self { layout, days, files, log: 2 + data * 3 / 95, leftovers: data * 2 / 95, encryption, tiering }
    }

    fn rows(&self) -> u64 {
        self.sections().map(|(_, count)| u64::from(count)).sum()
    }

    /// The sections in the order of their keys, with their objects.
    fn sections(self) -> impl Iterator<Item = (Section, u32)> {
        let own = [(Section::Log, self.log), (Section::Leftovers, self.leftovers)];
        let files = (0..self.days).flat_map(move |day| {
            let some = usize::from(self.layout != Layout::ByDayAndRegion);
            let regions = (self.layout == Layout::ByDayAndRegion).then_some(REGIONS).into_iter().flatten();
            // Three of the six a day.
            let regions = regions.enumerate().filter(move |(place, _)| place % 2 == day as usize % 2);
            let by_region = regions.map(move |(_, region)| (Section::Files { day, region: Some(region) }, self.files));
            by_region.chain(std::iter::repeat_n((Section::Files { day, region: None }, self.files), some))
        });
        // Without partitions there is one section, or the keys would not be in order.
        let flat = self.layout == Layout::Flat;
        let all = (Section::Files { day: 0, region: None }, self.days * self.files);
        own.into_iter().chain(flat.then_some(all)).chain(files.filter(move |_| !flat))
    }
}

impl Line<'_> {
    fn section(
        mut self,
        section: Section,
        count: u32,
        first: u64,
        take: &mut dyn FnMut(&Object<'_>) -> Result<()>,
    ) -> Result<()> {
        match section {
            Section::Log => self.log(count, first, take),
            Section::Leftovers => {
                let mut names: Vec<u64> = std::iter::repeat_with(|| self.random.u64(..)).take(count as usize).collect();
                names.sort_unstable();
                for (row, name) in (first..).zip(names) {
                    self.begin();
                    let _ = write!(self.key, "_tmp/attempt_{name:016x}/part-00000.snappy.parquet");
                    self.give(row, self.table.shape.days, "STANDARD", take)?;
                }
                Ok(())
            }
            Section::Files { day, region } => self.files(day, region, count, first, take),
        }
    }

    /// Commits with a checkpoint after every tenth, and the hint at the end.
    fn log(&mut self, count: u32, first: u64, take: &mut dyn FnMut(&Object<'_>) -> Result<()>) -> Result<()> {
        let mut row = first;
        let last = first + u64::from(count) - 1;
        for version in 0_u32.. {
            for kind in ["checkpoint.parquet", "json"] {
                if kind != "json" && (version % 10 != 0 || version == 0) {
                    continue;
                }
                self.begin();
                if row == last {
                    self.key.push_str("_delta_log/_last_checkpoint");
                } else {
                    let _ = write!(self.key, "_delta_log/{version:020}.{kind}");
                }
                self.give(row, version.min(self.table.shape.days), "STANDARD", take)?;
                if row == last {
                    return Ok(());
                }
                row += 1;
            }
        }
        Ok(())
    }

    /// What Spark writes into a partition.
    fn files(
        &mut self,
        day: u32,
        region: Option<&str>,
        count: u32,
        first: u64,
        take: &mut dyn FnMut(&Object<'_>) -> Result<()>,
    ) -> Result<()> {
        let jobs = self.random.u32(1..4);
        let mut names: Vec<(u32, [u8; 16])> = (0..count)
            .map(|file| {
                let mut random = [0; 16];
                self.random.fill(&mut random);
                (file / jobs, random)
            })
            .collect();
        names.sort_unstable();
        let archived = self.random.u32(0..1000) < 53;
        let flat = self.table.shape.layout == Layout::Flat;
        let mut folder = if flat { String::new() } else { folder(day) };
        if let Some(region) = region {
            let _ = write!(folder, "region={region}/");
        }
        for (row, (part, random)) in (first..).zip(names) {
            self.begin();
            self.key.push_str(&folder);
            let id = Builder::from_random_bytes(random).into_uuid();
            let _ = write!(self.key, "part-{part:05}-{}.c000.snappy.parquet", id.hyphenated());
            let class = match (archived, self.table.shape.tiering) {
                (true, _) => "GLACIER",
                (false, true) => "INTELLIGENT_TIERING",
                (false, false) if day < 90 => "STANDARD_IA",
                (false, false) => "STANDARD",
            };
            let day = if flat { self.random.u32(0..self.table.shape.days) } else { day };
            self.give(row, day, class, take)?;
        }
        Ok(())
    }

    fn begin(&mut self) {
        self.key.clear();
        self.etag.clear();
        self.key.push_str(&self.table.name);
        self.key.push('/');
    }

    fn give(
        &mut self,
        row: u64,
        day: u32,
        storage_class: &'static str,
        take: &mut dyn FnMut(&Object<'_>) -> Result<()>,
    ) -> Result<()> {
        self.key.push_str(&self.lake.padding);
        let random = &mut self.random;
        let size = if random.u32(0..1000) == 0 {
            random.u64(LARGE + 1..60_000_000_000)
        } else {
            let magnitude = random.u32(10..28);
            random.u64(1 << magnitude..2 << magnitude)
        };
        let multipart = size > PARTS_ABOVE;
        let _ = write!(self.etag, "{:032x}", random.u128(..));
        if multipart {
            let _ = write!(self.etag, "-{}", size.div_ceil(PARTS_ABOVE));
        }
        let second = FIRST_SECOND + i64::from(day) * 86_400 + random.i64(0..86_400);
        let last_modified = Timestamp::from_second(second)?;
        let tier = match (storage_class, random.u32(0..3)) {
            ("INTELLIGENT_TIERING", 0) => "INFREQUENT",
            ("INTELLIGENT_TIERING", 1) => "ARCHIVE_INSTANT",
            ("INTELLIGENT_TIERING", _) => "FREQUENT",
            _ => "",
        };
        take(&Object {
            row,
            key: &self.key,
            size,
            last_modified,
            etag: &self.etag,
            storage_class,
            multipart,
            encryption: self.table.shape.encryption,
            tier,
        })
    }
}

/// The folder of a day's partition.
fn folder(day: u32) -> String {
    format!("date={}/", FIRST_DAY.saturating_add(i64::from(day).days()))
}

/// Names of tables, in the order that their keys have.
fn names(count: usize, random: &mut Rng) -> Vec<String> {
    let mut names = BTreeSet::new();
    while names.len() < count {
        let pick =
            |random: &mut Rng, of: &[&'static str]| of.get(random.usize(0..of.len())).copied().unwrap_or_default();
        let (layer, area, subject) = (pick(random, &LAYERS), pick(random, &AREAS), pick(random, &SUBJECTS));
        let version = random.u32(0..10_000);
        // With the slash, before which other letters may come.
        names.insert(format!("{layer}/{area}/{subject}_v{version}/"));
    }
    names.into_iter().map(|name| name.trim_end_matches('/').to_owned()).collect()
}

/// A seed of two numbers.
pub(super) const fn mix(seed: u64, number: u64) -> u64 {
    let mixed = (seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) ^ (mixed >> 32)
}
