//! Searches over HTTP: what reaches the index, at which epoch, and what of its answer is shown. An index that is told
//! what to find stands in for the real one.

use super::env::TestEnv;
use dataflows::command::InventoryPolicy;
use dataflows::epoch::Epoch;
use dataflows::finder::{
    FacetBy, FacetCount, FindError, Finder, Found, Hit, IndexAt, IndexStanding, NotThere, ShopAt, Sort, Wanted,
};
use parking_lot::Mutex;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// An index that has some epochs, and always finds `p1`.
#[derive(Clone, Default)]
struct Told {
    epoch: Arc<AtomicU64>,
    wanted: Arc<Mutex<Vec<Wanted>>>,
    /// What the store said of the stock of `A`.
    seen: Arc<Mutex<Vec<Option<i64>>>>,
}

struct ToldAt(Told, Epoch);

impl Told {
    fn newest(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Relaxed))
    }
}

impl Finder for Told {
    fn newest(&self, least: Epoch, _: Duration) -> Result<Arc<dyn IndexAt>, NotThere> {
        let newest = Told::newest(self);
        if newest < least { Err(NotThere::NotYet { newest }) } else { Ok(Arc::new(ToldAt(self.clone(), newest))) }
    }

    fn at(&self, epoch: Epoch, wait: Duration) -> Result<Arc<dyn IndexAt>, NotThere> {
        let newest = Told::newest(self);
        if epoch.0 + 1 < newest.0 {
            return Err(NotThere::Forgotten { newest });
        }
        Finder::newest(self, epoch, wait).map(|_| Arc::new(ToldAt(self.clone(), epoch)) as Arc<dyn IndexAt>)
    }

    fn standing(&self) -> IndexStanding {
        IndexStanding::default()
    }
}

impl IndexAt for ToldAt {
    fn epoch(&self) -> Epoch {
        self.1
    }

    fn find(&self, wanted: &Wanted, shop: &dyn ShopAt) -> Result<Found, FindError> {
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
        Ok(Found { hits: vec![hit], facets, total: 2, has_more: wanted.after.is_none() })
    }

    fn suggest(&self, text: &str, limit: usize) -> Result<Vec<String>, FindError> {
        Ok(vec![format!("{text} lamp {limit}")])
    }
}

async fn env() -> (TestEnv, Told) {
    let told = Told::default();
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
    let full = Wanted {
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
    assert_eq!(*told.wanted.lock(), [full, Wanted { limit: 20, ..Wanted::default() }]);
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
