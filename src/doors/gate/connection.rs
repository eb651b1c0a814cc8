//! One connection from its first byte to its last: finds out the version, serves requests, keeps
//! to the limits, finishes when told.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Instant};

use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    handle::{Gate, Inlet},
    limits::{
        BUFFER_BYTES, DISCARD_TIME, FINISH_TIME, H2_ERROR_RESETS, H2_HEADER_LIST_BYTES, H2_PENDING_RESETS,
        H2_PING, H2_STREAMS, H2_WINDOW_BYTES, HEAD_BYTES, HEADER_FIELDS,
    },
    pulse::{Pulse, Verdict},
    wire::{Wire, first_bytes},
};

/// What a connection is told from outside.
#[derive(Clone)]
pub(crate) struct Told {
    /// Finish what runs and close.
    pub(crate) drain: CancellationToken,
    /// Whether all connections allowed are open.
    pub(crate) full: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// Serves a stream until either side ends it.
pub(crate) async fn serve<S>(gate: Arc<Gate>, mut stream: S, inlet: Inlet, told: Told)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = gate.limits();
    let first = tokio::select! {
        () = told.drain.cancelled() => return,
        first = timeout(limits.first_byte, first_bytes(&mut stream)) => first,
    };
    let Ok(Ok(Some((ahead, h2)))) = first else { return };
    let pulse = Pulse::new(limits, h2, Instant::now());
    let wire = Wire::new(stream, ahead, pulse.clone());
    if h2 {
        serve_h2(gate, wire, (inlet, pulse), told).await;
    } else {
        serve_h1(gate, wire, (inlet, pulse), told).await;
    }
}

async fn serve_h1<S>(gate: Arc<Gate>, wire: Wire<S>, (inlet, pulse): (Inlet, Pulse), told: Told)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = gate.limits();
    let (server, beat) = (Arc::clone(&gate), pulse.clone());
    let service = service_fn(move |request| {
        let answer = Arc::clone(&server).serve(request, inlet, beat.clone());
        Box::pin(async move { Ok::<_, io::Error>(answer.await) })
    });
    // The head's own, shorter limit is the pulse's; this timer also runs while nothing comes.
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle.max(limits.head))
        .max_headers(HEADER_FIELDS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(wire), service);
    let ended = {
        let driven = Driven { gate: &gate, pulse: &pulse, told: &told };
        driven
            .drive(
                &mut connection,
                |connection, context| connection.poll_without_shutdown(context),
                |connection| {
                    Pin::new(connection).graceful_shutdown();
                },
            )
            .await
    };
    if ended {
        linger(connection.into_parts().io.into_inner(), &pulse).await;
    }
}

async fn serve_h2<S>(gate: Arc<Gate>, wire: Wire<S>, (inlet, pulse): (Inlet, Pulse), told: Told)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (server, beat) = (Arc::clone(&gate), pulse.clone());
    let service = service_fn(move |request| {
        let answer = Arc::clone(&server).serve(request, inlet, beat.clone());
        async move { Ok::<_, io::Error>(answer.await) }
    });
    let mut connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_header_list_size(H2_HEADER_LIST_BYTES)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS)
        .max_local_error_reset_streams(H2_ERROR_RESETS)
        .initial_stream_window_size(H2_WINDOW_BYTES)
        .initial_connection_window_size(H2_WINDOW_BYTES)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING)
        .serve_connection(TokioIo::new(wire), service);
    let driven = Driven { gate: &gate, pulse: &pulse, told: &told };
    driven
        .drive(
            &mut connection,
            |connection, context| Pin::new(connection).poll(context),
            |connection| {
                Pin::new(connection).graceful_shutdown();
            },
        )
        .await;
}

struct Driven<'a> {
    gate: &'a Gate,
    pulse: &'a Pulse,
    told: &'a Told,
}

impl Driven<'_> {
    /// Polls a connection to its end, looking at its pulse at every tick. False if it was cut.
    async fn drive<C>(
        &self,
        connection: &mut C,
        mut poll: impl FnMut(&mut C, &mut std::task::Context<'_>) -> std::task::Poll<hyper::Result<()>>,
        finish: impl Fn(&mut C),
    ) -> bool {
        let limits = self.gate.limits();
        let mut tick = interval(limits.tick());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut finishing: Option<Instant> = None;
        loop {
            tokio::select! {
                ended = std::future::poll_fn(|context| poll(connection, context)) => {
                    if let Err(error) = ended {
                        self.pulse.left_unread();
                        tracing::debug!(%error, "a connection ended with an error");
                    }
                    return true;
                }
                () = self.told.drain.cancelled(), if finishing.is_none() => {
                    finishing = Some(Instant::now());
                    finish(connection);
                }
                () = self.gate.abort.cancelled() => return false,
                _ = tick.tick() => {}
            }
            let late = finishing.is_some_and(|since| since.elapsed() > FINISH_TIME) && self.pulse.is_idle();
            match self.pulse.verdict(Instant::now(), (self.told.full)()) {
                Verdict::Cut(why) => {
                    self.gate.metrics.cut();
                    tracing::debug!(why, "a connection was cut");
                    return false;
                }
                _ if late => return false,
                Verdict::Finish if finishing.is_none() => {
                    finishing = Some(Instant::now());
                    finish(connection);
                }
                Verdict::Finish | Verdict::Keep => {}
            }
        }
    }
}

/// Closes so that the client gets to read the answer: closing with bytes of it unread would send a
/// reset that overtakes the answer.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut wire: Wire<S>, pulse: &Pulse) {
    let unread = pulse.has_unread();
    let closing = async {
        wire.shutdown().await?;
        let mut scrap = [0; 8192];
        while unread && wire.read(&mut scrap).await? > 0 {}
        io::Result::Ok(())
    };
    // Whatever fails here, the connection is gone.
    let _ = timeout(DISCARD_TIME, closing).await;
}
