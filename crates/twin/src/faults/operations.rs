//! The names of services and operations that a rule can be about: what the twin models, by signing name.

use crate::{events, kms, router, s3, s3control, scheduler, sfn, sns, sqs};

/// What is unknown, and the reason for people.
pub(super) enum Unknown {
    Service(String),
    Operation(String),
}

/// Why a rule about this service and this operation can strike nothing.
pub(super) fn unknown(service: Option<&str>, operation: Option<&str>) -> Option<Unknown> {
    let all = services();
    if let Some(service) = service
        && !all.iter().any(|(known, _)| *known == service)
    {
        let names: Vec<_> = all.iter().map(|(known, _)| *known).collect();
        return Some(Unknown::Service(format!("the twin has no service {service:?}; it has {}", names.join(", "))));
    }
    let operation = operation?;
    let meant = all.into_iter().filter(|(name, _)| service.is_none_or(|wanted| wanted == *name));
    let known: Vec<&str> = meant.flat_map(|(_, operations)| operations).collect();
    if known.contains(&operation) {
        return None;
    }
    let whose = service.unwrap_or("any service of the twin");
    let like = closest(&known, operation).map_or_else(String::new, |like| format!("; did you mean {like}?"));
    Some(Unknown::Operation(format!("{operation:?} is not an operation of {whose}{like}")))
}

/// Every service of the twin with its operations.
fn services() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("events", events::OPERATIONS.to_vec()),
        ("kms", kms::OPERATIONS.to_vec()),
        ("s3", s3::operation_names()),
        ("s3control", s3control::OPERATIONS.to_vec()),
        ("scheduler", scheduler::operation_names()),
        ("sns", sns::OPERATIONS.to_vec()),
        ("sqs", sqs::OPERATIONS.to_vec()),
        ("states", sfn::OPERATIONS.to_vec()),
        ("sts", router::STS_OPERATIONS.to_vec()),
    ]
}

/// The name with the longest common beginning, whatever the case.
fn closest<'a>(names: &[&'a str], operation: &str) -> Option<&'a str> {
    let common =
        |name: &str| name.chars().zip(operation.chars()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let best = names.iter().copied().max_by_key(|name| (common(name), std::cmp::Reverse(name.len())))?;
    (common(best) >= 4).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names before `=>` in the place that tells the operations of a service apart.
    fn dispatched(source: &str) -> Vec<&str> {
        let mut names: Vec<&str> = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" =>"))
            .map(|(name, _)| name)
            .filter(|name| name.starts_with(|first: char| first.is_ascii_uppercase()))
            .collect();
        names.sort_unstable();
        names
    }

    #[rstest::rstest]
    #[case::events(events::OPERATIONS, include_str!("../events.rs"))]
    #[case::kms(kms::OPERATIONS, include_str!("../kms.rs"))]
    #[case::sns(sns::OPERATIONS, include_str!("../sns.rs"))]
    #[case::sqs(sqs::OPERATIONS, include_str!("../sqs.rs"))]
    #[case::states(sfn::OPERATIONS, include_str!("../sfn/api.rs"))]
    fn every_operation_that_is_dispatched_is_listed(#[case] listed: &[&str], #[case] source: &str) {
        assert_eq!(listed, dispatched(source));
    }
}
