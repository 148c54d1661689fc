//! Batch jobs and inventories in front of an S3 elsewhere: any emulator or store that speaks the S3 API.
//!
//! The store knows neither S3 Control nor, as a rule, inventories. So the twin keeps the inventory configurations itself,
//! answers the S3 requests for them, and hands every other S3 request on as it came. Jobs and inventories call the store
//! with the caller's account as access key id, the secret `twin`, and the principal as session token
//! ([`Caller`](crate::service::Caller)): a store that checks signatures needs the account ids as users with that secret.

mod front;
mod wire;

use std::{fmt, str::FromStr};

use http::Uri;

pub(crate) use self::{front::Front, wire::Wire};

/// The URL of an S3 endpoint: a scheme and a host, with a port if need be, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Endpoint {
    /// Without a slash at the end.
    url: String,
    tls: bool,
}

impl S3Endpoint {
    /// The URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl fmt::Display for S3Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// Why a text is no S3 endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the URL of an S3 endpoint: {problem}; write it like http://127.0.0.1:4566")]
pub struct InvalidEndpoint {
    text: String,
    problem: &'static str,
}

impl FromStr for S3Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |problem| InvalidEndpoint { text: text.to_owned(), problem };
        let uri: Uri = text.parse().map_err(|_| invalid("it is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(invalid("it must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| invalid("it names no host"))?;
        if authority.host().is_empty() {
            return Err(invalid("it names no host"));
        }
        if authority.as_str().contains('@') {
            return Err(invalid("it must not hold a user name: accounts are access key ids"));
        }
        let port = authority.as_str().rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        if port.is_some() && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(invalid("its port is not a number from 1 to 65535"));
        }
        if uri.path().len() > 1 || uri.query().is_some() || text.contains('#') {
            return Err(invalid("nothing may come behind the host and the port"));
        }
        let scheme = if tls { "https" } else { "http" };
        Ok(Self { url: format!("{scheme}://{authority}"), tls })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::port("http://127.0.0.1:9000", "http://127.0.0.1:9000")]
    #[case::slash("https://s3.example.com/", "https://s3.example.com")]
    #[case::v6("http://[::1]:9000", "http://[::1]:9000")]
    #[case::v6_without_port("http://[::1]", "http://[::1]")]
    fn scheme_host_and_port_are_taken(#[case] text: &str, #[case] url: &str) {
        assert_eq!(text.parse::<S3Endpoint>().unwrap().url(), url);
    }

    #[rstest]
    #[case::no_scheme("127.0.0.1:9000", "http://")]
    #[case::other_scheme("s3://bucket", "http://")]
    #[case::no_host("http:///x", "URL")]
    #[case::user("http://twin@127.0.0.1:9000", "user name")]
    #[case::no_port("http://127.0.0.1:", "port")]
    #[case::port_zero("http://127.0.0.1:0", "port")]
    #[case::port_out_of_range("http://127.0.0.1:65536", "port")]
    #[case::path("http://127.0.0.1:9000/s3", "behind")]
    #[case::query("http://127.0.0.1:9000?x", "behind")]
    fn everything_else_is_refused_with_the_problem(#[case] text: &str, #[case] named: &str) {
        let error = text.parse::<S3Endpoint>().unwrap_err().to_string();
        assert!(error.contains(named) && error.contains(text), "{error}");
    }
}
