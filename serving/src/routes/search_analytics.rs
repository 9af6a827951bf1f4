//! The queries searched for, ranked: sums of the kept rows over days. Not for searching.

use super::Param;
use super::analytics::{period_of, range};
use crate::app::App;
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::problem::Problem;
use crate::http::read_epoch;
use dataflows::contract::time::Timestamp;
use dataflows::views::revenue::{Grain, Period};
use dataflows::views::searches::{SearchKey, SearchSums};
use serde::Serialize;
use smol_str::SmolStr;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// The parameters.
pub const PARAMS: &[Param] = &[
    Param { name: "by", kind: "string", about: "`top` (default), `without_results` or `click_through`" },
    Param { name: "from", kind: "string", about: "the first day, like 2026-11-25" },
    Param { name: "to", kind: "string", about: "the day after the last one" },
    Param { name: "limit", kind: "integer", about: "at most so many, 1 to 1,000; 50 if it is absent" },
];

/// The figure that queries are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Top,
    WithoutResults,
    ClickThrough,
}

impl By {
    fn read(call: &ApiRequest) -> Result<By, Problem> {
        match call.query.get("by") {
            None | Some("top") => Ok(By::Top),
            Some("without_results") => Ok(By::WithoutResults),
            Some("click_through") => Ok(By::ClickThrough),
            Some(_) => Err(Problem::invalid("/by", "by is top, without_results or click_through")),
        }
    }

    /// Puts the rows in order, and leaves out those that are not meant.
    fn rank(self, rows: &mut Vec<(SmolStr, SearchSums)>) {
        // The rows come by query, and the order of equals stays.
        match self {
            By::Top => rows.sort_by_key(|(_, sums)| Reverse(sums.searches)),
            By::WithoutResults => {
                rows.retain(|(_, sums)| sums.without_results > 0);
                rows.sort_by_key(|(_, sums)| Reverse(sums.without_results));
            }
            By::ClickThrough => rows.sort_by(|(_, one), (_, other)| {
                // Exact: as products, not as quotients.
                let part =
                    |of: &SearchSums, by: &SearchSums| i128::from(of.searches_with_click) * i128::from(by.searches);
                part(other, one).cmp(&part(one, other))
            }),
        }
    }
}

/// A row of the answer.
#[derive(Serialize)]
struct SearchRowJson {
    query: SmolStr,
    searches: i64,
    without_results: i64,
    clicks: i64,
    /// The part of the searches from which something was opened.
    click_through: f64,
}

#[derive(Serialize)]
struct RankedSearch {
    data: Vec<SearchRowJson>,
}

fn row((query, sums): (SmolStr, SearchSums)) -> SearchRowJson {
    let SearchSums { searches, without_results, clicks, searches_with_click } = sums;
    let ten_thousandths = i128::from(searches_with_click) * 10_000 / i128::from(searches.max(1));
    SearchRowJson { query, searches, without_results, clicks, click_through: ten_thousandths as f64 / 10_000.0 }
}

/// `GET /analytics/search?by=top|without_results|click_through&from=&to=&limit=`
pub async fn get(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let by = By::read(&call)?;
    let (from, to) = range(day(&call, "from")?, day(&call, "to")?)?;
    let limit = call.query.number("limit")?.unwrap_or(app.config.page_rows_default);
    if !(1..=app.config.page_rows_max_wide).contains(&limit) {
        return Err(Problem::invalid("/limit", format!("limit is 1 to {}", app.config.page_rows_max_wide)));
    }
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    let begin = from.unwrap_or_else(|| Grain::Day.period(Timestamp::from_micros(i64::MIN)));
    let start = Bound::Included(SearchKey { day: begin, query: SmolStr::default() });
    let mut queries = BTreeMap::<SmolStr, SearchSums>::new();
    let rows = reading.views().searches.indexes.by_day.range((start, Bound::Unbounded), reading.at());
    for (seen, (key, row)) in rows.enumerate() {
        if to.is_some_and(|to| key.day >= to) {
            break;
        }
        if seen >= app.config.search_rows_max {
            let detail = format!("these days have over {} rows; ask for fewer days", app.config.search_rows_max);
            return Err(Problem::invalid("/from", detail));
        }
        queries.entry(key.query).or_default().add(&row.sums);
        if seen % app.config.scan_rows_at_once == app.config.scan_rows_at_once - 1 {
            tokio::task::yield_now().await;
        }
    }
    let mut ranked: Vec<_> = queries.into_iter().collect();
    by.rank(&mut ranked);
    ranked.truncate(limit);
    let answer = ApiResponse::json(&RankedSearch { data: ranked.into_iter().map(row).collect() });
    Ok(read_epoch::ensure_valid(&reading, answer)?.with_etag(call.if_none_match()))
}

fn day(call: &ApiRequest, name: &'static str) -> Result<Option<Period>, Problem> {
    let wrong = || Problem::invalid(format!("/{name}"), format!("{name} is a day like 2026-11-25"));
    call.query.get(name).map(|text| period_of(Grain::Day, text).ok_or_else(wrong)).transpose()
}
