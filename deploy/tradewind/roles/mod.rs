//! The roles: what one process of the binary does, one a file.

pub mod bench;
pub mod checkpoint;
pub mod config_show;
pub mod dlq;
pub mod export;
pub mod simulate;
pub mod status;
pub mod topics;
pub mod up;
