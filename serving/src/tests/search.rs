//! Searches over HTTP: what reaches the index, at which epoch, and what of its answer is shown. An index with given
//! results replaces the real one.

use super::env::{Mode, TestEnv};
use crate::Config;
use crate::http::peer::Peer;
use axum::body::Body;
use axum::http::Request;
use dataflows::contract::changes::{Change, ViewChanges};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use dataflows::ports::AppendError;
use dataflows::ports::product_search::{
    EpochUnavailable, FacetBy, FacetCount, Hit, IndexSnapshot, IndexStatus, OfferContext, ProductSearch, SearchError,
    SearchPage, SearchQuery, Sort,
};
use dataflows::shop::catalogue::InventoryPolicy;
use dataflows::views::revenue::Grain;
use dataflows::views::searches::{SearchKey, SearchSums, Searches};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// An index that has some epochs, and always finds `p1`.
#[derive(Clone, Default)]
struct TestIndex {
    epoch: Arc<AtomicU64>,
    wanted: Arc<Mutex<Vec<SearchQuery>>>,
    /// The stock of `A` according to the store.
    seen: Arc<Mutex<Vec<Option<i64>>>>,
}

struct ToldAt(TestIndex, Epoch);

impl TestIndex {
    fn newest(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Relaxed))
    }
}

impl ProductSearch for TestIndex {
    fn newest(&self, least: Epoch, _: Duration) -> Result<Arc<dyn IndexSnapshot>, EpochUnavailable> {
        let newest = TestIndex::newest(self);
        if newest < least {
            Err(EpochUnavailable::NotYet { newest })
        } else {
            Ok(Arc::new(ToldAt(self.clone(), newest)))
        }
    }

    fn at(&self, epoch: Epoch, wait: Duration) -> Result<Arc<dyn IndexSnapshot>, EpochUnavailable> {
        let newest = TestIndex::newest(self);
        if epoch.0 + 1 < newest.0 {
            return Err(EpochUnavailable::Forgotten { newest });
        }
        ProductSearch::newest(self, epoch, wait)
            .map(|_| Arc::new(ToldAt(self.clone(), epoch)) as Arc<dyn IndexSnapshot>)
    }

    fn standing(&self) -> IndexStatus {
        IndexStatus::default()
    }
}

impl IndexSnapshot for ToldAt {
    fn epoch(&self) -> Epoch {
        self.1
    }

    fn find(&self, wanted: &SearchQuery, shop: &dyn OfferContext) -> Result<SearchPage, SearchError> {
        self.0.wanted.lock().push(wanted.clone());
        self.0.seen.lock().push(shop.available("A", InventoryPolicy::Reserve));
        let hit = Hit {
            product_id: "p1".into(),
            score: 1.5,
            highlights: BTreeMap::from([("title", "<em>Lamp</em>".to_owned())]),
            explain: None,
            place: "00p1".to_owned(),
        };
        let facets = vec![("brand".to_owned(), vec![FacetCount { value: "Acme".into(), count: 1 }])];
        Ok(SearchPage { hits: vec![hit], facets, total: 2, has_more: wanted.after.is_none() })
    }

    fn suggest(&self, text: &str, limit: usize) -> Result<Vec<String>, SearchError> {
        Ok(vec![format!("{text} lamp {limit}")])
    }
}

async fn env() -> (TestEnv, TestIndex) {
    let told = TestIndex::default();
    told.epoch.store(3, Ordering::Relaxed);
    (TestEnv::finding(Arc::new(told.clone())).await, told)
}

#[tokio::test]
async fn a_hit_is_the_product_page_of_the_indexs_epoch() {
    let (env, told) = env().await;
    env.order("o1", 2).await;
    let (found, page) = (env.get("/api/v1/search?q=lamp").await, env.get("/api/v1/products/p1?as_of=3").await);
    assert_eq!((found.status.as_u16(), found.epoch()), (200, 3), "the store is further than the index");
    let next = found.json()["next_cursor"].clone();
    assert_eq!(
        found.json(),
        json!({
            "data": [{ "product": page.json(), "score": 1.5, "highlights": { "title": "<em>Lamp</em>" } }],
            "facets": { "brand": [{ "value": "Acme", "count": 1 }] },
            "total": 2,
            "next_cursor": next,
        })
    );
    assert_eq!(*told.seen.lock().last().unwrap(), Some(10), "before the order");
    told.epoch.store(4, Ordering::Relaxed);
    assert_eq!(env.get("/api/v1/search?q=lamp").await.epoch(), 4);
    assert_eq!(*told.seen.lock().last().unwrap(), Some(8));

    let tag = found.header("etag").to_owned();
    let again = env.get_with("/api/v1/search?q=lamp&as_of=3", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status.as_u16(), again.epoch()), (304, 3));
}

#[tokio::test]
async fn a_cursor_goes_on_at_its_epoch_until_the_index_has_forgotten_it() {
    let (env, told) = env().await;
    let first = env.get("/api/v1/search?q=lamp&limit=1").await;
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    assert!(first.header("link").contains("cursor=") && first.header("link").contains("q=lamp"));
    env.log.cut();
    told.epoch.store(4, Ordering::Relaxed);
    let second = env.get(&format!("/api/v1/search?q=lamp&limit=1&cursor={cursor}")).await;
    assert_eq!((second.epoch(), &second.json()["next_cursor"]), (3, &json!(null)));
    assert_eq!(told.wanted.lock().last().unwrap().after.as_deref(), Some("00p1"));
    let other = env.get(&format!("/api/v1/search?q=lamps&cursor={cursor}")).await;
    assert_eq!(other.problem(), (400, "bad_cursor".to_owned()));
    env.log.cut();
    told.epoch.store(5, Ordering::Relaxed);
    let late = env.get(&format!("/api/v1/search?q=lamp&cursor={cursor}")).await;
    assert_eq!(late.problem(), (410, "epoch_forgotten".to_owned()));
}

#[tokio::test]
async fn every_parameter_reaches_the_index() {
    let (env, told) = env().await;
    let query = "q=red+lamp&brand=Acme&category=Home/Light&price_min=1.5&price_max=20&in_stock=true&sort=-price\
        &facets=brand,category,price,attributes.colour&explain=true&limit=7";
    assert_eq!(env.get(&format!("/api/v1/search?{query}")).await.status, 200);
    assert_eq!(env.get("/api/v1/search").await.status, 200);
    let full = SearchQuery {
        text: "red lamp".to_owned(),
        brand: Some("Acme".to_owned()),
        category: Some("Home/Light".to_owned()),
        price_min: Some(15_000),
        price_max: Some(200_000),
        in_stock: true,
        sort: Sort::PriceDown,
        facets: vec![FacetBy::Brand, FacetBy::Category, FacetBy::Price, FacetBy::Attribute("colour".into())],
        explain: true,
        limit: 7,
        after: None,
    };
    assert_eq!(*told.wanted.lock(), [full, SearchQuery { limit: 20, ..SearchQuery::default() }]);
    let suggested = env.get("/api/v1/search/suggest?q=red&limit=3").await;
    assert_eq!((suggested.epoch(), suggested.json()), (3, json!({ "data": [{ "text": "red lamp 3" }] })));
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let (env, _) = env().await;
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("price_min=cheap", "/price_min"),
        ("price_max=1.23456", "/price_max"),
        ("in_stock=maybe", "/in_stock"),
        ("explain=1", "/explain"),
        ("sort=best", "/sort"),
        ("facets=colour", "/facets"),
        ("facets=attributes.", "/facets"),
    ] {
        let reply = env.get(&format!("/api/v1/search?q=x&{query}")).await;
        assert_eq!(reply.problem(), (422, "invalid".to_owned()), "{query}");
        assert_eq!(reply.json()["errors"][0]["pointer"], pointer);
    }
    let many = format!("/api/v1/search?facets={}", vec!["brand"; 17].join(","));
    assert_eq!(env.get(&many).await.problem(), (422, "invalid".to_owned()));
    assert_eq!(env.get("/api/v1/search/suggest?q=x&limit=21").await.problem(), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn an_epoch_that_the_index_has_not_is_waited_for_or_refused() {
    let (env, told) = env().await;
    env.log.cut();
    let least = [("tradewind-min-epoch", "4"), ("prefer", "wait=0")];
    let early = env.get_with("/api/v1/search?q=lamp", &least).await;
    assert_eq!(early.problem(), (503, "not_yet_fresh".to_owned()));
    told.epoch.store(4, Ordering::Relaxed);
    assert_eq!(env.get_with("/api/v1/search?q=lamp", &least).await.epoch(), 4);
    assert_eq!(env.get("/api/v1/search?q=lamp&as_of=9").await.problem(), (404, "epoch_unknown".to_owned()));
    assert_eq!(env.get("/api/v1/search?q=lamp&as_of=2").await.problem(), (410, "epoch_forgotten".to_owned()));
    let both = env.get_with("/api/v1/search?q=lamp&as_of=3", &least).await;
    assert_eq!(both.problem(), (400, "as_of_with_min_epoch".to_owned()));
    let none = TestEnv::new();
    assert_eq!(none.get("/api/v1/search?q=lamp").await.problem(), (503, "not_yet_fresh".to_owned()));
}

#[tokio::test]
async fn the_schemas_are_what_is_written() {
    let (env, _) = env().await;
    let document = env.get("/openapi.json").await.json();
    let found = env.get("/api/v1/search?q=lamp").await.json();
    super::document::matches(&document["components"]["schemas"], &json!({"$ref": "x/SearchPage"}), &found, "search");
    let texts = env.get("/api/v1/search/suggest?q=lamp").await.json();
    super::document::matches(&document["components"]["schemas"], &json!({"$ref": "x/Suggestions"}), &texts, "suggest");
}

/// Lets what was gathered go to the log; time runs by itself while nothing else is to do.
async fn gathered(env: &TestEnv, count: usize) -> Vec<Value> {
    for _ in 0..100 {
        let observed = env.log.observed();
        if observed.len() >= count {
            return observed.iter().map(|publication| serde_json::from_slice(&publication.data).unwrap()).collect();
        }
        tokio::time::advance(Duration::from_millis(5)).await;
        tokio::task::yield_now().await;
    }
    panic!("{count} observations never came: {:?}", env.log.observed());
}

#[tokio::test(start_paused = true)]
async fn a_search_is_told_to_the_log_unless_it_is_none() {
    let (env, _) = env().await;
    let found = env.get("/api/v1/search?q=Red++LAMP").await;
    let search_id = found.header("tradewind-search-id").to_owned();
    assert_eq!(search_id.len(), 20);
    let next = found.json()["next_cursor"].as_str().unwrap().to_owned();
    for other in
        [format!("q=Red++LAMP&cursor={next}"), "q=lamp&explain=true".into(), "q=lamp&as_of=3".into(), "q=+".into()]
    {
        let found = env.get(&format!("/api/v1/search?{other}")).await;
        assert_eq!((found.status.as_u16(), found.header("tradewind-search-id")), (200, ""), "{other}");
    }
    env.get("/api/v1/search?q=usb").await;
    let observed = gathered(&env, 2).await;
    let expected = json!({"search_id": search_id, "query": "red lamp", "results": 2, "epoch": 3, "customer_id": null,
        "session_id": null, "occurred_at": null});
    assert_eq!((observed.len(), &observed[0], &observed[1]["query"]), (2, &expected, &json!("usb")));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_costs_observations_and_no_search() {
    let (env, _) = env().await;
    for mode in [Mode::Fail(AppendError::Overloaded), Mode::Silent] {
        env.set_mode(mode);
        assert_eq!(env.get("/api/v1/search?q=lamp").await.status, 200);
        // Longer than the log may take, on a clock that is stalled until all tasks wait.
        let longer = tokio::time::timeout(Duration::from_secs(11), std::future::pending::<()>());
        assert!(longer.await.is_err());
    }
    let metrics = env.get("/metrics").await;
    assert!(metrics.text().contains("search_observations_total{result=\"dropped\"} 2"), "{}", metrics.text());
    env.set_mode(Mode::Hold);
    env.get("/api/v1/search?q=lamp").await;
    gathered(&env, 1).await;
}

#[tokio::test]
async fn an_observation_of_a_client_is_acknowledged_by_the_log_or_refused_by_its_place() {
    let (env, _) = env().await;
    let post = |body: &'static str| env.call("POST", "/api/v1/activity", &[("idempotency-key", "e1")], body);
    let taken =
        post(r#"{"type":"SearchResultClicked","data":{"search_id":"s","product_id":"p1","session_id":"t"}}"#).await;
    let origin = json!({"topic": "activity", "partition": 0, "offset": 0});
    let expected = json!({"event_id": "e1", "type": "SearchResultClicked", "origin": origin});
    assert_eq!((taken.status.as_u16(), taken.json()), (202, expected));
    assert_eq!(env.log.observed()[0].key, "t");
    for (body, pointer) in [
        (r#"{"data":{}}"#, "/type"),
        (r#"{"type":"PlaceOrder","data":{}}"#, "/type"),
        (r#"{"type":"SearchPerformed"}"#, "/data"),
        (r#"{"type":"SearchPerformed","data":{"search_id":"s","query":"q","results":-1}}"#, "/data/results"),
    ] {
        let refused = post(body).await;
        assert_eq!(
            (refused.problem(), &refused.json()["errors"][0]["pointer"]),
            ((422, "invalid".to_owned()), &json!(pointer)),
            "{body}"
        );
    }
    env.set_mode(Mode::Fail(AppendError::Unavailable("gone".to_owned())));
    let away = post(r#"{"type":"SearchResultClicked","data":{"search_id":"s","product_id":"p1"}}"#).await;
    assert_eq!(away.problem(), (503, "log_unavailable".to_owned()));
}

fn searches(day: &str, query: &str, sums: [i64; 4]) -> Change<Searches> {
    let at = Timestamp::parse(&format!("{day}T12:00:00Z")).unwrap();
    let [searches, without_results, clicks, searches_with_click] = sums;
    let sums = SearchSums { searches, without_results, clicks, searches_with_click };
    let key = SearchKey { day: Grain::Day.period(at), query: query.into() };
    Change { before: None, after: Some(Arc::new(Searches { key, sums })) }
}

#[tokio::test]
async fn queries_are_ranked_over_days() {
    let env = TestEnv::new();
    let all = [
        searches("2026-01-01", "lamp", [5, 0, 9, 2]),
        searches("2026-01-02", "cable", [3, 1, 1, 1]),
        searches("2026-01-02", "lamp", [1, 0, 0, 0]),
        searches("2026-01-02", "mouse", [3, 3, 0, 0]),
        searches("2026-01-03", "desk", [9, 0, 9, 9]),
    ];
    env.log.publish_rows(ViewChanges { searches: all.to_vec(), ..ViewChanges::default() });
    let queries = async |query: &str| -> Vec<String> {
        let found = env.get(&format!("/api/v1/analytics/search?{query}")).await;
        assert_eq!((found.status.as_u16(), found.epoch()), (200, 2), "{query}");
        let json = found.json();
        json["data"].as_array().unwrap().iter().map(|row| row["query"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(queries("").await, ["desk", "lamp", "cable", "mouse"]);
    assert_eq!(queries("to=2026-01-03").await, ["lamp", "cable", "mouse"]);
    assert_eq!(queries("by=top&from=2026-01-02&to=2026-01-03&limit=2").await, ["cable", "mouse"], "equals by query");
    assert_eq!(queries("by=without_results").await, ["mouse", "cable"]);
    assert_eq!(queries("by=click_through").await, ["desk", "cable", "lamp", "mouse"], "a third each, by query");
    let lamp = env.get("/api/v1/analytics/search?to=2026-01-03&limit=1").await.json();
    let row = json!({"query": "lamp", "searches": 6, "without_results": 0, "clicks": 9, "click_through": 0.3333});
    assert_eq!(lamp, json!({ "data": [row] }));
    for (query, pointer) in [("by=best", "/by"), ("from=2026-01", "/from"), ("to=x", "/to"), ("limit=1001", "/limit")] {
        let refused = env.get(&format!("/api/v1/analytics/search?{query}")).await;
        assert_eq!((refused.problem().0, &refused.json()["errors"][0]["pointer"]), (422, &json!(pointer)), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_an_address_so_many_searches_are_observed_and_more_are_only_counted() {
    let (env, _) = env().await;
    let search = async |address: &str| {
        let mut request = Request::get("/api/v1/search?q=lamp").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer { address: address.parse().ok(), ..Peer::default() });
        let response = env.send_request(request).await;
        (response.status().as_u16(), response.headers().contains_key("tradewind-search-id"))
    };
    for _ in 0..Config::default().observed_searches_an_hour {
        assert_eq!(search("10.0.0.1").await, (200, true));
    }
    assert_eq!(search("10.0.0.1").await, (200, false), "it is answered, and not observed");
    assert_eq!(search("10.0.0.2").await, (200, true), "others have their own");
    assert_eq!(search("this machine").await, (200, true), "who is not told apart has none");
    let metrics = env.get("/metrics").await;
    let line = "tradewind_search_observations_total{result=\"unobserved\"} 1";
    assert!(metrics.text().contains(line), "{}", metrics.text());
}
