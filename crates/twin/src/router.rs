//! Which service a request is for, who makes it, and the wire forms that the JSON services share.

mod answer;
mod identify;
mod query;
mod scope;
mod sts;

use std::sync::{Arc, OnceLock};

pub(crate) use self::{
    answer::{json_body, rest_error},
    query::pairs,
    sts::{OPERATIONS as STS_OPERATIONS, Sts},
};
use self::{
    identify::{Protocol, Target},
    scope::{Scope, caller},
};
use crate::{
    env::{Call, Gate, Ids},
    page::Page,
    service::{Caller, HttpService, JsonService, ServiceError},
    sns::Sns,
    sqs::Sqs,
};
use bytes::Bytes;
use http::{Request, Response};

/// Hands each request to the service that it is for. Both ways into the twin end here.
pub struct Router {
    default_account: String,
    region: String,
    ids: Ids,
    services: OnceLock<Services>,
}

/// The services behind the router. What is absent is answered with `NotImplemented`.
#[derive(Default)]
pub(crate) struct Services {
    pub(crate) gate: Option<Arc<dyn Gate>>,
    pub(crate) page: Option<Page>,
    pub(crate) sqs: Option<Arc<Sqs>>,
    pub(crate) states: Option<Arc<dyn JsonService>>,
    pub(crate) events: Option<Arc<dyn JsonService>>,
    pub(crate) kms: Option<Arc<dyn JsonService>>,
    pub(crate) sns: Option<Arc<Sns>>,
    pub(crate) sts: Option<Arc<dyn JsonService>>,
    pub(crate) s3: Option<Arc<dyn HttpService>>,
    pub(crate) s3control: Option<Arc<dyn HttpService>>,
    pub(crate) scheduler: Option<Arc<dyn HttpService>>,
}

impl Router {
    pub(crate) fn new(default_account: String, region: String, ids: Ids) -> Self {
        Self { default_account, region, ids, services: OnceLock::new() }
    }

    /// Puts the services in; they come after the router because some of them call others through it. Only the first call
    /// has an effect.
    pub(crate) fn plug(&self, services: Services) {
        let _ = self.services.set(services);
    }

    /// Answers one request. Every failure is an answer in the form of the service that was meant.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let scope = Scope::of(&request);
        let own = scope.is_none() && !identify::is_virtual_hosted(&request);
        if let Some(response) = self.page().filter(|_| own).and_then(|page| page.answer(&request)) {
            return response;
        }
        let caller = caller(&request, scope.as_ref(), &self.default_account, &self.region);
        let request_id = self.ids.uuid();
        let target = Target::of(&request, scope.as_ref());
        tracing::trace!(?target, %caller.account, "call");
        match self.dispatch(&target, &caller, request, &request_id).await {
            Ok(mut response) => {
                answer::stamp(&mut response, &request_id);
                response
            }
            Err(error) => answer::error(&target, &error, &request_id),
        }
    }

    fn page(&self) -> Option<&Page> {
        self.services.get()?.page.as_ref()
    }

    /// Notes a call that no service gets to see; the error it is answered with.
    fn refuse(&self, target: &Target, caller: &Caller, error: ServiceError) -> ServiceError {
        if let Some(gate) = self.services.get().and_then(|services| services.gate.as_ref()) {
            let (service, operation) = (target.service.as_str(), target.operation.as_str());
            gate.refused(
                &Call { service, operation, caller, resource: "", needs: &[], facts: &[] },
                &error.code,
                error.status,
            );
        }
        error
    }

    async fn dispatch(
        &self,
        target: &Target,
        caller: &Caller,
        request: Request<Bytes>,
        request_id: &str,
    ) -> Result<Response<Bytes>, ServiceError> {
        let refuse = |error| self.refuse(target, caller, error);
        let absent = || refuse(ServiceError::not_modelled(format_args!("the service {}", target.service)));
        let services = self.services.get().ok_or_else(absent)?;
        match (target.service.as_str(), target.protocol) {
            ("s3", _) => {
                let s3 = services.s3.as_ref().ok_or_else(absent)?;
                Ok(s3.handle(caller, identify::to_path_style(request)).await)
            }
            ("s3control", _) => Ok(services.s3control.as_ref().ok_or_else(absent)?.handle(caller, request).await),
            ("scheduler", _) => Ok(services.scheduler.as_ref().ok_or_else(absent)?.handle(caller, request).await),
            ("sqs", Protocol::Json) => {
                let sqs = services.sqs.as_ref().ok_or_else(absent)?;
                let endpoint = identify::endpoint(&request);
                let body = answer::json_body(request.body()).map_err(refuse)?;
                let result = sqs.call_at(&endpoint, caller, &target.operation, body).await?;
                Ok(answer::json(target, &result))
            }
            ("sns", Protocol::Query) => {
                let sns = services.sns.as_ref().ok_or_else(absent)?;
                let endpoint = identify::endpoint(&request);
                // The links in messages are plain GETs.
                let get = request.method() == http::Method::GET;
                let form = if get { request.uri().query().unwrap_or_default().as_bytes() } else { request.body() };
                let result = sns.call_at(&endpoint, caller, &target.operation, &query::form(form).map_err(refuse)?)?;
                Ok(answer::xml(query::document(&target.service, &target.operation, &result, request_id)))
            }
            (service, protocol) => {
                let service = match service {
                    "states" => services.states.as_ref(),
                    "events" => services.events.as_ref(),
                    "kms" => services.kms.as_ref(),
                    "sts" => services.sts.as_ref(),
                    _ => None,
                };
                let service = service.ok_or_else(absent)?;
                if protocol != Protocol::Query {
                    let body = answer::json_body(request.body()).map_err(refuse)?;
                    return Ok(answer::json(target, &service.call(caller, &target.operation, body).await?));
                }
                let body = query::form(request.body()).map_err(refuse)?;
                let result = service.call(caller, &target.operation, body).await?;
                Ok(answer::xml(query::document(&target.service, &target.operation, &result, request_id)))
            }
        }
    }
}
