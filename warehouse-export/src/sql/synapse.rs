//! Views for Synapse serverless, which reads Delta tables of reader version 1 by itself.

use super::{TableFiles, Words, revenue};
use crate::schema::{Column, DATE, Kind};

/// An id has at most 128 characters, of up to four bytes.
fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Text if column.is_id => "varchar(512)",
        Kind::Text => "varchar(max)",
        Kind::Long => "bigint",
        Kind::Integer => "int",
        Kind::Decimal => "decimal(18, 4)",
        Kind::Timestamp => "datetime2(6)",
        Kind::Boolean => "bit",
    }
}

/// The URL as Synapse has it, of one with the scheme `abfss`; none of what it does not read.
fn location(url: &str) -> Option<String> {
    let (container, rest) = url.strip_prefix("abfss://")?.split_once('@')?;
    let (account, folder) = rest.split_once('/').unwrap_or((rest, ""));
    Some(format!("https://{account}/{container}/{folder}"))
}

pub fn views(url: &str, tables: &[TableFiles]) -> String {
    let words = Words { month: "CONVERT(char(7), occurred_at, 126)", text: "varchar(max)", length: "LEN" };
    let location = location(url.trim_end_matches('/'));
    let location = location.as_deref().unwrap_or("https://<account>.dfs.core.windows.net/<container>/<folder>");
    // The collation reads text as UTF-8 and keeps `85123a` and `85123A` apart.
    let mut sql = format!(
        "-- Views for Synapse serverless.\n\
         CREATE DATABASE shop COLLATE Latin1_General_100_BIN2_UTF8;\nGO\nUSE shop;\nGO\n\
         CREATE EXTERNAL DATA SOURCE shop WITH (LOCATION = '{}');\nGO\n",
        location.replace('\'', "''")
    );
    for TableFiles { schema, files: _ } in tables {
        let columns = schema.columns.iter().map(|column| format!("[{}] {}", column.name, kind(column)));
        let columns: Vec<String> = columns.chain(schema.is_dated.then(|| format!("[{DATE}] date"))).collect();
        sql += &format!(
            "CREATE OR ALTER VIEW {table} AS SELECT * FROM OPENROWSET(BULK '{table}/', DATA_SOURCE = 'shop', \
             FORMAT = 'DELTA') WITH (\n    {}\n) AS r;\nGO\n",
            columns.join(", "),
            table = schema.table
        );
    }
    sql + &format!("CREATE OR ALTER VIEW revenue AS {};\nGO\n", revenue(&words))
}
