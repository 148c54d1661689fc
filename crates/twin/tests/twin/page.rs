//! The page and the JSON that it is drawn from.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::Client as Sfn;
use aws_sdk_sqs::Client as Sqs;
use levee_twin::{Server, Twin, service::Principal};
use serde_json::{Value, json};

use super::{
    calls::{ROLE, endpoint::fetch, s3},
    common::{BACKUP, WAREHOUSE, twin},
    sfn_common::{machine, task},
};

const HTML: &str = "accept: text/html,application/xhtml+xml\r\n";

async fn served() -> (Twin, Server) {
    let twin = twin();
    let server = twin.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    (twin, server)
}

async fn get(server: &Server, path: &str) -> Value {
    let (status, head, body) = fetch(server, "GET", path, "").await;
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn browsers_get_the_page_and_clients_get_list_buckets() {
    let (twin, server) = served().await;
    for path in ["/", "/?theme=dark", "/_twin", "/_twin/"] {
        let (status, head, body) = fetch(&server, "GET", path, HTML).await;
        assert_eq!((status, body.starts_with("<!doctype html>")), (200, true), "{path}");
        assert!(head.contains("content-type: text/html"), "{head}");
    }
    let signed = format!(
        "{HTML}authorization: AWS4-HMAC-SHA256 Credential={WAREHOUSE}/20260402/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n"
    );
    for (path, headers) in [("/", signed.as_str()), ("/", ""), ("/?prefix=a", HTML)] {
        let (status, _, body) = fetch(&server, "GET", path, headers).await;
        assert_eq!((status, body.contains("ListAllMyBucketsResult")), (200, true), "{path} {headers}: {body}");
    }
    // An object of a bucket that the host names is not the page.
    let client = s3(&twin, WAREHOUSE, None);
    client.create_bucket().bucket("lake").send().await.unwrap();
    client.put_object().bucket("lake").key("_twin/state").body(ByteStream::from_static(b"mine")).send().await.unwrap();
    let virtual_host =
        raw(&server, "GET /_twin/state HTTP/1.1\r\nhost: lake.localhost\r\nconnection: close\r\n\r\n").await;
    assert!(virtual_host.ends_with("mine"), "{virtual_host}");
}

async fn raw(server: &Server, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn page_is_whole_and_its_policy_lets_nothing_else_in() {
    let (_twin, server) = served().await;
    let (_, head, body) = fetch(&server, "GET", "/", HTML).await;
    let policy = head.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(policy.matches("'sha256-").count(), 2, "{policy}");
    for placeholder in ["/*style*/", "/*script*/"] {
        assert!(!body.contains(placeholder), "{placeholder} was not filled in");
    }
    let namespace = "http://www.w3.org/2000/svg";
    let addresses = body.matches("http://").count() + body.matches("https://").count();
    assert_eq!(addresses, body.matches(namespace).count(), "the page names an address elsewhere");
    for dangerous in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!body.contains(dangerous), "{dangerous} reads text as HTML or code");
    }
}

#[tokio::test]
async fn state_tells_of_buckets_queues_and_events_with_their_counts() {
    let (twin, server) = served().await;
    let client = s3(&twin, BACKUP, None);
    client.create_bucket().bucket("locked").object_lock_enabled_for_bucket(true).send().await.unwrap();
    for _ in 0..2 {
        let body = ByteStream::from_static(b"12345");
        client.put_object().bucket("locked").key("<script>").body(body).send().await.unwrap();
    }
    let sqs = Sqs::new(&twin.sdk_config(BACKUP, &Principal::Root));
    let url = sqs.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap();
    sqs.send_message().queue_url(&url).message_body("x").send().await.unwrap();
    sqs.send_message().queue_url(&url).message_body("x").delay_seconds(900).send().await.unwrap();
    client.get_object().bucket("locked").key("none").send().await.unwrap_err();
    let state = get(&server, "/_twin/state").await;
    let bucket = &state["buckets"]["items"][0];
    assert_eq!(
        (
            &bucket["objects"],
            &bucket["bytes"],
            &bucket["older_versions"],
            &bucket["versioning"],
            &bucket["object_lock"]
        ),
        (&json!(1), &json!(5), &json!(1), &json!("enabled"), &json!(true))
    );
    assert_eq!(bucket["account"], BACKUP);
    let queue = &state["queues"]["items"][0];
    assert_eq!((&queue["visible"], &queue["in_flight"], &queue["delayed"]), (&json!(1), &json!(0), &json!(1)));
    assert_eq!(
        (&state["calls"]["failed"], &state["calls"]["failures"][0]["outcome"]),
        (&json!(1), &json!("NoSuchKey"))
    );
    assert_eq!(
        (&state["runs"]["total"], &state["jobs"]["total"], &state["events"]["total"]),
        (&json!(0), &json!(0), &json!(0))
    );
}

/// A machine of two tasks with a retry, whose first task is failed twice and then redriven.
async fn redriven(twin: &Twin) -> String {
    let config = twin.sdk_config(BACKUP, &Principal::Root);
    let (sfn, sqs) = (Sfn::new(&config), Sqs::new(&config));
    let url = sqs.create_queue().queue_name("work").send().await.unwrap().queue_url.unwrap();
    let retry = json!([{"ErrorEquals": ["Busy"], "MaxAttempts": 1, "IntervalSeconds": 1}]);
    let definition = machine(
        "First",
        json!({"First": task(json!({"Retry": retry, "Next": "Second"})), "Second": task(json!({"End": true}))}),
    );
    let made =
        sfn.create_state_machine().name("m").role_arn(ROLE).definition(definition.to_string()).send().await.unwrap();
    let run = sfn.start_execution().state_machine_arn(made.state_machine_arn()).send().await.unwrap();
    for (error, redrive) in [("Busy", false), ("Broken", true)] {
        let got = sqs.receive_message().queue_url(&url).wait_time_seconds(20).send().await.unwrap();
        let body: Value = serde_json::from_str(got.messages()[0].body().unwrap()).unwrap();
        let token = body["token"].as_str().unwrap();
        sfn.send_task_failure().task_token(token).error(error).cause("<b>why</b>").send().await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        if redrive {
            sfn.redrive_execution().execution_arn(run.execution_arn()).send().await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    run.execution_arn().to_owned()
}

#[tokio::test(start_paused = true)]
async fn execution_that_failed_retried_and_was_redriven_is_told_state_by_state() {
    let twin = twin();
    let arn = redriven(&twin).await;
    tokio::time::resume();
    let server = twin.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let run = get(&server, &format!("/_twin/execution?arn={}", arn.replace(':', "%3A"))).await;
    assert_eq!((&run["status"], &run["at"], &run["redrives"]), (&json!("RUNNING"), &json!(["First"]), &json!(1)));
    let first = &run["states"][0];
    assert_eq!((&first["name"], &first["status"], &first["entered"]), (&json!("First"), &json!("running"), &json!(1)));
    assert_eq!((&first["retries"], &first["redrives"], &first["error"]), (&json!(1), &json!(1), &json!("Broken")));
    assert_eq!(first["cause"], "<b>why</b>");
    let names: Vec<_> = run["graph"]["nodes"].as_array().unwrap().iter().map(|node| &node["name"]).collect();
    assert_eq!(names, ["First", "Second"]);
    assert_eq!(run["history"]["items"].as_array().unwrap().len(), run["history"]["total"].as_u64().unwrap() as usize);
    let state = get(&server, "/_twin/state").await;
    assert_eq!((&state["runs"]["running"], &state["executions"]["items"][0]["arn"]), (&json!(1), &json!(arn)));
    let (status, _, body) = fetch(&server, "GET", "/_twin/execution?arn=arn:none", "").await;
    assert_eq!((status, body.contains("arn:none")), (404, true));
}

#[tokio::test]
async fn looking_is_no_call() {
    let (twin, server) = served().await;
    for path in ["/", "/_twin/", "/_twin/state", "/_twin/calls", "/_twin/counts", "/_twin/execution", "/_twin/none"] {
        fetch(&server, "GET", path, HTML).await;
    }
    assert_eq!((twin.gate().count(), twin.calls().len(), twin.call_counts().len()), (0, 0, 0));
}
