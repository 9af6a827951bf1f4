//! Views for DuckDB.

use super::{TableFiles, Words, revenue};
use crate::schema::{DATE, Kind};

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "VARCHAR",
        Kind::Long => "BIGINT",
        Kind::Integer => "INTEGER",
        Kind::Decimal => "DECIMAL(18, 4)",
        Kind::Timestamp => "TIMESTAMP WITH TIME ZONE",
        Kind::Boolean => "BOOLEAN",
    }
}

/// A file's name as a text, in which DuckDB takes these for patterns.
fn quoted(file: &str) -> String {
    let mut text = String::from("'");
    for letter in file.chars() {
        match letter {
            '\'' => text += "''",
            '[' | '*' | '?' => text.extend(['[', letter, ']']),
            _ => text.push(letter),
        }
    }
    text + "'"
}

fn view(table: &TableFiles) -> String {
    let TableFiles { schema, files } = table;
    let names: Vec<String> = table.names().map(|name| format!("\"{name}\"")).collect();
    let columns = schema.columns.iter().map(|column| (column.name, kind(column.kind)));
    let columns = columns.chain(schema.is_dated.then_some((DATE, "DATE")));
    // First no row of all columns: a table may have no file, and a file may be older than a column.
    let columns: Vec<String> = columns.map(|(name, kind)| format!("CAST(NULL AS {kind}) AS \"{name}\"")).collect();
    let mut sql = format!(
        "CREATE OR REPLACE VIEW {} AS SELECT {} FROM (\n    SELECT {} WHERE false",
        schema.table,
        names.join(", "),
        columns.join(", ")
    );
    if !files.is_empty() {
        let partitions = if schema.is_dated {
            "hive_partitioning = true, hive_types = {'date': DATE}"
        } else {
            "hive_partitioning = false"
        };
        let files: Vec<String> = files.iter().map(|file| format!("        {}", quoted(file))).collect();
        sql += &format!(
            "\n    UNION ALL BY NAME SELECT * FROM read_parquet([\n{}\n    ], union_by_name = true, {partitions})",
            files.join(",\n")
        );
    }
    sql + "\n);\n"
}

pub fn views(root: &str, tables: &[TableFiles]) -> String {
    let words = Words { month: "strftime(occurred_at AT TIME ZONE 'UTC', '%Y-%m')", text: "VARCHAR", length: "length" };
    let mut sql = format!(
        "-- Views over the tables in {}, for DuckDB. They name the files of now: print them again for newer rows, at the\n\
         -- latest when replaced files are deleted (export.grace_current_s, export.grace_s).\n",
        root.replace('\n', " ")
    );
    sql.extend(tables.iter().map(view));
    sql + &format!("CREATE OR REPLACE VIEW revenue AS {};\n", revenue(&words))
}
