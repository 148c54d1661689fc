//! Calls of S3 with a bound on how many run at once, tried again while they fail in passing.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    config::{Builder, Config, http::HttpResponse, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
};
use levee_stage::{ErrorKind, RetrySettings, StageError};
use tokio::sync::Semaphore;

use crate::trouble::Refusal;

/// How long a call that moves bytes inside of S3 may take to answer: S3 copies a part of 5 GiB, or puts 10,000 parts together,
/// before it does ("CompleteMultipartUpload" in the S3 API Reference: it can take several minutes).
const SLOW_ANSWER: Duration = Duration::from_secs(15 * 60);

/// The calls of one copier.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) s3: Client,
    /// The pool that all of its objects share.
    pool: Semaphore,
    pub(crate) at_a_time: usize,
    retry: RetrySettings,
}

impl Calls {
    /// Calls by `s3`, `at_a_time` of them that copy.
    pub(crate) fn new(s3: Client, at_a_time: usize) -> Self {
        let retry = RetrySettings {
            times: 8,
            max_delay: Duration::from_secs(60),
            total_delay: Duration::from_secs(600),
            ..RetrySettings::default()
        };
        Self { s3, pool: Semaphore::new(at_a_time), at_a_time, retry }
    }

    /// Makes a call.
    ///
    /// # Errors
    /// The last refusal.
    pub(crate) async fn make<T, E, Fut>(&self, operation: &'static str, call: impl Fn() -> Fut) -> Result<T, Refusal>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let once = || async { call().await.map_err(|error| Refusal::of(operation, &error)) };
        self.retry.run(operation, once, |refusal: &Refusal| refusal.transient).await
    }

    /// Makes a call in the pool; it waits for its turn with each try.
    ///
    /// # Errors
    /// The last refusal.
    pub(crate) async fn make_in_turn<T, E, Fut>(
        &self,
        operation: &'static str,
        call: impl Fn() -> Fut,
    ) -> Result<T, Refusal>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let in_turn = || async {
            // The pool is never closed.
            let _turn = self.pool.acquire().await;
            call().await
        };
        self.make(operation, in_turn).await
    }

    /// Does something in the ledger.
    ///
    /// # Errors
    /// The last error.
    pub(crate) async fn record<T, Fut>(&self, action: impl Fn() -> Fut) -> Result<T, StageError>
    where
        Fut: Future<Output = Result<T, StageError>>,
    {
        self.retry.run("the ledger", action, |error: &StageError| error.kind == ErrorKind::Transient).await
    }

    /// The configuration of calls that answer late.
    pub(crate) fn patient(&self) -> Builder {
        let known = self.s3.config().timeout_config().map(TimeoutConfig::to_builder).unwrap_or_default();
        Config::builder().timeout_config(known.read_timeout(SLOW_ANSWER).build())
    }
}
