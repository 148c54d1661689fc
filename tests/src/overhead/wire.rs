//! The way of the workers' calls: it takes some time on the twin's clock, as a network and a service do, and tells the log
//! what the calls say of messages.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use levee_twin::Connector;
use serde_json::Value;

use super::{Answer, MessageLog};

/// An HTTP client for the SDK on a connector of the twin. Cheap to clone.
#[derive(Clone)]
pub struct Wire {
    connector: Connector,
    log: MessageLog,
    call: Duration,
    chance: Arc<Mutex<fastrand::Rng>>,
}

/// What a call says of the message of a task.
enum Said {
    Beat(String),
    Answer(String, Answer),
}

impl Wire {
    /// Calls that take between half of `call` and one and a half of it, half of that on either way.
    #[must_use]
    pub fn new(connector: Connector, log: MessageLog, call: Duration) -> Self {
        Self { connector, log, call, chance: Arc::new(Mutex::new(fastrand::Rng::with_seed(1))) }
    }

    async fn way(&self) {
        if !self.call.is_zero() {
            let share = self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64();
            tokio::time::sleep(self.call.mul_f64((0.5 + share) / 2.0)).await;
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            let said = said(&request);
            if let Some(Said::Answer(token, answer)) = &said {
                wire.log.answer(token, *answer);
            }
            wire.way().await;
            let answer = wire.connector.call(request).await;
            wire.way().await;
            let taken = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
            if let Some(Said::Beat(token)) = &said
                && taken
            {
                wire.log.beat(token);
            }
            answer
        })
    }
}

fn said(request: &HttpRequest) -> Option<Said> {
    let operation = request.headers().get("x-amz-target")?.rsplit('.').next()?;
    if !matches!(operation, "SendTaskHeartbeat" | "SendTaskSuccess" | "SendTaskFailure" | "SendMessage") {
        return None;
    }
    let body: Value = serde_json::from_slice(request.body().bytes()?).ok()?;
    let token = || body.get("taskToken")?.as_str().map(str::to_owned);
    match operation {
        "SendTaskHeartbeat" => token().map(Said::Beat),
        "SendTaskSuccess" => token().map(|token| Said::Answer(token, Answer::Done)),
        "SendTaskFailure" => token().map(|token| Said::Answer(token, Answer::Failed)),
        _ => {
            let message = levee_stage::Message::parse(body.get("MessageBody")?.as_str()?).ok()?;
            Some(Said::Answer(message.task_token, Answer::NotYet))
        }
    }
}
