//! Requests and responses as HTTP: paths, query strings, the error document.

use super::{job::Job, status::JobStatus, validate, xml::Element};
use crate::{
    env::Ids,
    router::pairs,
    service::{Caller, ServiceError},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};

const ROOT: &str = "/v20180820/jobs";

/// The operations that are modelled.
pub(crate) const OPERATIONS: &[&str] = &[
    "CreateJob",
    "DeleteJobTagging",
    "DescribeJob",
    "GetJobTagging",
    "ListJobs",
    "PutJobTagging",
    "UpdateJobPriority",
    "UpdateJobStatus",
];

/// What is asked for; the id of the job, if any, stands beside it.
pub(crate) enum Operation {
    CreateJob,
    DescribeJob,
    ListJobs(ListQuery),
    UpdateJobPriority(i32),
    UpdateJobStatus(JobStatus, Option<String>),
    GetJobTagging,
    PutJobTagging,
    DeleteJobTagging,
}

/// The members of ListJobs.
pub(crate) struct ListQuery {
    statuses: Vec<JobStatus>,
    limit: usize,
    /// Only jobs with a lower number: the pages go from the newest to the oldest.
    before: Option<u64>,
}

impl Operation {
    /// The name in the API reference.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::CreateJob => "CreateJob",
            Self::DescribeJob => "DescribeJob",
            Self::ListJobs(_) => "ListJobs",
            Self::UpdateJobPriority(_) => "UpdateJobPriority",
            Self::UpdateJobStatus(..) => "UpdateJobStatus",
            Self::GetJobTagging => "GetJobTagging",
            Self::PutJobTagging => "PutJobTagging",
            Self::DeleteJobTagging => "DeleteJobTagging",
        }
    }
}

impl ListQuery {
    /// The page that is asked for, and the token of the next one.
    pub(crate) fn page(&self, jobs: Vec<Job>) -> (Vec<Job>, Option<String>) {
        let wanted = |job: &Job| {
            (self.statuses.is_empty() || self.statuses.contains(&job.status))
                && self.before.is_none_or(|before| job.number < before)
        };
        let mut rest = jobs.into_iter().filter(wanted);
        let page: Vec<Job> = rest.by_ref().take(self.limit).collect();
        let more = rest.next().is_some();
        let next = page.last().filter(|_| more).map(|job| format!("{:016x}", job.number));
        (page, next)
    }
}

/// The operation of a request and the id of the job that it names.
///
/// # Errors
/// A path that S3 Control has and the twin does not, or a bad member in the query string.
pub(crate) fn operation(request: &Request<Bytes>) -> Result<(Operation, String), ServiceError> {
    let path = request.uri().path();
    let query = pairs(request.uri().query().unwrap_or_default());
    let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let unknown = || ServiceError::not_modelled(format!("{} {path} of S3 Control", request.method()));
    let rest = path.strip_prefix(ROOT).ok_or_else(unknown)?;
    let mut parts = rest.trim_matches('/').splitn(2, '/');
    let (id, what) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let operation = match (request.method(), id, what) {
        (&Method::POST, "", "") => Operation::CreateJob,
        (&Method::GET, "", "") => Operation::ListJobs(list_query(&query)?),
        (&Method::GET, _, "") => Operation::DescribeJob,
        (&Method::POST, _, "priority") => {
            Operation::UpdateJobPriority(validate::priority(value("priority").unwrap_or_default())?)
        }
        (&Method::POST, _, "status") => {
            let status = match value("requestedJobStatus") {
                Some("Ready") => JobStatus::Ready,
                Some("Cancelled") => JobStatus::Cancelled,
                other => return Err(bad(format!("requestedJobStatus must be Ready or Cancelled, not {other:?}"))),
            };
            let reason = value("statusUpdateReason").map(str::to_owned);
            if reason.as_ref().is_some_and(|text| text.is_empty() || text.chars().count() > 256) {
                return Err(bad("statusUpdateReason must have 1 to 256 characters"));
            }
            Operation::UpdateJobStatus(status, reason)
        }
        (&Method::GET, _, "tagging") => Operation::GetJobTagging,
        (&Method::PUT, _, "tagging") => Operation::PutJobTagging,
        (&Method::DELETE, _, "tagging") => Operation::DeleteJobTagging,
        _ => return Err(unknown()),
    };
    Ok((operation, id.to_owned()))
}

fn list_query(query: &[(String, String)]) -> Result<ListQuery, ServiceError> {
    let invalid = |message: String| ServiceError::client("InvalidRequestException", message);
    let mut list = ListQuery { statuses: Vec::new(), limit: 1000, before: None };
    for (name, value) in query {
        match name.as_str() {
            "jobStatuses" => list
                .statuses
                .push(JobStatus::parse(value).ok_or_else(|| invalid(format!("unknown job status {value:?}")))?),
            // 0 is legal and means the service's own page size.
            "maxResults" => match value.parse::<usize>() {
                Ok(0) => {}
                Ok(limit) if limit <= 1000 => list.limit = limit,
                _ => return Err(invalid(format!("maxResults must be 0 to 1000, not {value:?}"))),
            },
            "nextToken" => {
                let token = u64::from_str_radix(value, 16).map_err(|_| {
                    ServiceError::client("InvalidNextTokenException", "the token is not one of ListJobs")
                })?;
                list.before = Some(token);
            }
            _ => {}
        }
    }
    Ok(list)
}

/// Checks that the request is for the caller's own account: by `x-amz-account-id`, or by the account before the host.
///
/// # Errors
/// `AccessDenied` for another account, `BadRequestException` when no account is named.
pub(crate) fn check_account(caller: &Caller, request: &Request<Bytes>) -> Result<(), ServiceError> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = header("host").or_else(|| request.uri().host()).unwrap_or_default();
    let prefix = host.split('.').next().filter(|label| label.len() == 12 && label.bytes().all(|b| b.is_ascii_digit()));
    match header("x-amz-account-id").or(prefix) {
        Some(account) if account == caller.account => Ok(()),
        Some(account) => Err(ServiceError {
            code: "AccessDenied".into(),
            message: format!("{} has no access to jobs of account {account}", caller.principal_arn()),
            status: 403,
        }),
        None => Err(bad("the request names no account: x-amz-account-id is missing")),
    }
}

/// The HTTP response for a result.
pub(crate) fn response(result: &Result<Element, ServiceError>, ids: &Ids) -> Response<Bytes> {
    let request_id = ids.hex(16).to_uppercase();
    let (status, document) = match result {
        Ok(element) => (StatusCode::OK, element.document()),
        Err(error) => {
            let detail = Element::new("Error")
                .with(Element::leaf("Code", &error.code))
                .with(Element::leaf("Message", &error.message));
            let document = Element::new("ErrorResponse").with(detail).with(Element::leaf("RequestId", &request_id));
            (StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST), document.document())
        }
    };
    let mut response = Response::new(Bytes::from(document));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-amz-request-id", value);
    }
    response
}

fn bad(message: impl Into<String>) -> ServiceError {
    ServiceError::client("BadRequestException", message)
}
