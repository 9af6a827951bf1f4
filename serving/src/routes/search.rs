//! Product search: hits, facets and suggestions from the index, products with prices and stock from the store, both at
//! the epoch of the index. Not for finding: the port does that.

use super::Param;
use super::products::ProductJson;
use crate::app::App;
use crate::http::answer::{ApiResponse, ContentType};
use crate::http::blocking::run_blocking;
use crate::http::call::ApiRequest;
use crate::http::cursor::Cursor;
use crate::http::list::internal;
use crate::http::problem::{ApiErrorKind, Problem};
use crate::http::read_epoch::{self, ReadEpoch};
use crate::shop::StoreSnapshot;
use axum::http::header::LINK;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::money::parse_decimal;
use dataflows::contract::time::Timestamp;
use dataflows::ports::product_search::{
    EpochUnavailable, Explanation, FacetBy, FacetCount, Hit, IndexSnapshot, OfferContext, SearchError, SearchPage,
    SearchQuery, Sort,
};
use dataflows::shop::catalogue::InventoryPolicy;
use dataflows::shop::searches::observation::{Observation, SearchPerformed, normalised};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const Q: Param = Param { name: "q", kind: "string", about: "what somebody typed; every product if it is blank" };
const LIMIT: Param = Param { name: "limit", kind: "integer", about: "how many at most" };

/// The header by whose value clicks name a search.
const SEARCH_ID: HeaderName = HeaderName::from_static("tradewind-search-id");

/// The parameters of a search.
pub const PARAMS: &[Param] = &[
    Q,
    Param { name: "brand", kind: "string", about: "only this brand" },
    Param { name: "category", kind: "string", about: "a category path, joined by `/`, or its start" },
    Param { name: "price_min", kind: "string", about: "only with a variant that costs at least this" },
    Param { name: "price_max", kind: "string", about: "only with a variant that costs at most this" },
    Param { name: "in_stock", kind: "boolean", about: "`true`: only with a variant that can be bought now" },
    Param {
        name: "sort",
        kind: "string",
        about: "`relevance` (default), `price`, `-price`, `newest` (by the attribute `date_released`) or `popularity`",
    },
    Param {
        name: "facets",
        kind: "string",
        about: "what to count: `brand`, `category`, `price`, `attributes.<name>`, joined by commas",
    },
    Param { name: "explain", kind: "boolean", about: "`true`: say how each score came about" },
    LIMIT,
    Param { name: "cursor", kind: "string", about: "`next_cursor` of the page before" },
];

/// The parameters of suggestions.
pub const SUGGEST_PARAMS: &[Param] = &[Q, LIMIT];

/// The store at the epoch of the index.
impl OfferContext for StoreSnapshot<'_> {
    fn now(&self) -> Timestamp {
        StoreSnapshot::now(self)
    }

    fn available(&self, sku: &str, policy: InventoryPolicy) -> Option<i64> {
        StoreSnapshot::available(self, sku, policy)
    }
}

#[derive(Serialize)]
struct HitJson<'a> {
    product: ProductJson<'a>,
    score: f64,
    highlights: &'a BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<&'a Explanation>,
}

struct Facets<'a>(&'a [(String, Vec<FacetCount>)]);

impl Serialize for Facets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, counts) in self.0 {
            map.serialize_entry(name, counts)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct PageJson<'a> {
    data: Vec<Box<RawValue>>,
    facets: Facets<'a>,
    total: u64,
    next_cursor: Option<&'a str>,
}

#[derive(Serialize)]
struct Suggestion {
    text: String,
}

#[derive(Serialize)]
struct Suggestions {
    data: Vec<Suggestion>,
}

/// `GET /search`
pub async fn search(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let mut wanted = wanted(&app, &call)?;
    let list = format!("{}?{}", call.uri.path(), call.query.filter());
    let cursor = call.query.get("cursor").map(|text| Cursor::read(text, &list, &app.cursors)).transpose()?;
    // A further page, a look into the past or at the reasons is no new search.
    let is_search = cursor.is_none() && call.query.get("as_of").is_none() && !wanted.explain;
    let query = (app.config.publishes_searches && is_search).then(|| normalised(&wanted.text));
    let query = query.filter(|query| !query.is_empty());
    let peer = call.peer.address;
    let asked = SearchRequest::of(&app, &call, cursor.as_ref()).await?;
    wanted.after = cursor.map(|cursor| cursor.after);
    let (call, mut answer, total) = run_search(&app, move |app| {
        let (index, reading) = asked.open(app)?;
        let found = index.find(&wanted, &reading).map_err(broken)?;
        let answer = page(app, &found, &reading, &list, &call)?;
        Ok((call, read_epoch::ensure_valid(&reading, answer)?, found.total))
    })
    .await?;
    if let Some(query) = query {
        // Searches at random would leave a row for each.
        let now_ms = u64::try_from(app.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if peer.is_none_or(|address| app.observed.take(address, now_ms)) {
            observe(&app, query, total, &mut answer);
        } else {
            app.activity.pass_by();
        }
    }
    Ok(answer.with_etag(call.if_none_match()))
}

/// Publishes a search, and adds to the answer the id by which clicks name it; without randomness, neither.
fn observe(app: &App, query: SmolStr, results: u64, answer: &mut ApiResponse) {
    let Ok(random) = (app.entropy)() else { return };
    // 80 bits, for an id that is remembered for an hour.
    let search_id = format!("{:020x}", u128::from_be_bytes(random) & ((1 << 80) - 1));
    let observation = Observation::SearchPerformed(SearchPerformed {
        search_id: SmolStr::new(&search_id),
        query,
        results,
        epoch: answer.epoch.map(|epoch| epoch.0),
        customer_id: None,
        session_id: None,
        occurred_at: None,
    });
    app.activity.offer(&search_id, &observation);
    answer.set_header_opt(SEARCH_ID, HeaderValue::from_str(&search_id).ok());
}

/// `GET /search/suggest`
pub async fn suggest(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let limit = limit(&call, app.config.suggestions_default, app.config.suggestions_max)?;
    let text = call.query.get("q").unwrap_or_default().to_owned();
    let asked = SearchRequest::of(&app, &call, None).await?;
    let answer = run_search(&app, move |app| {
        let (index, reading) = asked.open(app)?;
        let texts = index.suggest(&text, limit).map_err(broken)?;
        let data = texts.into_iter().map(|text| Suggestion { text }).collect();
        read_epoch::ensure_valid(&reading, ApiResponse::json(&Suggestions { data }))
    })
    .await?;
    Ok(answer.with_etag(call.if_none_match()))
}

/// When a search is to be answered, once the store has that epoch.
#[derive(Clone, Copy)]
struct SearchRequest {
    when: ReadEpoch,
    wait: Duration,
}

impl SearchRequest {
    async fn of(app: &App, call: &ApiRequest, cursor: Option<&Cursor>) -> Result<SearchRequest, Problem> {
        let when = read_epoch::when(call, cursor)?;
        match when {
            ReadEpoch::At(epoch) => drop(read_epoch::at(app, epoch)?),
            ReadEpoch::Newest(least) => drop(read_epoch::newest(app, call, least).await?),
        }
        Ok(SearchRequest { when, wait: app.wait(call.prefer().wait_s) })
    }

    /// The index and the store at one epoch. May wait for the index, which follows the store.
    fn open(self, app: &App) -> Result<(Arc<dyn IndexSnapshot>, StoreSnapshot<'_>), Problem> {
        let late =
            |newest: Epoch| Problem::new(ApiErrorKind::NotYetFresh, format!("the product index has epoch {newest}"));
        let index = match self.when {
            ReadEpoch::At(epoch) => app.finder.at(epoch, self.wait),
            ReadEpoch::Newest(least) => {
                app.finder.newest(least.or_else(|| app.shop.floor()).unwrap_or_default(), self.wait)
            }
        };
        let index = index.map_err(|why| match why {
            EpochUnavailable::NotYet { newest } => late(newest),
            EpochUnavailable::Forgotten { newest } => {
                let detail = format!("searches reach back to pages that were asked for lately; the newest is {newest}");
                Problem::new(ApiErrorKind::EpochForgotten, detail)
            }
        })?;
        match (app.shop.read_at(index.epoch()), self.when) {
            (Ok(reading), _) => Ok((index, reading)),
            (Err(_), ReadEpoch::Newest(_)) => Err(late(index.epoch())),
            (Err(_), ReadEpoch::At(epoch)) => {
                Err(read_epoch::at(app, epoch).err().unwrap_or_else(|| late(index.epoch())))
            }
        }
    }
}

/// Searches, if not too many are searched for at once.
async fn run_search<T: Send + 'static>(
    app: &Arc<App>,
    act: impl FnOnce(&App) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let permit = Arc::clone(&app.searches).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::new(ApiErrorKind::Overloaded, "too many searches run at once"))?;
    let app = Arc::clone(app);
    run_blocking(move || {
        let _permit = permit;
        act(&app)
    })
    .await?
}

fn broken(error: SearchError) -> Problem {
    let fault = match error {
        SearchError::Broken(_) => ApiErrorKind::Internal,
        SearchError::Overloaded => ApiErrorKind::Overloaded,
    };
    Problem::new(fault, error.to_string())
}

fn page(
    app: &App,
    found: &SearchPage,
    reading: &StoreSnapshot<'_>,
    list: &str,
    call: &ApiRequest,
) -> Result<ApiResponse, Problem> {
    let SearchPage { hits, facets, total, has_more } = found;
    // As many hits as fit, and one that is too large for any page for itself.
    let mut data: Vec<Box<RawValue>> = Vec::with_capacity(hits.len());
    let mut bytes = 0;
    for hit in hits {
        let Hit { product_id, score, highlights, explain, place: _ } = hit;
        // The index and the store are at one epoch, unless it was forgotten meanwhile.
        let gone = || Problem::new(ApiErrorKind::EpochForgotten, "the epoch was forgotten while it was read");
        let product = reading.product(product_id).ok_or_else(gone)?;
        let product = ProductJson(product.as_ref(), reading);
        let row = HitJson { product, score: *score, highlights, explain: explain.as_ref() };
        let row = serde_json::value::to_raw_value(&row).map_err(internal)?;
        bytes += row.get().len() + 1;
        if !data.is_empty() && bytes > app.config.page_bytes_max {
            break;
        }
        data.push(row);
    }
    let is_cut = data.len() < hits.len();
    let after = data.len().checked_sub(1).and_then(|last| hits.get(last)).filter(|_| *has_more || is_cut);
    let after = after.map(|hit| Cursor { epoch: reading.epoch(), after: hit.place.clone() });
    let next = after.map(|cursor| cursor.text(list, &app.cursors));
    let json = PageJson { data, facets: Facets(facets), total: *total, next_cursor: next.as_deref() };
    let mut answer = ApiResponse::new(StatusCode::OK, ContentType::Json, serde_json::to_vec(&json).map_err(internal)?);
    if let Some(next) = &next {
        let link = format!("<{}?{}>; rel=\"next\"", call.uri.path(), call.query.with_cursor(next));
        answer.set_header_opt(LINK, HeaderValue::from_str(&link).ok());
    }
    Ok(answer)
}

fn wanted(app: &App, call: &ApiRequest) -> Result<SearchQuery, Problem> {
    let text = |name: &str| call.query.get(name).map(str::to_owned);
    let sort = call.query.get("sort").map(|name| {
        Sort::parse(name).ok_or_else(|| {
            Problem::invalid("/sort", "sort is `relevance`, `price`, `-price`, `newest` or `popularity`".to_owned())
        })
    });
    let names = call.query.get("facets").into_iter().flat_map(|names| names.split(','));
    let facet = |name: &str| {
        let wrong = || "a facet is `brand`, `category`, `price` or `attributes.<name>`".to_owned();
        FacetBy::parse(name.trim()).ok_or_else(|| Problem::invalid("/facets", wrong()))
    };
    let facets = names.map(facet).collect::<Result<Vec<_>, _>>()?;
    if facets.len() > app.config.facets_max {
        return Err(Problem::invalid("/facets", format!("at most {} facets are counted", app.config.facets_max)));
    }
    Ok(SearchQuery {
        text: text("q").unwrap_or_default(),
        brand: text("brand"),
        category: text("category"),
        price_min: price(call, "price_min")?,
        price_max: price(call, "price_max")?,
        in_stock: flag(call, "in_stock")?,
        sort: sort.transpose()?.unwrap_or_default(),
        facets,
        explain: flag(call, "explain")?,
        limit: limit(call, app.config.hits_default, app.config.hits_max)?,
        after: None,
    })
}

fn limit(call: &ApiRequest, default: usize, most: usize) -> Result<usize, Problem> {
    match call.query.number("limit")? {
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::invalid("/limit", format!("limit is 1 to {most}"))),
        None => Ok(default),
    }
}

fn price(call: &ApiRequest, name: &'static str) -> Result<Option<i64>, Problem> {
    let wrong = |why| Problem::invalid(format!("/{name}"), format!("{name} is a number like 12.50: {why}"));
    call.query.get(name).map(|text| parse_decimal(text).map_err(wrong)).transpose()
}

fn flag(call: &ApiRequest, name: &'static str) -> Result<bool, Problem> {
    match call.query.get(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::invalid(format!("/{name}"), format!("{name} is `true` or `false`"))),
    }
}
