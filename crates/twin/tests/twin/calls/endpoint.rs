//! The record over HTTP.

use aws_sdk_s3::{config::retry::RetryConfig, error::ProvideErrorMetadata, primitives::ByteStream};
use levee_twin::{Server, Twin};
use rstest::rstest;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::s3;
use crate::twin::common::{WAREHOUSE, twin};

/// The status and the body of an unsigned request, as a browser or curl makes it.
pub(crate) async fn fetch(server: &Server, method: &str, path: &str, headers: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", server.addr());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

async fn served() -> (Twin, Server) {
    let twin = Twin::builder().build();
    let client = s3(&twin, WAREHOUSE, None);
    client.create_bucket().bucket("lake").send().await.unwrap();
    client.put_object().bucket("lake").key("a").send().await.unwrap();
    client.get_object().bucket("lake").key("none").send().await.unwrap_err();
    let server = twin.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    (twin, server)
}

fn lines(body: &str) -> Vec<Value> {
    body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn calls_are_json_lines_with_everything_that_is_known() {
    let (_twin, server) = served().await;
    let (status, head, body) = fetch(&server, "GET", "/_twin/calls", "").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/jsonl"), "{head}");
    let calls = lines(&body);
    assert_eq!(calls.len(), 3, "looking at the record is no call of its own");
    assert_eq!((&calls[1]["operation"], &calls[1]["outcome"]), (&Value::from("PutObject"), &Value::from("ok")));
    assert_eq!(calls[1]["needs"][0]["action"], "s3:PutObject");
    assert_eq!(calls[1]["needs"][0]["resource"], "arn:aws:s3:::lake/a");
    assert_eq!(calls[2]["outcome"], "NoSuchKey");
    assert_eq!((&calls[2]["status"], &calls[2]["planned"]), (&Value::from(404), &Value::from(false)));
    for name in ["number", "time", "service", "account", "principal", "resource"] {
        assert!(!calls[2][name].is_null(), "{name}");
    }
}

#[rstest]
#[case("outcome=error", &["GetObject"])]
#[case("after=1&limit=1", &["PutObject"])]
#[case("service=s3&operation=CreateBucket&account=111111111111&principal=root&outcome=ok", &["CreateBucket"])]
#[case("resource=arn%3Aaws%3As3%3A%3A%3Alake%2Fa", &["PutObject"])]
#[case("since=2999-01-01T00:00:00Z", &[])]
#[tokio::test]
async fn queries_filter_the_calls(#[case] query: &str, #[case] expected: &[&str]) {
    let (_twin, server) = served().await;
    let (status, _, body) = fetch(&server, "GET", &format!("/_twin/calls?{query}"), "").await;
    assert_eq!(status, 200);
    let operations: Vec<_> = lines(&body).iter().map(|call| call["operation"].as_str().unwrap().to_owned()).collect();
    assert_eq!(operations, expected);
}

#[tokio::test]
async fn unknown_filters_and_paths_are_refused_with_what_is_known() {
    let (_twin, server) = served().await;
    let (status, _, body) = fetch(&server, "GET", "/_twin/calls?bucket=lake", "").await;
    assert_eq!((status, body.contains("service, operation")), (400, true), "{body}");
    let (status, _, body) = fetch(&server, "GET", "/_twin/nothing", "").await;
    assert_eq!((status, body.contains("/_twin/calls")), (404, true), "{body}");
}

#[tokio::test]
async fn counts_are_json_lines() {
    let (_twin, server) = served().await;
    let (_, _, body) = fetch(&server, "GET", "/_twin/counts", "").await;
    let counts = lines(&body);
    assert_eq!(counts.len(), 3);
    assert_eq!((&counts[0]["operation"], &counts[0]["count"]), (&Value::from("CreateBucket"), &Value::from(1)));
}

#[tokio::test(start_paused = true)]
async fn no_bucket_can_have_the_name_of_the_endpoint() {
    let twin = twin();
    let client = s3(&twin, WAREHOUSE, None);
    let error = client.create_bucket().bucket("_twin").send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidBucketName"));
}

#[tokio::test]
async fn signed_requests_and_other_methods_go_to_the_services() {
    let (twin, server) = served().await;
    let config = twin.sdk_config(WAREHOUSE, &levee_twin::service::Principal::Root).into_builder();
    let config = aws_sdk_s3::config::Builder::from(&config.retry_config(RetryConfig::disabled()).build());
    let client = aws_sdk_s3::Client::from_conf(config.force_path_style(true).build());
    // The SDK signs: this is an object of a bucket that cannot be there.
    let error = client.get_object().bucket("_twin").key("calls").send().await.unwrap_err();
    assert!(["InvalidBucketName", "NoSuchBucket"].contains(&error.code().unwrap()), "{error:?}");
    let put = client.put_object().bucket("_twin").key("calls").body(ByteStream::from_static(b"x")).send().await;
    assert!(put.is_err());
    let (status, _, _) = fetch(&server, "POST", "/_twin/calls", "content-length: 0\r\n").await;
    assert_ne!(status, 200);
}
