//! The views that are more than a table: revenue, searches, and the standing checks. The others (products, stock,
//! orders, payments, credits, adjustments, operations, policy) are the decider's own rows.

pub mod invariants;
pub mod revenue;
pub mod searches;
