//! The log of the process: to standard error, as text for people or as JSON. Not for what is logged.

use crate::config::{LogFormat, LogLevel, TelemetryConfig};
use anyhow::{Result, anyhow};
use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, registry, reload};

/// The log of the process, whose level can be changed while it runs.
#[derive(Clone)]
pub struct LogHandle(reload::Handle<LevelFilter, Registry>);

impl LogHandle {
    /// Logs from that level on.
    pub fn set_level(&self, level: LogLevel) -> Result<()> {
        self.0.reload(filter(level)).map_err(|error| anyhow!("the log level cannot be set: {error}"))
    }
}

/// Starts logging for the whole process; once.
pub fn start(config: &TelemetryConfig) -> Result<LogHandle> {
    let TelemetryConfig { log_level, log_format } = config;
    let terminal = std::io::stderr().is_terminal();
    let human = match log_format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let (level, handle) = reload::Layer::new(filter(*log_level));
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(terminal);
    // It would report it on standard error, which cannot be written then, and a panic over that would end the process.
    let lines = lines.log_internal_errors(false);
    let started = if human {
        registry().with(level).with(lines).try_init()
    } else {
        registry().with(level).with(lines.json().flatten_event(true)).try_init()
    };
    started.map_err(|error| anyhow!("logging cannot start: {error}"))?;
    Ok(LogHandle(handle))
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
