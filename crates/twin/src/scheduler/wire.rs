//! Requests and responses as HTTP: method and path name the operation, the rest is members.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::{
    events::input,
    router,
    service::{Caller, ServiceError},
};

/// The operations, as the API reference names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateSchedule,
    UpdateSchedule,
    GetSchedule,
    DeleteSchedule,
    ListSchedules,
    CreateScheduleGroup,
    GetScheduleGroup,
    DeleteScheduleGroup,
    ListScheduleGroups,
    TagResource,
    UntagResource,
    ListTagsForResource,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) operation: Operation,
    /// The name or ARN in the path; empty for lists.
    pub(super) name: String,
    pub(super) body: Value,
    query: Vec<(String, String)>,
}

impl Asked {
    /// # Errors
    /// `NotImplemented` for a path that is not the Scheduler's, `SerializationException` for a body that is not JSON.
    pub(super) fn read(request: &Request<Bytes>) -> Result<Self, ServiceError> {
        let (method, path) = (request.method(), request.uri().path());
        let (kind, name) = path.trim_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
        let unknown = || ServiceError::not_modelled(format_args!("{method} {path} of EventBridge Scheduler"));
        let operation = match (kind, method, name.is_empty()) {
            ("schedules", &Method::POST, false) => Operation::CreateSchedule,
            ("schedules", &Method::PUT, false) => Operation::UpdateSchedule,
            ("schedules", &Method::GET, false) => Operation::GetSchedule,
            ("schedules", &Method::DELETE, false) => Operation::DeleteSchedule,
            ("schedules", &Method::GET, true) => Operation::ListSchedules,
            ("schedule-groups", &Method::POST, false) => Operation::CreateScheduleGroup,
            ("schedule-groups", &Method::GET, false) => Operation::GetScheduleGroup,
            ("schedule-groups", &Method::DELETE, false) => Operation::DeleteScheduleGroup,
            ("schedule-groups", &Method::GET, true) => Operation::ListScheduleGroups,
            ("tags", &Method::POST, false) => Operation::TagResource,
            ("tags", &Method::DELETE, false) => Operation::UntagResource,
            ("tags", &Method::GET, false) => Operation::ListTagsForResource,
            _ => return Err(unknown()),
        };
        Ok(Self {
            operation,
            name: percent_decode_str(name).decode_utf8_lossy().into_owned(),
            body: router::json_body(request.body())?,
            query: router::pairs(request.uri().query().unwrap_or_default()),
        })
    }

    /// A member of the query string.
    pub(super) fn query(&self, member: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == member).map(|(_, value)| value.as_str())
    }

    /// All values of a member of the query string.
    pub(super) fn queries<'a>(&'a self, member: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(name, _)| name == member).map(|(_, value)| value.as_str())
    }

    /// The client token, in the body or in the query string.
    pub(super) fn token(&self) -> Result<Option<&str>, ServiceError> {
        let token = input::optional_text(&self.body, "ClientToken")?.or_else(|| self.query("clientToken"));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        match token {
            Some(text) if text.is_empty() || text.len() > 64 || !plain(text) => {
                Err(input::invalid("ClientToken must have 1 to 64 letters, digits, '-', '_'"))
            }
            token => Ok(token),
        }
    }

    /// The group of the schedule that is named.
    pub(super) fn group(&self) -> Result<&str, ServiceError> {
        let group = input::optional_text(&self.body, "GroupName")?.or_else(|| self.query("groupName"));
        Ok(group.unwrap_or("default"))
    }

    /// What the gate's record names.
    pub(super) fn resource(&self, caller: &Caller) -> String {
        let arn =
            |kind: &str, name: &str| format!("arn:aws:scheduler:{}:{}:{kind}/{name}", caller.region, caller.account);
        match self.operation {
            Operation::CreateSchedule
            | Operation::UpdateSchedule
            | Operation::GetSchedule
            | Operation::DeleteSchedule => {
                arn("schedule", &format!("{}/{}", self.group().unwrap_or_default(), self.name))
            }
            Operation::CreateScheduleGroup | Operation::GetScheduleGroup | Operation::DeleteScheduleGroup => {
                arn("schedule-group", &self.name)
            }
            _ => self.name.clone(),
        }
    }

    /// One page of `items`, as `MaxResults` and `NextToken` ask for it, under the member `name`.
    pub(super) fn page(&self, name: &str, items: Vec<Value>) -> Result<Value, ServiceError> {
        let wrong = || input::invalid("MaxResults must be between 1 and 100");
        let size = match self.query("MaxResults") {
            None => 100,
            Some(text) => text.parse().ok().filter(|size| (1..=100).contains(size)).ok_or_else(wrong)?,
        };
        let from = match self.query("NextToken") {
            None => 0,
            Some(token) => token
                .strip_prefix("page-")
                .and_then(|from| from.parse::<usize>().ok())
                .ok_or_else(|| input::invalid(format!("NextToken {token} is not one of a list")))?,
        };
        let end = from.saturating_add(size);
        let more = items.len() > end;
        let page: Vec<Value> = items.into_iter().skip(from).take(size).collect();
        let mut answer = Map::from_iter([(name.to_owned(), Value::from(page))]);
        if more {
            answer.insert("NextToken".to_owned(), json!(format!("page-{end}")));
        }
        Ok(Value::Object(answer))
    }
}

/// Every operation.
pub(super) const OPERATIONS: [Operation; 12] = [
    Operation::CreateSchedule,
    Operation::UpdateSchedule,
    Operation::GetSchedule,
    Operation::DeleteSchedule,
    Operation::ListSchedules,
    Operation::CreateScheduleGroup,
    Operation::GetScheduleGroup,
    Operation::DeleteScheduleGroup,
    Operation::ListScheduleGroups,
    Operation::TagResource,
    Operation::UntagResource,
    Operation::ListTagsForResource,
];

impl Operation {
    /// The name in the API reference.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CreateSchedule => "CreateSchedule",
            Self::UpdateSchedule => "UpdateSchedule",
            Self::GetSchedule => "GetSchedule",
            Self::DeleteSchedule => "DeleteSchedule",
            Self::ListSchedules => "ListSchedules",
            Self::CreateScheduleGroup => "CreateScheduleGroup",
            Self::GetScheduleGroup => "GetScheduleGroup",
            Self::DeleteScheduleGroup => "DeleteScheduleGroup",
            Self::ListScheduleGroups => "ListScheduleGroups",
            Self::TagResource => "TagResource",
            Self::UntagResource => "UntagResource",
            Self::ListTagsForResource => "ListTagsForResource",
        }
    }
}

/// The answer in the service's form.
pub(super) fn response(answer: Result<Value, ServiceError>) -> Response<Bytes> {
    let (status, body, code) = match answer {
        Ok(body) => (200, body, None),
        Err(error) => (error.status, json!({"Message": error.message}), Some(error.code)),
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(Ok(code)) = code.map(|code| HeaderValue::from_str(&code)) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}
