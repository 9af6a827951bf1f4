//! The importers: data files of others as commands. What they share stands here, one importer a file.

pub mod online_retail;
pub mod parquet_file;
pub mod sender;
