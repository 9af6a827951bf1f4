//! The product index and its queries will live here, fed by the core's changes and exact for an epoch. Nothing does yet.
