//! Lists: pages of rows in the order of a key, all pages of a cursor at one epoch.

use super::answer::{ApiResponse, ContentType};
use super::call::ApiRequest;
use super::cursor::Cursor;
use super::problem::{ApiErrorKind, Problem};
use super::read_epoch;
use crate::app::App;
use crate::shop::StoreSnapshot;
use access::root::Signer;
use axum::http::header::LINK;
use axum::http::{HeaderValue, StatusCode};
use dataflows::engine::budget::BytesReservation;
use serde::Serialize;

/// The limit of a page's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageLimit {
    /// Resources.
    Narrow,
    /// Rows of views and of analytics.
    Wide,
}

/// A page in the making.
pub struct PageBuilder<'a> {
    /// The epoch of the list.
    pub reading: StoreSnapshot<'a>,
    /// The last key of the page before.
    pub after: Option<String>,
    /// The list that the cursor is bound to: the route's path and its filter.
    list: String,
    limit: usize,
    rows: usize,
    last: String,
    body: Vec<u8>,
    bytes_max: usize,
    has_more: bool,
    signer: &'a Signer,
    budget: BytesReservation,
}

impl<'a> PageBuilder<'a> {
    /// The page that the request asks for, still empty.
    pub async fn of(app: &'a App, call: &ApiRequest, width: PageLimit) -> Result<PageBuilder<'a>, Problem> {
        let config = &app.config;
        let limit_max = match width {
            PageLimit::Narrow => config.page_rows_max,
            PageLimit::Wide => config.page_rows_max_wide,
        };
        let limit = match call.query.number("limit")? {
            Some(limit) if (1..=limit_max).contains(&limit) => limit,
            Some(_) => return Err(Problem::invalid("/limit", format!("limit is 1 to {limit_max}"))),
            None => config.page_rows_default,
        };
        let list = format!("{}?{}", call.uri.path(), call.query.filter());
        let cursor = call.query.get("cursor").map(|text| Cursor::read(text, &list, &app.cursors)).transpose()?;
        let reading = read_epoch::page(app, call, cursor.as_ref()).await?;
        let after = cursor.map(|cursor| cursor.after);
        let body = b"{\"data\":[".to_vec();
        Ok(PageBuilder {
            reading,
            after,
            list,
            limit,
            rows: 0,
            last: String::new(),
            body,
            bytes_max: config.page_bytes_max.saturating_sub(END_BYTES),
            has_more: false,
            signer: &app.cursors,
            budget: app.bytes.overdraw(0),
        })
    }

    /// The number of rows to read at most: one more than the page has, to know whether there is a next one.
    pub const fn rows_max(&self) -> usize {
        self.limit + 1
    }

    /// Takes a row in; false once the page is full.
    pub fn push(&mut self, key: &str, row: &impl Serialize) -> Result<bool, Problem> {
        let begin = self.body.len();
        if self.rows < self.limit {
            self.part();
            serde_json::to_writer(&mut self.body, row).map_err(internal)?;
        }
        self.keep(key, begin)
    }

    /// Takes a row of a view in; false once the page is full.
    pub fn push_row(&mut self, key: &str, value: &[u8]) -> Result<bool, Problem> {
        let begin = self.body.len();
        if self.rows < self.limit {
            self.part();
            row_json(&mut self.body, key, value);
        }
        self.keep(key, begin)
    }

    fn part(&mut self) {
        if self.rows > 0 {
            self.body.push(b',');
        }
    }

    /// Keeps the row that was written last, unless the page was full before it or is too large with it. A row that is too
    /// large for any page has one for itself.
    fn keep(&mut self, key: &str, begin: usize) -> Result<bool, Problem> {
        if self.rows == self.limit || self.rows > 0 && self.body.len() > self.bytes_max {
            self.body.truncate(begin);
            self.has_more = true;
            return Ok(false);
        }
        if !self.budget.grow_to(self.body.len()) {
            return Err(Problem::new(ApiErrorKind::Overloaded, "too many bytes of bodies and answers are under way"));
        }
        self.rows += 1;
        self.last.clear();
        self.last.push_str(key);
        Ok(true)
    }

    /// The page as an answer.
    pub fn answer(mut self, call: &ApiRequest) -> Result<ApiResponse, Problem> {
        let next = self
            .has_more
            .then(|| Cursor { epoch: self.reading.epoch(), after: self.last }.text(&self.list, self.signer));
        self.body.extend_from_slice(b"],\"next_cursor\":");
        serde_json::to_writer(&mut self.body, &next).map_err(internal)?;
        self.body.push(b'}');
        let mut answer = ApiResponse::new(StatusCode::OK, ContentType::Json, self.body);
        if let Some(next) = next {
            let link = format!("<{}?{}>; rel=\"next\"", call.uri.path(), call.query.with_cursor(&next));
            answer.set_header_opt(LINK, HeaderValue::from_str(&link).ok());
        }
        read_epoch::ensure_valid(&self.reading, answer)
    }
}

/// The bytes left for the end of a page, with its cursor.
const END_BYTES: usize = 2 << 10;

/// Writes a row of a view as `{key, value}`, the value as it is published.
pub fn row_json(body: &mut Vec<u8>, key: &str, value: &[u8]) {
    body.extend_from_slice(b"{\"key\":");
    serde_json::to_writer(&mut *body, key).expect("a text can be written to memory");
    body.extend_from_slice(b",\"value\":");
    body.extend_from_slice(value);
    body.push(b'}');
}

/// JSON that could not be written.
pub fn internal(error: serde_json::Error) -> Problem {
    Problem::new(ApiErrorKind::Internal, error.to_string())
}
