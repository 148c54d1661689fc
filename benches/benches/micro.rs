//! The small parts: decompression with rows, key codecs, report rows, manifests, and the replay of a log. `cargo bench -p
//! levee-bench` runs them.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::{fs, hint::black_box, path::Path};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use levee_bench::make::{Kind, LISTING, SOURCE, Size, make};
use levee_delta_log::{Listing, LogReader, Options, ReadError};
use levee_formats::{
    KeyCodec,
    inventory::{Column, DataReader, DataWriter, Manifest, Record, Row, RowError, Schema},
    report::{self, ResultReader},
};

const ROWS: u64 = 20_000;

struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    fn new(kind: Kind, size: Size) -> Self {
        let folder = tempfile::tempdir().unwrap();
        make(kind, size, folder.path(), 1).unwrap();
        Self { folder }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }
}

fn inventory_rows(criterion: &mut Criterion) {
    let made = Made::new(Kind::Inventory, Size::of(ROWS, 1));
    let manifest = Manifest::parse(&made.read("manifest.json")).unwrap();
    let data = made.read(&manifest.files[0].key);
    let mut keys = Vec::new();
    let read = |sink: &mut dyn FnMut(&str)| {
        let mut reader = DataReader::new("data", &manifest.schema, SOURCE).unwrap();
        let mut rows = |row: Result<Row<'_>, RowError<'_>>| sink(&row.unwrap().key);
        reader.push(&data, &mut rows).unwrap();
        reader.finish(&mut rows).unwrap();
    };
    read(&mut |key| keys.push(key.to_owned()));
    let mut group = criterion.benchmark_group("inventory");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("gunzip_and_rows", |bencher| {
        bencher.iter(|| {
            read(&mut |key| {
                black_box(key.len());
            })
        })
    });
    group.bench_function("write_manifest_rows", |bencher| {
        let schema = Schema::of(&[Column::Bucket, Column::Key, Column::Size, Column::ETag]).unwrap();
        bencher.iter(|| {
            let mut writer = DataWriter::batch_manifest(Vec::new(), &schema).unwrap();
            for key in &keys {
                let etag = Some("0123456789abcdef0123456789abcdef");
                writer
                    .row(&Record { bucket: SOURCE, key: key.as_bytes(), size: Some(1), etag, ..Record::default() })
                    .unwrap();
            }
            writer.finish().unwrap()
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("keys");
    group.throughput(Throughput::Elements(ROWS));
    let encoded: Vec<String> = keys.iter().map(|key| KeyCodec::Form.encode(key.as_bytes())).collect();
    group.bench_function("decode", |bencher| {
        bencher.iter(|| encoded.iter().map(|key| KeyCodec::Form.decode(key.as_bytes()).unwrap().len()).sum::<usize>());
    });
    group.bench_function("encode", |bencher| {
        bencher.iter(|| keys.iter().map(|key| KeyCodec::Form.encode(key.as_bytes()).len()).sum::<usize>());
    });
    group.finish();
}

fn report_rows(criterion: &mut Criterion) {
    let made = Made::new(Kind::Report, Size::of(ROWS, 1));
    let manifest = report::Manifest::parse(&made.read("manifest.json")).unwrap();
    let files: Vec<_> = manifest.results.iter().map(|file| (file, made.read(&file.key))).collect();
    let mut group = criterion.benchmark_group("report");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("rows", |bencher| {
        bencher.iter(|| {
            let mut letters = 0;
            for (file, bytes) in &files {
                let mut reader = ResultReader::of(file, KeyCodec::Form);
                let mut sink = |row: Result<report::Row<'_>, report::RowError<'_>>| letters += row.unwrap().key.len();
                reader.push(bytes, &mut sink).unwrap();
                reader.finish(&mut sink).unwrap();
            }
            letters
        });
    });
    group.finish();
}

struct Log<'a>(&'a Path);

impl LogReader for Log<'_> {
    fn read(&self, path: &str) -> Result<Bytes, ReadError> {
        fs::read(self.0.join(path)).map(Bytes::from).map_err(|error| ReadError::Failed(error.to_string()))
    }
}

fn replay(criterion: &mut Criterion) {
    let made = Made::new(Kind::Table, Size { commits: 150, ..Size::of(ROWS, 1) });
    let mut listing = Listing::new();
    for line in String::from_utf8(made.read(LISTING)).unwrap().lines() {
        let (key, size) = line.split_once('\t').unwrap();
        listing.push(key, size.parse().unwrap(), None);
    }
    let mut group = criterion.benchmark_group("delta");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("verdict", |bencher| {
        let log = Log(made.folder.path());
        // A listing that has been looked at is sorted.
        let verdict = |listing| levee_delta_log::verdict("table", &listing, &log, &Options::default()).unwrap();
        bencher.iter_batched(|| listing.clone(), verdict, BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(micro, inventory_rows, report_rows, replay);
criterion_main!(micro);
