//! How the process logs: to standard error, as text for people or as JSON. Not for what is logged.

use crate::config::{LogFormat, LogLevel, Telemetry};
use anyhow::{Result, anyhow};
use std::io::IsTerminal;
use tracing::Level;

/// Starts logging for the whole process; once.
pub fn start(config: &Telemetry) -> Result<()> {
    let Telemetry { log_level, log_format } = config;
    let level = match log_level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    let terminal = std::io::stderr().is_terminal();
    let human = match log_format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(terminal);
    // It would say so on standard error, which cannot be written then, and a panic over that would end the process.
    let lines = lines.log_internal_errors(false);
    let started = if human { lines.try_init() } else { lines.json().flatten_event(true).try_init() };
    started.map_err(|error| anyhow!("logging cannot start: {error}"))
}
