//! Figures of the process from the system's `/proc`. Not for figures of the shop.

use std::fs;

/// A figure of the process.
pub struct Figure {
    pub name: &'static str,
    pub kind: &'static str,
    pub help: &'static str,
    pub value: f64,
}

/// The unit of times in `/proc`: on Linux it is the same for every program, whatever the kernel counts in.
const TICKS_A_SECOND: f64 = 100.0;

/// The system's figures; none on a system without `/proc`.
pub fn figures() -> Vec<Figure> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
    let (stat, status, limits) = (read("self/stat"), read("self/status"), read("self/limits"));
    // The second field is the program's name in parentheses, which may have anything in it.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |field: usize| Some(fields.get(field - 3)?.parse::<f64>().ok()? / TICKS_A_SECOND);
    let cpu = ticks(14).zip(ticks(15)).map(|(user, system)| user + system);
    let booted = read("stat").lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok());
    let started = booted.zip(ticks(22)).map(|(booted, after)| booted + after);
    let open_files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64);
    let figure = |name, kind, help, value: Option<f64>| value.map(|value| Figure { name, kind, help, value });
    let all = [
        figure("process_cpu_seconds_total", "counter", "user and system time of all threads", cpu),
        figure("process_start_time_seconds", "gauge", "when the process was started, since 1970", started),
        figure("process_resident_memory_bytes", "gauge", "memory that is in use", memory(&status, "VmRSS:")),
        figure("process_virtual_memory_bytes", "gauge", "memory that is mapped", memory(&status, "VmSize:")),
        figure("process_open_fds", "gauge", "files and sockets that are open", open_files),
        figure("process_max_fds", "gauge", "files and sockets that may be open", files_max(&limits)),
        figure("process_threads", "gauge", "threads", fields.get(20 - 3).and_then(|count| count.parse().ok())),
    ];
    all.into_iter().flatten().collect()
}

/// A line of `/proc/self/status` in bytes.
fn memory(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()? * 1024.0)
}

/// The soft limit; none if there is none.
fn files_max(limits: &str) -> Option<f64> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok())
}
