//! The TCP endpoint.

use std::net::SocketAddr;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_sqs::Client;
use levee_twin::{CallFault, FaultAnswer, Twin, When};

use super::common::BACKUP;

async fn client(url: &str) -> Client {
    let credentials = Credentials::new(BACKUP, "any", None, None, "test");
    let config = aws_config::defaults(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    Client::new(&config.credentials_provider(credentials).endpoint_url(url).load().await)
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[tokio::test]
async fn sdk_clients_work_over_tcp_with_queue_urls_of_the_endpoint() {
    let twin = Twin::builder().build();
    let server = twin.serve(any_port()).await.unwrap();
    let client = client(&server.url()).await;
    let url = client.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap();
    assert_eq!(url, format!("{}/{BACKUP}/q", server.url()));
    client.send_message().queue_url(&url).message_body("x".repeat(900_000)).send().await.unwrap();
    let got = client.receive_message().queue_url(&url).wait_time_seconds(1).send().await.unwrap();
    assert_eq!(got.messages()[0].body().unwrap().len(), 900_000);
    server.shutdown().await;
    assert!(client.list_queues().send().await.is_err());
}

#[tokio::test]
async fn port_in_use_is_a_clear_error() {
    let twin = Twin::builder().build();
    let server = twin.serve(any_port()).await.unwrap();
    let error = twin.serve(server.addr()).await.err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&server.addr().to_string()), "{error}");
}

#[tokio::test]
async fn death_over_tcp_is_a_connection_that_ends_without_an_answer() {
    let rule = CallFault::new(FaultAnswer::DeathAfter).of("sqs", "CreateQueue").when(When::Nth(1));
    let twin = Twin::builder().faults(rule.into()).build();
    let server = twin.serve(any_port()).await.unwrap();
    let config = client(&server.url()).await.config().to_builder();
    let once = config.retry_config(aws_sdk_sqs::config::retry::RetryConfig::disabled()).build();
    let client = Client::from_conf(once);
    let error = client.create_queue().queue_name("q").send().await.unwrap_err();
    assert!(error.as_service_error().is_none() && error.raw_response().is_none(), "{error:?}");
    assert_eq!(client.list_queues().send().await.unwrap().queue_urls().len(), 1);
    server.shutdown().await;
}

#[tokio::test]
async fn presigned_url_gives_the_object_to_a_client_that_knows_nothing_of_aws() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let twin = Twin::builder().build();
    let server = twin.serve(any_port()).await.unwrap();
    let credentials = Credentials::new(BACKUP, "any", None, None, "test");
    let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest()).force_path_style(true);
    let config = config.region(aws_sdk_s3::config::Region::new("us-east-1")).credentials_provider(credentials);
    let s3 = aws_sdk_s3::Client::from_conf(config.endpoint_url(server.url()).build());
    s3.create_bucket().bucket("lake").send().await.unwrap();
    s3.put_object().bucket("lake").key("a b/ä=1").body(b"bytes".to_vec().into()).send().await.unwrap();
    let until = aws_sdk_s3::presigning::PresigningConfig::expires_in(std::time::Duration::from_secs(60)).unwrap();
    let signed = s3.get_object().bucket("lake").key("a b/ä=1").presigned(until).await.unwrap();
    let path = signed.uri().strip_prefix(&server.url()).unwrap();
    let ask = async |path: &str| {
        let mut stream = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.addr());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = ask(path).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nbytes"), "{answer}");
    // Nobody's call: the account's bucket is not open to it.
    let anonymous = ask(path.split('?').next().unwrap()).await;
    assert!(anonymous.starts_with("HTTP/1.1 403"), "{anonymous}");
}
