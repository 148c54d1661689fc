//! What every service of the twin shares: time, identifiers, and the gate that each call passes.

use std::sync::{Arc, Mutex, PoisonError};

use levee_clock::Clock;
use rand::{Rng, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};

use crate::{
    facts::Fact,
    gate::Admission,
    needs::Need,
    service::{Caller, ServiceError},
};

/// The surroundings of a service. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// The twin's clock.
    pub clock: Clock,
    /// Identifiers and other chance, all from the twin's seed.
    pub ids: Ids,
    /// The gate that each call passes before it has any effect.
    pub gate: Arc<dyn Gate>,
}

/// One call, as the gate sees it.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The service's signing name: `s3`, `sqs`, `states`, `events`, `scheduler`, `sns`, `kms`, `s3control`.
    pub service: &'a str,
    /// The operation, for example `PutObject`.
    pub operation: &'a str,
    /// Who calls.
    pub caller: &'a Caller,
    /// The ARN, URL or name of what is acted on; empty where the call names nothing.
    pub resource: &'a str,
    /// What a policy must allow for it.
    pub needs: &'a [Need],
    /// What its conditions are told.
    pub facts: &'a [Fact],
}

/// Records calls and answers some of them with a planned fault.
pub trait Gate: Send + Sync {
    /// Called once for each call before it has any effect; [`Gate::conclude`] follows when its answer is known.
    ///
    /// # Errors
    /// A planned fault: the call has no effect and is answered with the error, which the gate has noted.
    fn admit(&self, call: &Call<'_>) -> Result<Admission, ServiceError>;

    /// Notes something more that an admitted call needs, which showed only on its way.
    fn need(&self, admission: &Admission, need: Need);

    /// Notes what the caller got: nothing for success, or the code and the HTTP status of an error.
    fn conclude(&self, admission: Admission, error: Option<(&str, u16)>);

    /// Notes a call that was refused before it could be admitted, because it was not understood.
    fn refused(&self, call: &Call<'_>, code: &str, status: u16);

    /// Told by a service whenever it lets a rule of the plan of faults strike: the list that the rule is in and its place
    /// there, from 0.
    fn struck(&self, _list: &'static str, _rule: usize) {}
}

/// A gate that lets everything through and remembers nothing.
pub struct OpenGate;

impl Gate for OpenGate {
    fn admit(&self, _call: &Call<'_>) -> Result<Admission, ServiceError> {
        Ok(Admission::UNRECORDED)
    }

    fn need(&self, _admission: &Admission, _need: Need) {}

    fn conclude(&self, _admission: Admission, _error: Option<(&str, u16)>) {}

    fn refused(&self, _call: &Call<'_>, _code: &str, _status: u16) {}
}

impl Env {
    /// Passes a call through the gate, does its work and notes what came of it. Calls that the twin's services make of each
    /// other come this way too.
    pub(crate) async fn pass<T>(
        &self,
        call: &Call<'_>,
        work: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        let admission = self.gate.admit(call)?;
        let result = work.await;
        self.gate.conclude(admission, result.as_ref().err().map(ServiceError::noted));
        result
    }

    /// Like [`Env::pass`], for work that waits for nothing.
    pub(crate) fn pass_now<T>(
        &self,
        call: &Call<'_>,
        work: impl FnOnce() -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let admission = self.gate.admit(call)?;
        let result = work();
        self.gate.conclude(admission, result.as_ref().err().map(ServiceError::noted));
        result
    }
}

/// Identifiers drawn from a seed: the same seed and the same order of calls give the same identifiers.
#[derive(Clone)]
pub struct Ids {
    seed: u64,
    rng: Arc<Mutex<StdRng>>,
}

impl Ids {
    /// A source of identifiers from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, rng: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))) }
    }

    /// A number from 0 up to 1 that depends on the seed and on `what` alone: no other draw changes it, so that it does not
    /// matter what else goes on at the same time.
    #[must_use]
    pub fn share(&self, what: &str) -> f64 {
        let digest = Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(what).finalize();
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        // 53 bits are exact in a double.
        (number >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `length` lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self, length: usize) -> String {
        self.pick(b"0123456789abcdef", length)
    }

    /// `length` letters and digits.
    #[must_use]
    pub fn alphanumeric(&self, length: usize) -> String {
        self.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length)
    }

    /// A UUID of version 4.
    #[must_use]
    pub fn uuid(&self) -> String {
        let (a, b, c, d) = (self.hex(8), self.hex(4), self.hex(3), self.hex(3));
        format!("{a}-{b}-4{c}-{}{d}-{}", self.pick(b"89ab", 1), self.hex(12))
    }

    /// A number below `bound`; 0 for a bound of 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        if bound == 0 { 0 } else { rng.random_range(0..bound) }
    }

    /// True with this probability (0 to 1).
    #[must_use]
    pub fn chance(&self, probability: f64) -> bool {
        // A draw of 53 bits is exact in a double.
        #[allow(clippy::cast_precision_loss)]
        let draw = self.below(1 << 53) as f64;
        draw < probability * 9_007_199_254_740_992.0
    }

    fn pick(&self, alphabet: &[u8], length: usize) -> String {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        (0..length)
            .filter_map(|_| alphabet.get(rng.random_range(0..alphabet.len())))
            .map(|byte| char::from(*byte))
            .collect()
    }
}
