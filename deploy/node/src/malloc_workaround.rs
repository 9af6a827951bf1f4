//! Makes the C library hand out zeroed memory to a node that uses brokers. Not for Rust code's memory, which has an
//! allocator of its own.
//!
//! While a broker comes back, a partition has no leader for a moment, and librdkafka 2.12.1 then reads its number from
//! memory that it never set (its issue 5280): with whatever lay there the process ends by it, now and then; with zeroes
//! nothing happens. The C library takes this setting from its environment only, and only at its start.

use anyhow::{Context, Error, Result};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variable of glibc; one that is already set is kept.
const NAME: &str = "GLIBC_TUNABLES";
/// Memory is handed out filled with the complement of 255, also if it was used shortly before.
const VALUE: &str = "glibc.malloc.perturb=255:glibc.malloc.tcache_count=0";

/// Begins the process again with that setting, unless it has one; to be called before anything is open.
pub fn reexec_with_zeroed_malloc(environment: &[(String, String)]) -> Result<()> {
    if cfg!(not(target_env = "gnu")) || environment.iter().any(|(name, _)| name == NAME) {
        return Ok(());
    }
    let program = std::env::current_exe().context("finding the program's own file")?;
    let error = Command::new(program).args(std::env::args_os().skip(1)).env(NAME, VALUE).exec();
    Err(Error::new(error).context("beginning again with zeroed memory"))
}
