//! x
/// x
pub struct Changes;
