//! Secrets and what is made with them: keys by purpose, signatures, hashes. Pure functions; not for where secrets are
//! kept, and not for permissions.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

pub mod hash;
pub mod root;
