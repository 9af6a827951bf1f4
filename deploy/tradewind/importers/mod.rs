//! The importers: data files of others as commands. What they share stands here, one importer a file.

pub mod catalog;
pub mod online_retail;
pub mod parquet_file;
pub mod report;
pub mod sender;
