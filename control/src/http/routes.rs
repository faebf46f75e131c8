//! What is served.

use super::listener::BoundedListener;
use crate::api::{ApiError, ApiHandle, Reply, Request};
use crate::metrics::{Exporter, Scrape};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::fmt::Write;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Shared {
    api: ApiHandle,
    /// One scrape at a time: counters are compared with those of the last one.
    exporter: Arc<Mutex<Exporter>>,
}

/// Serves until `stop` completes.
///
/// # Errors
/// Those of the system; the listener itself never fails.
pub async fn serve(
    listener: BoundedListener,
    api: ApiHandle,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let shared = Shared { api, exporter: Arc::default() };
    let router = Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(shared);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn index() -> &'static str {
    "pxtrd: /metrics /livez /readyz\n"
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let mut exporter = shared.exporter.lock().await;
    let scrape = match Scrape::ask(&shared.api).await {
        Ok(scrape) => scrape,
        Err(error) => return unavailable(&error),
    };
    match exporter.render(&scrape) {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn livez(State(shared): State<Shared>) -> Response {
    match shared.api.ask(Request::ShowHealth).await {
        Ok(_) => "alive\n".into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn readyz(State(shared): State<Shared>) -> Response {
    let health = match shared.api.ask(Request::ShowHealth).await {
        Ok(Reply::Health(health)) => health,
        Ok(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(error) => return unavailable(&error),
    };
    let mut text = String::new();
    for check in &health.checks {
        let _ = writeln!(text, "{} {}: {}", if check.ok { "good" } else { "BAD " }, check.name, check.detail);
    }
    text += if health.ready { "ready\n" } else { "not ready\n" };
    let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

fn unavailable(error: &ApiError) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
}
