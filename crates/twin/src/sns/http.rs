//! HTTP endpoints of subscriptions, and the one way in which the twin reaches out of its process.
//!
//! Only loopback addresses are called, so that no rehearsal sends anything to anybody.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::mpsc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::service::ServiceError;

/// How long an endpoint may take to answer, by the machine's clock: on the other side of a socket there is no other.
const PATIENCE: Duration = Duration::from_secs(15);

/// An `http` URL on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpEndpoint {
    pub(super) url: String,
    addr: SocketAddr,
    authority: String,
    path: String,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpFailure {
    pub(super) reason: String,
    /// Whether another attempt may succeed. The guide has no list: here no answer, 429 and 5xx may pass.
    pub(super) passing: bool,
}

impl HttpEndpoint {
    /// # Errors
    /// `InvalidParameter` for what is no URL; `NotImplemented`, named, for TLS, credentials and hosts that are not loopback.
    pub(super) fn parse(url: &str) -> Result<Self, ServiceError> {
        let wrong = || super::invalid(format!("Invalid parameter: Endpoint Reason: {url} is not an http URL"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if uri.scheme_str() == Some("https") {
            return Err(ServiceError::not_modelled(format_args!("TLS: subscribe {url} with http, on this machine")));
        }
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
        if authority.as_str().contains('@') {
            return Err(ServiceError::not_modelled(format_args!("credentials in the endpoint {url}")));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let ip = if host == "localhost" { Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { host.parse().ok() };
        let ip = ip.filter(IpAddr::is_loopback).ok_or_else(|| {
            ServiceError::not_modelled(format_args!(
                "endpoints on other machines: {url} is not on localhost, 127.0.0.0/8 or [::1]"
            ))
        })?;
        Ok(Self {
            url: url.to_owned(),
            addr: SocketAddr::new(ip, authority.port_u16().unwrap_or(80)),
            authority: authority.to_string(),
            path: uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned(),
        })
    }

    /// Posts a body; any status below 300 is success.
    pub(super) async fn post(&self, headers: &[(&'static str, String)], body: &str) -> Result<(), HttpFailure> {
        // While a blocking task runs, a paused clock stands still: the answer comes in no time of the twin's. The task ends
        // with its channel.
        let (done, waiting) = mpsc::channel::<()>();
        let patience = tokio::task::spawn_blocking(move || waiting.recv_timeout(PATIENCE).is_err());
        let status = tokio::select! {
            biased;
            status = self.exchange(headers, body) => status,
            _ = patience => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        drop(done);
        match status {
            Ok(status) if status < 300 => Ok(()),
            Ok(status) => {
                let passing = status >= 500 || status == 429;
                Err(HttpFailure { reason: format!("the endpoint answered {status}"), passing })
            }
            Err(reason) => Err(HttpFailure { reason, passing: true }),
        }
    }

    async fn exchange(&self, headers: &[(&'static str, String)], body: &str) -> Result<u16, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", self.url);
        let mut request = Request::post(&self.path).header(header::HOST, &self.authority);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).map_err(|error| failed(&error))?;
        let stream = TcpStream::connect(self.addr).await.map_err(|error| failed(&error))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| failed(&error))?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
            let status = response.status().as_u16();
            // The status is the answer; a body that breaks off does not change it.
            let _ = response.into_body().collect().await;
            Ok(status)
        };
        tokio::pin!(answer);
        tokio::select! {
            biased;
            status = &mut answer => status,
            // The connection may close with the answer already read.
            ended = connection => match ended {
                Ok(()) => answer.await,
                Err(error) => Err(failed(&error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://127.0.0.1:8080/hook?a=b", "127.0.0.1:8080", "/hook?a=b")]
    #[case("http://localhost:8080", "127.0.0.1:8080", "/")]
    #[case("http://[::1]:9000/x", "[::1]:9000", "/x")]
    #[case("http://127.1.2.3", "127.1.2.3:80", "/")]
    fn endpoints_on_this_machine_are_taken(#[case] url: &str, #[case] addr: &str, #[case] path: &str) {
        let endpoint = HttpEndpoint::parse(url).unwrap();
        assert_eq!((endpoint.addr, endpoint.path.as_str()), (addr.parse().unwrap(), path));
    }

    #[rstest]
    #[case("http://example.com/", "NotImplemented", "example.com")]
    #[case("http://10.0.0.1/", "NotImplemented", "10.0.0.1")]
    #[case("http://localhost.example.com/", "NotImplemented", "localhost.example.com")]
    #[case("http://0.0.0.0:80/", "NotImplemented", "0.0.0.0")]
    #[case("http://127.0.0.1@example.com/", "NotImplemented", "credentials")]
    #[case("https://127.0.0.1/", "NotImplemented", "TLS")]
    #[case("ftp://127.0.0.1/", "InvalidParameter", "http URL")]
    #[case("nothing", "InvalidParameter", "http URL")]
    fn all_others_are_refused(#[case] url: &str, #[case] code: &str, #[case] part: &str) {
        let error = HttpEndpoint::parse(url).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(part), "{error}");
    }
}
