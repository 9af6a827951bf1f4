//! The process: roles, importers, configuration, wiring.
