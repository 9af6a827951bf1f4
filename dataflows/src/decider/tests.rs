//! given when then
