//! An HTTP endpoint on 127.0.0.1 that hands over what it gets and answers as it was told.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

/// A listener; it ends with its owner.
pub(super) struct Hook {
    pub(super) url: String,
    posts: mpsc::UnboundedReceiver<Post>,
    /// The statuses of the next answers; 200 when there are none.
    statuses: Arc<Mutex<Vec<u16>>>,
    accepting: JoinHandle<()>,
}

/// One request.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) path: String,
    headers: HeaderMap,
    pub(super) body: String,
}

impl Hook {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?from=sns", listener.local_addr().unwrap());
        let (sender, posts) = mpsc::unbounded_channel();
        let statuses = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::clone(&statuses);
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (sender, answers) = (sender.clone(), Arc::clone(&answers));
                let service = service_fn(move |request| answer(request, sender.clone(), Arc::clone(&answers)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, posts, statuses, accepting }
    }

    /// Answers the next requests with these statuses, in this order.
    pub(super) fn answer_with(&self, statuses: &[u16]) {
        self.statuses.lock().unwrap().extend_from_slice(statuses);
    }

    /// The next request.
    pub(super) async fn next(&mut self) -> Post {
        self.posts.recv().await.unwrap()
    }

    /// A request that has come already.
    pub(super) fn pop(&mut self) -> Option<Post> {
        self.posts.try_recv().ok()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Post {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn answer(
    request: Request<Incoming>,
    sender: mpsc::UnboundedSender<Post>,
    statuses: Arc<Mutex<Vec<u16>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let status = {
        let mut statuses = statuses.lock().unwrap();
        if statuses.is_empty() { 200 } else { statuses.remove(0) }
    };
    sender.send(Post { path, headers: parts.headers, body }).unwrap();
    Ok(Response::builder().status(status).body(Full::new(Bytes::new())).unwrap())
}
