//! `holdall serve`: opens the data, makes the first account if there is none, serves until told to
//! stop.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    Context,
    failure::Failure,
    first, hints,
    reach::{self, socket_of},
    room,
};
use crate::{
    config::{LogFormat, Settings},
    domain::{FirstAdmin, Holdall},
    doors::gate::{Limits, Serves},
    server::{
        ListenerConfig, Server, ServerConfig, TlsFiles, connections_for, raise_open_files, stop_on_signals,
        try_out,
    },
    telemetry,
};

pub(super) async fn serve(context: &Context) -> Result<(), Failure> {
    let settings = &context.settings;
    let format = match settings.log_format {
        LogFormat::Auto => telemetry::LogFormat::Auto,
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    let logging = telemetry::start(&settings.log_level, format);
    // Kept to the end: dropping it waits for the last lines.
    let _logging = logging.map_err(|error| Failure::Usage(error.to_string()))?;
    let stop =
        stop_on_signals().map_err(|error| Failure::Refused(format!("cannot receive signals: {error}")))?;
    let open_files = raise_open_files();
    warn_in_the_clear(settings);
    let preset = first::preset(settings)?;
    // What is shown once is not shown by a start that then fails.
    try_out(&config(settings)).map_err(|error| Failure::Refused(error.to_string()))?;
    first::warn_of_others(&settings.data);
    room::check(settings)?;
    let holdall = reach::open(settings, true)?;
    let served = serve_opened(context, &holdall, (preset, open_files), &stop).await;
    let closed = holdall.close().map_err(|error| Failure::Refused(reach::with_reason(&error)));
    served.and(closed)
}

/// Serves what is open until told to stop.
async fn serve_opened(
    context: &Context,
    holdall: &Arc<Holdall>,
    (preset, open_files): (FirstAdmin, u64),
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let settings = &context.settings;
    // Before anything listens: whoever finds the server healthy finds its first account.
    let made = first::start(settings, preset, holdall).await?;
    if let Some(made) = &made {
        context.printer.one(&first::as_json(made), || first::as_text(made, &settings.data))?;
    }
    let mut config = config(settings);
    config.limits.connections = connections_for(settings.connections, open_files);
    let server = Server::start(config, Arc::clone(holdall)).await;
    let server = server.map_err(|error| Failure::Refused(error.to_string()))?;
    for address in server.addresses() {
        tracing::info!(%address, "listening");
    }
    if let (Some(made), false) = (&made, context.printer.json) {
        let mut at = reach::configured(settings);
        at.address = server.addresses().first().copied().unwrap_or(at.address);
        let site = hints::Site::of(settings, &at, made.name.as_str());
        super::print::write(&hints::first_lines(&site, made))?;
    }
    stop.cancelled().await;
    tracing::info!("stopping");
    if !server.stop().await {
        tracing::warn!("some requests did not end in time and were cut off");
    }
    Ok(())
}

/// What the server is told of the settings.
fn config(settings: &Settings) -> ServerConfig {
    let tls = settings.tls.clone().map(|(certificate, key)| TlsFiles { certificate, key });
    let listener = |address, serves| ListenerConfig { address, tls: tls.clone(), serves };
    let mut listeners = vec![listener(settings.listen, Serves::All)];
    listeners.extend(settings.s3_listen.map(|address| listener(address, Serves::S3)));
    listeners.extend(settings.dav_listen.map(|address| listener(address, Serves::Dav)));
    ServerConfig {
        listeners,
        admin_socket: Some(socket_of(&settings.data)),
        s3_hosts: settings.s3_hosts.clone(),
        s3_region: settings.s3_region.clone(),
        cors_origins: settings.cors_origins.clone(),
        public_metrics: settings.public_metrics,
        limits: Limits {
            connections: settings.connections,
            idle: settings.idle,
            least_rate: settings.body_min_rate,
            drain: settings.drain,
            ..Limits::default()
        },
    }
}

fn warn_in_the_clear(settings: &Settings) {
    let addresses = [Some(settings.listen), settings.s3_listen, settings.dav_listen];
    let open = addresses.into_iter().flatten().find(|address| !address.ip().is_loopback());
    if let (Some(address), None, false) = (open, &settings.tls, settings.behind_proxy) {
        tracing::warn!(
            %address,
            "passwords travel in the clear: set tls.cert and tls.key, or behind_proxy if a proxy ends TLS"
        );
    }
}
