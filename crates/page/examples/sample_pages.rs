//! Writes pages of four made-up runs into a folder: a good one, a degraded one, one with 5,000 tables, and a first one without
//! tables or trend. The only argument is the folder.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the samples are those of the tests")]

#[path = "../tests/page/samples.rs"]
mod samples;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context("the argument is a folder")?);
    fs::create_dir_all(&folder)?;
    let pages = [
        ("good", samples::good()),
        ("degraded", samples::degraded()),
        ("many", samples::many()),
        ("first", samples::first()),
    ];
    for (name, sample) in pages {
        let (path, html) = (folder.join(format!("{name}.html")), sample.page());
        fs::write(&path, &html).with_context(|| path.display().to_string())?;
        println!("{}: {} tables, {} bytes", path.display(), sample.tables.len(), html.len());
    }
    Ok(())
}
