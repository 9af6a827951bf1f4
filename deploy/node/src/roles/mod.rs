//! The roles: what one process of the binary does, one a file, with what may be typed for it.

pub mod checkpoint;
pub mod config_show;
pub mod dlq;
pub mod export;
pub mod status;
pub mod topics;
pub mod up;
