//! Views recomputed from nothing but the events.
