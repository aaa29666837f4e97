//! How long a client may take over one answer.
//!
//! An answer is held in memory until its client has taken it, so whoever takes it byte by byte would
//! hold it without end. A stream of events is another matter: it goes on for good, and holds no more
//! than the piece that its client has not taken.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Response, header};
use hyper::body::{Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Instant, Sleep, sleep_until};

/// What is being sent over one connection.
pub(crate) struct Sending {
    within: Duration,
    answer: Mutex<Answer>,
}

#[derive(Default)]
struct Answer {
    /// When the first answer that the client has not taken yet must have been taken.
    until: Option<Instant>,
    /// Whether nothing more comes behind what is to be flushed.
    is_made: bool,
}

impl Sending {
    /// Each answer has to be taken within that time.
    pub(crate) fn new(within: Duration) -> Arc<Sending> {
        Arc::new(Sending { within, answer: Mutex::default() })
    }

    fn answer(&self) -> MutexGuard<'_, Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins with an answer.
    pub(crate) fn begin(self: &Arc<Sending>, response: Response<Body>) -> Response<Body> {
        let kind = response.headers().get(header::CONTENT_TYPE);
        if kind.map(HeaderValue::as_bytes) == Some(b"text/event-stream") {
            return response;
        }
        {
            let mut answer = self.answer();
            // Who asks again and again without taking anything gains no time.
            answer.until.get_or_insert_with(|| Instant::now() + self.within);
            answer.is_made = false;
        }
        let sending = Arc::clone(self);
        response.map(|body| Body::new(Sent { body, sending }))
    }

    fn flushed(&self) {
        let mut answer = self.answer();
        if answer.is_made {
            answer.until = None;
        }
    }
}

/// The body of an answer; dropped, all of it is made.
struct Sent {
    body: Body,
    sending: Arc<Sending>,
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.sending.answer().is_made = true;
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that fails when an answer is not taken in time.
pub(crate) struct Timed<I> {
    io: I,
    sending: Arc<Sending>,
    /// Wakes whoever waits for the client.
    late: Pin<Box<Sleep>>,
}

impl<I> Timed<I> {
    pub(crate) fn new(io: I, sending: Arc<Sending>) -> Timed<I> {
        Timed { io, sending, late: Box::pin(sleep_until(Instant::now())) }
    }

    /// What becomes of a write for which the client leaves no room.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(until) = self.sending.answer().until else { return Poll::Pending };
        if self.late.deadline() != until {
            self.late.as_mut().reset(until);
        }
        let late =
            || io::Error::new(io::ErrorKind::TimedOut, "a client took its answer too slowly");
        self.late.as_mut().poll(context).map(|()| Err(late()))
    }
}

impl<I: Read + Unpin> Read for Timed<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(context, buffer)
    }
}

impl<I: Write + Unpin> Write for Timed<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write(context, bytes) {
            Poll::Pending => this.wait(context),
            written => written,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_flush(context) {
            Poll::Pending => this.wait(context),
            flushed => {
                this.sending.flushed();
                flushed
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write_vectored(context, buffers) {
            Poll::Pending => this.wait(context),
            written => written,
        }
    }
}
