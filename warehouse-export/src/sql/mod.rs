//! A view of each table under its name, and `revenue`, as text for an engine of analysts to run. DuckDB and polars are told
//! the files that a table's log names now, so that they need no reader of Delta tables and are right after a compaction;
//! Spark and Synapse read the log themselves. Not for running any of it.

mod duckdb;
mod polars;
mod spark;
mod synapse;

use crate::Error;
use crate::delta::Table;
use crate::schema::{Column, DATE, Schema};
use crate::table_store::TableStore;
use crate::tables::{FACTS, schemas};
use dataflows::shop::row::View;
use std::sync::Arc;

/// For whom it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// DuckDB 1.5 or 2, without extensions.
    Duckdb,
    /// Spark with Delta Lake.
    Spark,
    /// Synapse serverless.
    Synapse,
    /// Polars, in Python.
    Polars,
}

/// A table, and the full names of the files that it is made of.
struct TableFiles {
    schema: Schema,
    files: Vec<String>,
}

/// The views of the tables at a place that has this URL. Writes nothing.
pub fn views(dialect: Dialect, place: &Arc<dyn TableStore>, url: &str) -> Result<String, Error> {
    let root = url.strip_prefix("file://").unwrap_or(url).trim_end_matches('/');
    let of_views = View::ALL.iter().flat_map(|view| <[Schema; 2]>::from(schemas(*view)));
    let mut tables = Vec::new();
    for schema in FACTS.iter().map(|fact| fact.schema()).chain(of_views) {
        let files = Table::live_files(Arc::clone(place), schema.clone())?;
        let files = files.into_iter().map(|file| format!("{root}/{}/{file}", schema.table)).collect();
        tables.push(TableFiles { schema, files });
    }
    Ok(match dialect {
        Dialect::Duckdb => duckdb::views(root, &tables),
        Dialect::Spark => spark::views(root, &tables),
        Dialect::Synapse => synapse::views(url, &tables),
        Dialect::Polars => polars::views(root, &tables),
    })
}

impl TableFiles {
    /// The names of its columns, with the partition's.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let names = self.schema.columns.iter().map(|Column { name, kind: _, is_id: _ }| *name);
        names.chain(self.schema.is_dated.then_some(DATE))
    }
}

/// What engines have their own words for.
struct Words {
    /// The month of `occurred_at`.
    month: &'static str,
    text: &'static str,
    length: &'static str,
}

/// Revenue by month. Rows that are not split by category come from facts alone: a sale counts when it was placed, money
/// that went back when that happened, a late capture nowhere. Which categories money went back for is in no fact, so rows
/// that are split come from the view.
fn revenue(words: &Words) -> String {
    let Words { month, text, length } = words;
    format!(
        "WITH countries AS (SELECT DISTINCT order_id, country FROM order_lines),
refunds AS (
    SELECT payments.occurred_at, payments.currency, countries.country, payments.amount, payments.reason
    FROM payments JOIN countries ON payments.order_id = countries.order_id
    WHERE payments.kind = 'RefundIssued' AND (payments.reason IS NULL OR payments.reason <> 'late_capture')
),
money AS (
    SELECT occurred_at, currency, country, amount AS gross, CAST(0 AS DECIMAL(18, 4)) AS returned,
        CAST(0 AS DECIMAL(18, 4)) AS adjusted FROM order_lines
    UNION ALL SELECT occurred_at, currency, country, CAST(0 AS DECIMAL(18, 4)) AS gross, amount AS returned,
        CAST(0 AS DECIMAL(18, 4)) AS adjusted FROM credit_lines
    UNION ALL SELECT occurred_at, currency, country, CAST(0 AS DECIMAL(18, 4)) AS gross,
        CAST(0 AS DECIMAL(18, 4)) AS returned, amount AS adjusted FROM adjustments
    UNION ALL SELECT occurred_at, currency, country, CAST(0 AS DECIMAL(18, 4)) AS gross, amount AS returned,
        CAST(0 AS DECIMAL(18, 4)) AS adjusted FROM refunds
        WHERE reason IN ('returned', 'cancelled', 'shipment_failed')
    UNION ALL SELECT occurred_at, currency, country, CAST(0 AS DECIMAL(18, 4)) AS gross,
        CAST(0 AS DECIMAL(18, 4)) AS returned, -amount AS adjusted FROM refunds
        WHERE reason IS NULL OR reason NOT IN ('returned', 'cancelled', 'shipment_failed')
),
monthly AS (SELECT {month} AS period, currency, country, gross, returned, adjusted FROM money)
SELECT period, currency, country, CAST(NULL AS {text}) AS category, SUM(gross) AS gross, SUM(returned) AS returned,
    SUM(adjusted) AS adjusted, SUM(gross) - SUM(returned) + SUM(adjusted) AS net
FROM monthly GROUP BY period, currency, country
UNION ALL
SELECT period, currency, country, category, gross, returned, adjusted, net
FROM revenue_current WHERE category IS NOT NULL AND {length}(period) = 7"
    )
}
