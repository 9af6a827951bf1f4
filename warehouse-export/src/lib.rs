//! The tables for analysts will be written here, as Parquet files with a Delta log. Nothing is written yet.
