//! Looks whether objects that a report says are gone are gone.

use aws_sdk_s3::{Client, operation::head_object::builders::HeadObjectFluentBuilder};
use futures::{StreamExt, TryStreamExt, stream};
use levee_ledger::{ArtefactWriter, JsonLines, Ledger};
use levee_stage::{StageError, aws::http_status, aws_error};
use serde::{Deserialize, Serialize};

use crate::{
    failures::JSON_LINES,
    row::{FailedRow, Head},
};

/// HEADs that are under way at once: enough to look for ten thousand objects in a minute, and far below what S3 takes from one
/// prefix.
const AT_ONCE: usize = 16;

/// The source bucket.
pub(crate) struct Source<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) with_versions: bool,
}

/// What was found of one object: a line of the list of looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Looked {
    key: String,
    head: Head,
}

impl Source<'_> {
    /// Looks for those of the rows that are said to be gone; the answers are in the rows' order.
    ///
    /// # Errors
    /// A HEAD was answered in another way than with 200, 403 or 404.
    async fn look(&self, rows: &[FailedRow]) -> Result<Vec<Looked>, StageError> {
        let gone = rows.iter().filter(|row| row.said_to_be_gone());
        let calls: Vec<_> = gone.map(|row| (row.key.clone(), self.head(row))).collect();
        stream::iter(calls).map(|(key, call)| looked(key, call)).buffered(AT_ONCE).try_collect().await
    }

    fn head(&self, row: &FailedRow) -> HeadObjectFluentBuilder {
        let version = row.version_id.clone().filter(|_| self.with_versions);
        let call = self.s3.head_object().bucket(self.bucket).key(&row.key).set_version_id(version);
        call.expected_bucket_owner(self.owner)
    }

    /// Makes sure that the bucket is there: in one that is gone every object seems to be.
    async fn check(&self) -> Result<(), StageError> {
        let call = self.s3.head_bucket().bucket(self.bucket).expected_bucket_owner(self.owner);
        call.send().await.map_err(|error| aws_error(&format!("HeadBucket s3://{}", self.bucket), error))?;
        Ok(())
    }
}

async fn looked(key: String, call: HeadObjectFluentBuilder) -> Result<Looked, StageError> {
    let bucket = call.get_bucket().clone().unwrap_or_default();
    let head = match call.send().await {
        Ok(_) => Head::There,
        // Answers to HEAD have no body, so there is no code to go by (HeadObject of the S3 API Reference: 404 with
        // s3:ListBucket, 403 without).
        Err(error) if http_status(&error) == Some(404) => Head::Gone,
        Err(error) if http_status(&error) == Some(403) => Head::Denied,
        Err(error) => return Err(aws_error(&format!("HeadObject s3://{bucket}/{key}"), error)),
    };
    Ok(Looked { key, head })
}

/// Writes the list of looks of an attempt, once. Objects come and go: whoever does the stage again goes by what was found
/// first, so that it comes to the same rows.
pub(crate) struct Looks<'a> {
    ledger: &'a Ledger,
    source: Source<'a>,
    key: String,
    state: State,
    gone: u64,
}

enum State {
    /// No row was said to be gone so far.
    Idle,
    /// Somebody has looked before: what was found then, in step with the rows of the report.
    Known(Box<JsonLines>),
    Writing(ArtefactWriter),
}

/// How the list of looks has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// What was found is written down, or there was nothing to look for.
    Written,
    /// Somebody else has written the list meanwhile, and what they found counts: the report has to be gone through again.
    Overtaken,
}

impl<'a> Looks<'a> {
    /// Looks at `source`, with the list at `key`.
    pub(crate) fn new(ledger: &'a Ledger, source: Source<'a>, key: String) -> Self {
        Self { ledger, source, key, state: State::Idle, gone: 0 }
    }

    /// The rows, those that are said to be gone with what was found of their objects; or why the list of looks is not about
    /// them.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn settle(&mut self, rows: Vec<FailedRow>) -> Result<Result<Vec<FailedRow>, String>, StageError> {
        if !rows.iter().any(FailedRow::said_to_be_gone) {
            return Ok(Ok(rows));
        }
        if matches!(self.state, State::Idle) {
            self.state = match self.ledger.json_lines(&self.key).await? {
                Some(lines) => State::Known(Box::new(lines)),
                None => State::Writing(self.ledger.artefact(self.key.clone(), JSON_LINES)),
            };
        }
        let mut looked = match &mut self.state {
            State::Idle => Vec::new(),
            State::Known(lines) => {
                let mut known = Vec::new();
                for _ in rows.iter().filter(|row| row.said_to_be_gone()) {
                    known.extend(lines.next::<Looked>().await?);
                }
                known
            }
            State::Writing(list) => {
                let looked = self.source.look(&rows).await?;
                for looked in &looked {
                    self.gone += u64::from(looked.head == Head::Gone);
                    list.write(&line(looked)?).await?;
                }
                looked
            }
        }
        .into_iter();
        let mut settle = |row: FailedRow| match row.said_to_be_gone().then(|| looked.next()) {
            None => Ok(row),
            Some(Some(looked)) if looked.key == row.key => Ok(row.looked_for(looked.head)),
            Some(_) => Err(format!("it is another report than the one whose vanished objects are in {}", self.key)),
        };
        Ok(rows.into_iter().map(&mut settle).collect())
    }

    /// Makes the list appear.
    ///
    /// # Errors
    /// The source bucket is gone; AWS errors.
    pub(crate) async fn finish(self) -> Result<Ended, StageError> {
        let State::Writing(list) = self.state else { return Ok(Ended::Written) };
        if self.gone > 0
            && let Err(error) = self.source.check().await
        {
            crate::failures::give_up(list).await;
            return Err(error);
        }
        Ok(if list.finish().await?.created { Ended::Written } else { Ended::Overtaken })
    }

    /// Leaves nothing behind.
    pub(crate) async fn abort(self) {
        if let State::Writing(list) = self.state {
            crate::failures::give_up(list).await;
        }
    }
}

/// One line of a list.
pub(crate) fn line(value: &impl Serialize) -> Result<Vec<u8>, StageError> {
    let mut line = serde_json::to_vec(value)
        .map_err(|error| StageError::permanent(StageError::OUTPUT_INVALID, format!("a row is no JSON: {error}")))?;
    line.push(b'\n');
    Ok(line)
}
