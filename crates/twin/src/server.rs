//! The way into the twin over TCP: an HTTP/1.1 endpoint for any AWS client that is given its address and credentials.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{gate::standing, router::Router};

/// How long a shutdown waits for requests in flight, such as long polls.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait after the system refused to accept a connection (for example: too many open files).
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// A running endpoint. Dropping it closes it at once.
pub struct Server {
    addr: SocketAddr,
    closing: CancellationToken,
    ended: DropGuard,
    tasks: TaskTracker,
}

impl Server {
    pub(crate) async fn start(router: Arc<Router>, addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await.map_err(|error| unusable(addr, &error))?;
        let addr = listener.local_addr()?;
        let (closing, ended, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let endpoint = Endpoint { router, closing: closing.clone(), tasks: tasks.clone() };
        let stop = ended.clone();
        tasks.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = endpoint.accept(&listener, &stop) => {}
            }
        });
        Ok(Self { addr, closing, ended: ended.drop_guard(), tasks })
    }

    /// The address that the endpoint listens on; with the port that the system chose for port 0.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Accepts nothing more, lets requests in flight finish for up to two seconds, then closes.
    pub async fn shutdown(self) {
        self.closing.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(GRACE, self.tasks.wait()).await;
        drop(self.ended.disarm().drop_guard());
        self.tasks.wait().await;
    }
}

#[derive(Clone)]
struct Endpoint {
    router: Arc<Router>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Endpoint {
    async fn accept(&self, listener: &TcpListener, stop: &CancellationToken) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.closing.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (endpoint, stop) = (self.clone(), stop.clone());
                    self.tasks.spawn(async move {
                        tokio::select! {
                            biased;
                            () = stop.cancelled() => {}
                            () = endpoint.connection(stream) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    async fn connection(&self, stream: TcpStream) {
        // Small answers must not wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let router = Arc::clone(&self.router);
        let service = service_fn(move |request| answer(Arc::clone(&router), request));
        let mut connection = std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        let result = tokio::select! {
            biased;
            () = self.closing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            result = connection.as_mut() => result,
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// Who calls over TCP can die by the plan of faults. Its process goes on, so the twin hangs up without an answer.
async fn answer(router: Arc<Router>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let answer = standing::mortal(router.handle(Request::from_parts(parts, body))).await;
    let answer = answer.ok_or_else(|| io::Error::other("the caller died, as the plan of faults says"))?;
    Ok(answer.map(Full::new))
}

fn unusable(addr: SocketAddr, error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => ": another program listens there; stop it or choose another port",
        io::ErrorKind::PermissionDenied => ": ports below 1024 need privileges; choose another port",
        io::ErrorKind::AddrNotAvailable => ": this machine does not have that address",
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}{advice}"))
}
