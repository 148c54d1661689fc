//! Reads every data file of an inventory once: checks its size and MD5 and counts its rows.

use aws_sdk_s3::Client;
use futures::{StreamExt, TryStreamExt, stream};
use levee_formats::inventory::{Column, DataFile, DataReader, Manifest, Row, RowError, Schema};
use levee_stage::{
    StageError,
    aws::{error_code, http_status},
    aws_error,
};

use crate::pin::corrupt;

/// Data files that are read at the same time. Each takes the memory of one row and one piece of the network's stream.
const FILES_AT_A_TIME: usize = 4;
/// How often one data file is read before a broken connection is left to the stage's own retries, which read all anew.
const READS_OF_A_FILE: u32 = 3;
/// Above this, CopyObject and so a batch copy refuses an object. Documents say both 5 GB and 5 GiB; this is the lower one.
const COPY_LIMIT_BYTES: u64 = 5_000_000_000;
/// Bad rows that the cause names; all are counted.
const BAD_ROWS_NAMED: usize = 5;

/// What the rows of an inventory add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    pub(crate) too_large: u64,
    pub(crate) archived: u64,
    pub(crate) bad_rows: u64,
    first_bad_rows: Vec<String>,
}

impl Count {
    fn row(&mut self, row: Result<Row<'_>, RowError<'_>>) {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                self.bad_rows += 1;
                if self.first_bad_rows.len() < BAD_ROWS_NAMED {
                    self.first_bad_rows.push(error.to_string());
                }
                return;
            }
        };
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(row.size.unwrap_or(0));
        self.too_large += u64::from(row.size.is_some_and(|size| size > COPY_LIMIT_BYTES));
        self.archived += u64::from(is_archived(&row));
    }

    fn add(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.too_large += other.too_large;
        self.archived += other.archived;
        self.bad_rows += other.bad_rows;
        let room = BAD_ROWS_NAMED.saturating_sub(self.first_bad_rows.len());
        self.first_bad_rows.extend(other.first_bad_rows.into_iter().take(room));
    }
}

/// Whether the object must be restored before it can be copied.
fn is_archived(row: &Row<'_>) -> bool {
    let tier = row.text(&Column::IntelligentTieringAccessTier);
    matches!(row.storage_class.as_deref(), Some("GLACIER" | "DEEP_ARCHIVE"))
        || tier.is_some_and(|tier| {
            tier.to_ascii_uppercase().contains("ARCHIVE") && !tier.to_ascii_uppercase().contains("INSTANT")
        })
}

/// Reads the inventory's data files in the bucket that `owner` must own.
///
/// # Errors
/// A data file is missing, has another size or MD5, is not gzip, or has rows that cannot be read; AWS errors.
pub(crate) async fn count(s3: &Client, owner: &str, manifest: &Manifest) -> Result<Count, StageError> {
    let reader = FileSource {
        s3,
        owner,
        bucket: &manifest.destination_bucket,
        source: &manifest.source_bucket,
        schema: &manifest.schema,
    };
    let reads: Vec<_> = manifest.files.iter().map(|file| reader.read_with_patience(file)).collect();
    let total = stream::iter(reads)
        .buffered(FILES_AT_A_TIME)
        .try_fold(Count::default(), |mut total, file| async move {
            total.add(file);
            Ok(total)
        })
        .await?;
    if total.bad_rows > 0 {
        let problem = format!(
            "{} of its {} rows cannot be read, the first ones: {}",
            total.bad_rows,
            total.bad_rows + total.objects,
            total.first_bad_rows.join(" | ")
        );
        return Err(corrupt(
            &format!("of {} in s3://{}", manifest.source_bucket, manifest.destination_bucket),
            &problem,
        ));
    }
    Ok(total)
}

struct FileSource<'a> {
    s3: &'a Client,
    owner: &'a str,
    bucket: &'a str,
    source: &'a str,
    schema: &'a Schema,
}

impl FileSource<'_> {
    async fn read_with_patience(&self, file: &DataFile) -> Result<Count, StageError> {
        let mut read = 1;
        loop {
            match self.read(file).await {
                Err(error) if error.kind == levee_stage::ErrorKind::Transient && read < READS_OF_A_FILE => {
                    tracing::warn!(file = %file.key, cause = %error.cause, "reading the data file again");
                    read += 1;
                }
                result => return result,
            }
        }
    }

    async fn read(&self, file: &DataFile) -> Result<Count, StageError> {
        let place = format!("s3://{}/{}", self.bucket, file.key);
        let answer =
            self.s3.get_object().bucket(self.bucket).key(&file.key).expected_bucket_owner(self.owner).send().await;
        let mut body = match answer {
            Ok(answer) => answer.body,
            Err(error) if error_code(&error) == Some("NoSuchKey") || http_status(&error) == Some(404) => {
                return Err(corrupt(&place, "the manifest names this data file, but it does not exist"));
            }
            Err(error) => return Err(aws_error(&format!("GetObject {place}"), error)),
        };
        let broken = |problem: String| corrupt(&place, &problem);
        let mut reader =
            DataReader::new(&file.key, self.schema, self.source).map_err(|error| broken(error.to_string()))?;
        let mut count = Count::default();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| {
                let cause = format!("GetObject {place} broke off: {error}; it is tried again");
                StageError::transient(StageError::AWS_UNAVAILABLE, cause)
            })?;
            reader.push(&piece, &mut |row| count.row(row)).map_err(|error| broken(error.to_string()))?;
        }
        let totals = reader.finish(&mut |row| count.row(row)).map_err(|error| broken(error.to_string()))?;
        if totals.compressed_bytes != file.size {
            return Err(broken(format!("it has {} bytes, the manifest says {}", totals.compressed_bytes, file.size)));
        }
        if totals.md5 != file.md5 {
            return Err(broken(format!("its MD5 is {}, the manifest says {}", totals.md5, file.md5)));
        }
        Ok(count)
    }
}
