//! Views for Spark with Delta Lake, which finds the files of the newest version by itself.

use super::{TableFiles, Words, revenue};

pub fn views(root: &str, tables: &[TableFiles]) -> String {
    let words = Words { month: "date_format(occurred_at, 'yyyy-MM')", text: "STRING", length: "length" };
    let mut sql = "-- Views for Spark with Delta Lake.\nSET TIME ZONE 'UTC';\n".to_owned();
    for TableFiles { schema, files: _ } in tables {
        let path = format!("{root}/{}", schema.table).replace('`', "``");
        sql += &format!("CREATE OR REPLACE TEMPORARY VIEW {} AS SELECT * FROM delta.`{path}`;\n", schema.table);
    }
    sql + &format!("CREATE OR REPLACE TEMPORARY VIEW revenue AS {};\n", revenue(&words))
}
