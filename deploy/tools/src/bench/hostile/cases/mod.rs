//! The cases, each with its requests. Not for how they are run and judged: see `run.rs`.

mod files;
mod http;
mod kafka;
mod places;
mod rows;
mod shop;

use super::attack::Attack;
use anyhow::Result;
use std::path::Path;

/// A change to the folder of a stopped node.
pub type Between = fn(&Path) -> Result<()>;
/// The requests of a case.
pub type Send = fn(&mut Attack) -> Result<()>;

/// A case.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// The requests in words, and how much less than was met, if it is less.
    pub sends: &'static str,
    /// The requests.
    pub send: Send,
    /// The step between the stop and the restart.
    pub between: Between,
    /// The requests to the node that was started again.
    pub after: Send,
    /// The configuration that differs from the defaults.
    pub variables: &'static [(&'static str, &'static str)],
    /// The most files that the node may have open, if not what this process may.
    pub open_files_max: Option<u32>,
}

/// A case that is over when everything is sent.
const fn case(name: &'static str, sends: &'static str, send: Send) -> Case {
    Case { name, sends, send, between: |_| Ok(()), after: |_| Ok(()), variables: &[], open_files_max: None }
}

/// Tables are written while the case runs, and not half a minute later.
const EXPORT_AT_ONCE: &[(&str, &str)] = &[("TRADEWIND_EXPORT_COMMIT_S", "1")];

/// The list.
#[rustfmt::skip]
pub fn all() -> Vec<Case> {
    vec![
        Case { variables: EXPORT_AT_ONCE, ..case("C1", "a product whose category has 31,000 characters, then 37 orders of 2,000 lines of it in one POST /commands; the same within the bounds of texts, as many orders with 1,500 lines; tables are committed each second", shop::long_texts) },
        Case { variables: EXPORT_AT_ONCE, ..case("C2", "a product whose category has 1,000,000 characters and orders of 12,000 lines, then 60 orders that are as large as a row may be; a checkpoint", shop::large_rows) },
        Case { variables: EXPORT_AT_ONCE, ..case("C3", "a product whose category has 34,000 characters and one order of 2,000 lines; the same within the bounds of texts", shop::one_large_row) },
        case("C4", "one Produce request of 150 zstd batches that expand to 16 MiB each, then one of 8 MiB of them", kafka::bombs),
        case("C5", "DescribeGroups that names one group 7,900 times, OffsetFetch that names one partition 49,000 times", kafka::named_often),
        case("H1", "what a page of another origin can send: bodies without or with a simple content type, foreign Origin, Sec-Fetch-Site and Host", http::other_origins),
        case("H2", "20 PUTs of one product, each with 6,500 other SKUs; then 20 with 1,000", shop::many_variants),
        case("H3", "cancellations with ids of a million characters, 1,000 or as many as 30 s take; 100 orders of 1,500 lines that are refused", rows::long_ids),
        case("H4", "a million empty records in two batches", kafka::empty_records),
        case("H5", "OffsetCommits with 4 KiB of metadata on 128 partitions of 200 groups, then under 1,001 new group names", kafka::many_groups),
        case("H6", "256 JoinGroups that wait for others, and their sockets closed", kafka::gone_members),
        case("H7", "10,100 connections from one address (or as many as this process may open): followers, slow heads, slow bodies", places::connections),
        Case { open_files_max: Some(1_024), ..case("H8", "1,100 slow connections from one address and 256 of Kafka clients to a node that may open 1,024 files; a checkpoint", places::open_files) },
        case("H9", "PUTs of a product with a title of 900,000 characters, then of one that is as large as a row may be, 2,500 of each or as many as 20 s take", rows::history),
        case("H10", "8 followers that read nothing, and rows of 0.8 MB, 400 or as many as 30 s take", rows::followers),
        case("M1", "200 bodies of 8 MiB at once, of which the last byte never comes", places::bodies),
        Case { variables: EXPORT_AT_ONCE, ..case("M2", "adjustments of a cent on 20,000 days, or as many as 20 s take; tables are committed each second", rows::days) },
        case("M3", "2,000 searches for different words", rows::searches),
        case("M4", "80 clients that ask for 16 facets of 4,000 products with 16 attributes each, for 10 s", rows::facets),
        case("M5", "a doubled key behind 1e999, behind 200 brackets, and in lines of POST /commands", http::doubled_keys),
        case("M6", "32 large requests that send only their length; 10,001 InitProducerId beside a producer in use", kafka::silent_requests),
        case("M8", "20,000 price windows of a SKU, locations of a SKU and refunds of an order, or as many as 15 s take of each", rows::wide_rows),
        case("L1", "a missing and a doubled Host, a bare LF, Transfer-Encoding beside Content-Length", http::framing),
        Case { between: files::links, after: files::linked, ..case("L2", "links where files are to be made; the modes of all files", files::commit) },
        Case { between: files::damaged, after: files::kept, ..case("L3", "a damaged checkpoint with a high number", files::two_checkpoints) },
        case("L4", "forged cursors, and one of another node (sums of units beyond 64 bits need more units than requests can bring in a minute: unit tests have them)", http::cursors),
    ]
}
