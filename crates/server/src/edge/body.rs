//! A request body that does not wait for ever, and what its faults mean.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Connection;
use crate::problem::Problem;

/// Why a request body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Nothing arrived for as long as is allowed.
    #[error("the request body did not arrive in time")]
    Idle,
    /// The client went away or its framing is wrong.
    #[error("the request body ended early or is malformed")]
    Broken(#[source] hyper::Error),
}

/// The 4xx that a failed body read means: 408 when it was too slow, 413 over a limit, else 400.
pub fn body_problem(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(BodyError::Idle)) {
            return Problem::request_timeout("the request body did not arrive in time");
        }
        if error.is::<http_body_util::LengthLimitError>() {
            return Problem::payload_too_large("the request body is larger than allowed here");
        }
        cause = error.source();
    }
    Problem::bad_request("the request body ended early or is malformed")
}

/// The body of one request, with a clock that runs while it waits for bytes.
pub(crate) struct RequestBody {
    incoming: Incoming,
    connection: Arc<Connection>,
    idle: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    ended: bool,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, connection: Arc<Connection>, idle: Duration) -> Self {
        Self { incoming, connection, idle, alarm: None, waiting: false, ended: false }
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let idle = self.idle;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + idle)));
        if !self.waiting {
            self.waiting = true;
            alarm.as_mut().reset(Instant::now() + idle);
        }
        alarm.as_mut().poll(cx).map(|()| Some(Err(BodyError::Idle)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending => self.wait(cx),
            Poll::Ready(frame) => {
                self.waiting = false;
                self.ended = frame.is_none();
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.ended && !self.incoming.is_end_stream() {
            self.connection.leave_unread();
        }
    }
}
