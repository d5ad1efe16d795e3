//! WebSockets: after a 101 the two connections are joined until either side ends.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::body::ResponseBody;
use super::counters::{Ending, Ticket};
use super::headers;
use super::pool::Occupied;

/// Answers 101 and joins the connections once the client has it.
pub(crate) fn tunnel(
    mut response: Response<Incoming>,
    client_side: OnUpgrade,
    mut ticket: Ticket,
    occupied: Occupied,
) -> Response<ResponseBody> {
    let backend_side = hyper::upgrade::on(&mut response);
    tokio::spawn(async move {
        let _occupied = occupied;
        let (client, backend) = match tokio::try_join!(client_side, backend_side) {
            Ok(both) => both,
            Err(error) => {
                tracing::debug!(%error, "a tunnel was not opened");
                return;
            }
        };
        // A tunnel that breaks is no different from one that is closed: the protocol inside knows.
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(backend)).await;
        ticket.settle(Ending::Tunnelled);
    });
    let (mut head, _) = response.into_parts();
    headers::strip_hop_by_hop(&mut head.headers);
    head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    head.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    head.extensions.clear();
    head.version = Version::HTTP_11;
    Response::from_parts(head, ResponseBody::Own(Full::new(Bytes::new())))
}
