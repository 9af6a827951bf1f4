//! Reads over HTTP: at which epoch, in which pages, with which headers.

use super::env::{PRODUCT, TestEnv, order};
use crate::http::cursor::Cursor;
use crate::{Config, NodeStatus, Standstill};
use access::root::{Purpose, Roots};
use dataflows::contract::epoch::Epoch;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test]
async fn nothing_can_be_read_while_the_log_is_taken_in() {
    let env = TestEnv::replaying(Config::default());
    env.log.publish("m1", "PutPolicy", "{}");
    env.log.publish("m2", "PutPolicy", "{}");
    assert_eq!(env.get("/api/v1/epochs/latest").await.problem(), (503, "starting".to_owned()));
    let ready = env.get("/health/ready").await;
    assert_eq!((ready.status.as_u16(), ready.json()["ready"].as_bool()), (503, Some(false)));
    assert_eq!(ready.json()["epoch"], 2);
    env.shop.live_from(dataflows::contract::epoch::Epoch(3));
    assert!(env.shop.is_replaying());
    env.log.publish("m3", "PutPolicy", "{}");
    env.shop.set_ready(true, "");
    assert_eq!(env.get("/health/ready").await.status, 200);
    assert_eq!(env.get("/api/v1/epochs/latest").await.json()["epoch"], 3);
    assert_eq!(env.get("/api/v1/epochs/2").await.problem(), (410, "epoch_forgotten".to_owned()));
    assert_eq!(env.get("/api/v1/operations/m1").await.status, 200);
}

#[tokio::test]
async fn a_single_resource_is_tagged_by_its_content() {
    let env = TestEnv::stocked().await;
    let first = env.get("/api/v1/products/p1").await;
    assert_eq!((first.epoch(), first.header("content-type")), (3, "application/json"));
    let tag = first.header("etag").to_owned();
    env.log.cut();
    for known in [tag.clone(), "*".to_owned(), format!("\"other\", {tag}"), tag.trim_start_matches("W/").to_owned()] {
        let same = env.get_with("/api/v1/products/p1", &[("if-none-match", &known)]).await;
        assert_eq!((same.status.as_u16(), same.body.len(), same.epoch()), (304, 0, 4), "{known}");
        assert_eq!(same.header("etag"), tag);
    }
    env.order("k1", 1).await;
    let other = env.get_with("/api/v1/products/p1", &[("if-none-match", &tag)]).await;
    assert_eq!((other.status.as_u16(), &other.json()["variants"][0]["available"]), (200, &json!(9)));
    assert_ne!(other.header("etag"), tag);
}

#[tokio::test]
async fn a_product_shows_the_price_of_now_and_what_is_there() {
    let env = TestEnv::stocked().await;
    let price = r#"{"price":{"amount":"9.99","currency":"GBP"},"valid_from":"2026-01-01T00:00:05Z"}"#;
    let put = env.call("PUT", "/api/v1/products/p1/variants/A/price", &[], price).await;
    assert_eq!((put.status.as_u16(), &put.json()["variants"][0]["price"]["amount"]), (200, &json!("12.50")));
    env.log.cut();
    env.log.cut();
    let product = env.get("/api/v1/products/p1").await.json();
    let variants = &product["variants"];
    assert_eq!((&variants[0]["price"]["amount"], &variants[0]["available"]), (&json!("9.99"), &json!(10)));
    assert_eq!(variants[1]["available"], Value::Null);
    assert_eq!(env.get("/api/v1/products/p1?as_of=4").await.json()["variants"][0]["price"]["amount"], "12.50");
    let row = env.get("/api/v1/views/products").await.json();
    assert_eq!(row["data"][0]["value"]["variants"][0]["price"]["amount"], "12.50");
    assert!(row["data"][0]["value"]["variants"][0].get("available").is_none());
    let unknown = env.call("PUT", "/api/v1/products/p1/variants/X/price", &[], price).await;
    assert_eq!(unknown.problem(), (404, "unknown_sku".to_owned()));
}

#[tokio::test]
async fn every_sku_of_the_catalogue_has_stock() {
    let env = TestEnv::stocked().await;
    let location = json!({"location": "main", "on_hand": 10, "reserved": 0, "available": 10});
    let stock = json!({"sku": "A", "on_hand": 10, "reserved": 0, "available": 10, "locations": [location]});
    assert_eq!(env.get("/api/v1/stock/A").await.json(), stock);
    let nothing = json!({"sku": "B", "on_hand": null, "reserved": null, "available": null, "locations": []});
    assert_eq!(env.get("/api/v1/stock/B").await.json(), nothing);
    let left_out = PRODUCT.replace("\"B\"", "\"a/b c\"").replace(",\"inventory_policy\":\"none\"", "");
    assert_eq!(env.call("PUT", "/api/v1/products/p1", &[], left_out).await.status, 200);
    assert_eq!(env.get("/api/v1/stock/B").await.json(), nothing);
    assert_eq!(env.get("/api/v1/stock/a%2Fb%20c").await.json()["available"], 0);
    assert_eq!(env.get("/api/v1/stock/b").await.problem(), (404, "unknown_sku".to_owned()));
    assert_eq!(env.get("/api/v1/stock/%ff").await.problem(), (400, "malformed".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_epoch_can_be_named_or_waited_for() {
    let env = TestEnv::stocked().await;
    env.order("k1", 1).await;
    let env = &env;
    let stock = |query: &'static str| async move { env.get(&format!("/api/v1/stock/A{query}")).await };
    let before = stock("?as_of=3").await;
    assert_eq!((before.epoch(), &before.json()["available"]), (3, &json!(10)));
    assert_eq!(stock("?as_of=9").await.problem(), (404, "epoch_unknown".to_owned()));
    assert_eq!(stock("?as_of=x").await.problem(), (422, "invalid".to_owned()));
    assert_eq!(stock("?as_of=x").await.json()["errors"][0]["pointer"], "/as_of");
    let min = |epoch: &'static str| [("tradewind-min-epoch", epoch), ("prefer", "wait=1")];
    let both = env.get_with("/api/v1/stock/A?as_of=3", &min("3")).await;
    assert_eq!(both.problem(), (400, "as_of_with_min_epoch".to_owned()));
    assert_eq!(env.get_with("/api/v1/stock/A", &min("-3")).await.problem(), (400, "malformed".to_owned()));
    let late = env.get_with("/api/v1/stock/A", &min("5")).await;
    assert_eq!((late.problem(), late.header("retry-after")), ((503, "not_yet_fresh".to_owned()), "1"));
    assert_eq!(env.shop.waiting(), 0, "who leaves is forgotten");
    let headers = min("5");
    let (fresh, ()) = tokio::join!(env.get_with("/api/v1/stock/A", &headers), async { env.log.cut() });
    assert_eq!((fresh.status.as_u16(), fresh.epoch()), (200, 5));
}

#[tokio::test]
async fn history_ends_by_count_and_by_age() {
    let mut config = Config::default();
    config.history.epochs_max = 3;
    let env = TestEnv::with(config);
    (0..5).for_each(|_| env.log.cut());
    assert_eq!(env.get("/api/v1/epochs/latest").await.epoch(), 6);
    let forgotten = env.get("/api/v1/views?as_of=3").await;
    assert_eq!(forgotten.problem(), (410, "epoch_forgotten".to_owned()));
    assert!(forgotten.json()["detail"].as_str().is_some_and(|detail| detail.ends_with('4')), "{forgotten:?}");
    assert_eq!(env.get("/api/v1/views?as_of=4").await.epoch(), 4);
    env.now_ms.fetch_add(86_400_001, Ordering::Relaxed);
    env.log.cut();
    assert_eq!(env.get("/api/v1/epochs/6").await.problem(), (410, "epoch_forgotten".to_owned()));
    assert_eq!(env.get("/api/v1/epochs/7").await.json()["epoch"], 7);
    assert_eq!(env.get("/api/v1/epochs/8").await.problem(), (404, "epoch_unknown".to_owned()));
    assert_eq!(env.get("/api/v1/epochs/x").await.problem(), (404, "not_found".to_owned()));
}

/// Follows a list to its end, and gives the values at a pointer.
async fn pages(env: &TestEnv, first: &str, pointer: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = first.to_owned();
    loop {
        let reply = env.get(&next).await;
        let body = reply.json();
        let rows = body["data"].as_array().unwrap();
        let value = |row: &Value| row.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        pages.push(rows.iter().map(value).collect());
        let link = reply.header("link");
        assert_eq!(link.is_empty(), body["next_cursor"].is_null());
        if link.is_empty() {
            return pages;
        }
        next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        assert!(next.contains(body["next_cursor"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn the_pages_of_a_list_are_at_one_epoch() {
    let env = TestEnv::stocked().await;
    for n in 1..=5 {
        env.order(&format!("k{n}"), 1).await;
    }
    assert_eq!(
        pages(&env, "/api/v1/views/orders?limit=2&prefix=k", "/key").await,
        [vec!["k1", "k2"], vec!["k3", "k4"], vec!["k5"]]
    );
    let first = env.get("/api/v1/views/orders?limit=2").await;
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    env.order("k11", 1).await;
    let second = env.get(&format!("/api/v1/views/orders?limit=1000&cursor={cursor}")).await;
    assert_eq!((second.epoch(), second.json()["data"].as_array().unwrap().len()), (first.epoch(), 3));
    let bad = (400, "bad_cursor".to_owned());
    for path in ["views/orders?prefix=k", "views/stock?limit=2", "views/orders?as_of=2"] {
        let path = format!("/api/v1/{path}&cursor={cursor}");
        assert_eq!(env.get(&path).await.problem(), bad, "{path}");
    }
    assert_eq!(env.get("/api/v1/views/orders?cursor=77").await.problem(), bad);
    for limit in ["0", "1001", "x", "-1"] {
        let reply = env.get(&format!("/api/v1/views/orders?limit={limit}")).await;
        assert_eq!(
            (reply.problem(), &reply.json()["errors"][0]["pointer"]),
            ((422, "invalid".to_owned()), &json!("/limit"))
        );
    }
    assert_eq!(env.get("/api/v1/products?limit=201").await.problem(), (422, "invalid".to_owned()));
    assert_eq!(env.get("/api/v1/views/none").await.problem(), (404, "not_found".to_owned()));
    env.now_ms.fetch_add(86_400_001, Ordering::Relaxed);
    env.log.cut();
    let gone = env.get(&format!("/api/v1/views/orders?cursor={cursor}")).await;
    assert_eq!(gone.problem(), (410, "epoch_forgotten".to_owned()));
}

#[tokio::test]
async fn pages_are_cut_by_bytes_and_cursors_of_others_are_none() {
    let env = TestEnv::with(Config { page_bytes_max: 3 << 10, ..Config::default() });
    for n in 0..9 {
        // The fifth is too large for a page, and has one for itself.
        let price = json!({"amount": "1", "currency": "GBP"});
        let variant = |at: usize| json!({"sku": format!("{n}-{at}"), "title": "Lamp", "price": price.clone()});
        let variants: Vec<Value> = (0..if n == 5 { 20 } else { 2 }).map(variant).collect();
        let product = json!({"title": "Lamp", "category": ["Home"], "variants": variants}).to_string();
        assert_eq!(env.call("PUT", &format!("/api/v1/products/p{n}"), &[], product).await.status, 201);
    }
    for (path, pointer) in
        [("/api/v1/products?limit=200", "/product_id"), ("/api/v1/views/products?limit=1000", "/key")]
    {
        let found = pages(&env, path, pointer).await;
        assert!(found.len() > 3, "{found:?}");
        assert!(found.contains(&vec!["p5".to_owned()]), "{found:?}");
        assert_eq!(found.concat(), (0..9).map(|n| format!("p{n}")).collect::<Vec<_>>());
        let first = env.get(path).await;
        assert!(first.body.len() <= 3 << 10, "{}", first.body.len());
    }
    // Another node's secret signs other cursors.
    let mine = Cursor { epoch: Epoch(2), after: "p1".to_owned() };
    let forged = mine.text("/api/v1/products?[]", &Roots::new([8; 32], None).signer(Purpose::Cursor));
    let own = mine.text("/api/v1/products?[]", &Roots::new([7; 32], None).signer(Purpose::Cursor));
    let asked = async |cursor: &str| env.get(&format!("/api/v1/products?cursor={cursor}")).await.status.as_u16();
    assert_eq!((asked(&forged).await, asked(&own).await), (400, 200));
}

#[tokio::test]
async fn a_customers_orders_come_newest_first() {
    let env = TestEnv::stocked().await;
    for (id, day) in [("o1", 3), ("o2", 1), ("o3", 3), ("o4", 2)] {
        let data =
            order(1).replacen('{', &format!(r#"{{"order_id":"{id}","occurred_at":"2025-12-0{day}T00:00:00Z","#), 1);
        assert_eq!(env.call("POST", "/api/v1/orders", &[], data).await.status, 201);
    }
    let others = order(1).replace("\"c1\"", "\"c10\"");
    assert_eq!(env.call("POST", "/api/v1/orders", &[], others).await.status, 201);
    let listed = pages(&env, "/api/v1/customers/c1/orders?limit=2", "/order_id").await;
    assert_eq!(listed, [["o3", "o1"], ["o4", "o2"]]);
    assert_eq!(env.get("/api/v1/customers/nobody/orders").await.json(), json!({"data": [], "next_cursor": null}));
}

#[tokio::test]
async fn lists_are_filtered() {
    let env = TestEnv::stocked().await;
    for (id, category, brand) in [("p2", "Home", "Zeta"), ("p3", "Homeware", "Acme"), ("p4", "Home", "Acme")] {
        let product = format!(
            r#"{{"title":"T","brand":"{brand}","category":["{category}"],
                "variants":[{{"sku":"{id}-s","price":{{"amount":"1","currency":"GBP"}}}}]}}"#
        );
        assert_eq!(env.call("PUT", &format!("/api/v1/products/{id}"), &[], product).await.status, 201);
        let movement = format!(r#"{{"quantity":{},"reason":"received"}}"#, id.len());
        env.call("POST", &format!("/api/v1/stock/{id}-s/movements"), &[], movement).await;
    }
    let archived = env.call("DELETE", "/api/v1/products/p4", &[], "").await;
    assert_eq!((archived.status.as_u16(), &archived.json()["archived"]), (200, &json!(true)));
    let products = |query: &'static str| pages(&env, query, "/product_id");
    assert_eq!(products("/api/v1/products?limit=2").await, [vec!["p1", "p2"], vec!["p3"]]);
    assert_eq!(products("/api/v1/products?category=Home").await, [["p1", "p2"]]);
    assert_eq!(products("/api/v1/products?category=Home/Light&brand=Acme").await, [["p1"]]);
    assert_eq!(env.get("/api/v1/products/p4").await.status, 200);
    assert_eq!(pages(&env, "/api/v1/stock?limit=3", "/sku").await, [vec!["A", "p2-s", "p3-s"], vec!["p4-s"]]);
    assert_eq!(pages(&env, "/api/v1/stock?below=10&limit=2", "/sku").await, [vec!["p2-s", "p3-s"], vec!["p4-s"]]);
    assert_eq!(pages(&env, "/api/v1/stock?below=2", "/sku").await, [Vec::<String>::new()]);
}

#[tokio::test]
async fn an_epoch_says_how_every_view_stands() {
    let env = TestEnv::stocked().await;
    let epoch = env.get("/api/v1/epochs/3").await;
    assert_eq!(epoch.epoch(), 3);
    let body = epoch.json();
    assert_eq!((&body["now"], &body["rules"]), (&json!("2026-01-01T00:00:02Z"), &json!(1)));
    assert_eq!(body["cut"], json!({"stock.commands": {"0": 1}}));
    assert_eq!(body["views"]["stock"]["rows"], 1);
    let row = env.get("/api/v1/views/stock").await.json()["data"][0].clone();
    assert_eq!(row["value"], env.get("/api/v1/stock/A").await.json());
    let listed = env.get("/api/v1/views?as_of=3").await.json();
    let of = |name: &str| listed["data"].as_array().unwrap().iter().find(|view| view["name"] == name).cloned();
    assert_eq!(of("stock").unwrap()["digest"], body["views"]["stock"]["digest"]);
    assert_eq!(body["digest"].as_str().map(str::len), Some(32));
    assert_eq!(env.get("/api/v1/invariants").await.json(), json!({"data": []}));
}

#[tokio::test]
async fn what_is_not_a_route_is_a_problem_too() {
    let env = TestEnv::stocked().await;
    for path in ["/index.html", "/api/v1/nothing", "/api/v1/orders/", "/api/v2/orders/o1"] {
        let reply = env.get(path).await;
        assert_eq!((reply.problem(), reply.epoch()), ((404, "not_found".to_owned()), 3), "{path}");
    }
    let wrong = env.call("PATCH", "/api/v1/orders/o1", &[], "").await;
    assert_eq!((wrong.problem(), wrong.epoch()), ((405, "method_not_allowed".to_owned()), 3));
    assert!(wrong.header("allow").contains("GET"), "{wrong:?}");
    assert_eq!(env.get("/api/v1/orders/o1").await.problem(), (404, "not_found".to_owned()));
    assert_eq!(env.get("/api/v1/credits/x").await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_browser_finds_the_page_to_read_and_an_icon() {
    let env = TestEnv::stocked().await;
    let root = env.get("/").await;
    assert_eq!((root.status.as_u16(), root.header("location")), (302, "/docs"));
    let icon = env.get("/favicon.ico").await;
    assert_eq!((icon.status.as_u16(), icon.header("content-type")), (200, "image/x-icon"));
    assert!(icon.body.starts_with(&[0, 0, 1, 0]));
}

#[tokio::test]
async fn large_answers_are_compressed_if_asked() {
    let env = TestEnv::stocked().await;
    for coding in ["gzip", "br"] {
        let reply = env.get_with("/openapi.json", &[("accept-encoding", coding)]).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-encoding")), (200, coding));
        assert!(reply.body.len() < 25_000, "{}", reply.body.len());
    }
    let small = env.get_with("/api/v1/stock/A", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(small.header("content-encoding"), "");
}

#[tokio::test]
async fn an_order_has_an_invoice() {
    let env = TestEnv::stocked().await;
    env.order("k1", 2).await;
    env.order("k2", 99).await;
    let invoice = env.get("/api/v1/orders/k1/invoice").await.json();
    assert_eq!((&invoice["total"]["amount"], &invoice["due"]["amount"]), (&json!("25.00"), &json!("0.00")));
    assert_eq!(env.get("/api/v1/orders/k2").await.json()["code"], "out_of_stock");
    assert_eq!(env.get("/api/v1/orders/k2/invoice").await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_node_that_takes_in_its_log_says_how_far_how_fast_and_how_long_still() {
    let env = TestEnv::replaying_to(Epoch(9), 13);
    env.shop.set_ready(false, "reading a checkpoint");
    let why = async || {
        let (ready, status) = (env.get("/health/ready").await, env.get("/api/v1/status").await.json());
        assert_eq!((ready.status.as_u16(), &ready.json()["why"]), (503, &status["why"]));
        (ready.json()["why"].as_str().unwrap().to_owned(), status["replay"].clone())
    };
    let replay =
        |epoch: u64, left: Option<u64>| json!({"replaying": true, "epoch": epoch, "to_epoch": 9, "seconds_left": left});
    assert_eq!(why().await, ("reading a checkpoint".to_owned(), replay(0, None)));
    let publish = |n: u64| env.log.publish(&format!("m{n}"), "PutPolicy", "{}");
    publish(1);
    assert_eq!(why().await, ("starting: replaying: epoch 1 of 9".to_owned(), replay(1, None)));
    env.now_ms.fetch_add(2_000, Ordering::Relaxed);
    (2..=3).for_each(publish);
    // Six epochs at one a second, but ten records.
    let expected = "starting: replaying: epoch 3 of 9, 1 epochs/s, 1 commands/s, about 10 s left";
    assert_eq!(why().await, (expected.to_owned(), replay(3, Some(10))));
    (4..=9).for_each(publish);
    env.shop.set_ready(true, "");
    assert_eq!(env.get("/health/ready").await.json()["why"], Value::Null);
    let status = env.get("/api/v1/status").await.json();
    let through = json!({"replaying": false, "epoch": 9, "to_epoch": 9, "seconds_left": null});
    assert_eq!((&status["replay"], &status["why"]), (&through, &Value::Null));
}

#[tokio::test]
async fn only_what_holds_the_log_makes_a_node_unready_and_only_when_it_has_stood_still_for_long() {
    let standstill = |sink, seconds: Option<u64>| Standstill {
        sink,
        why: format!("{sink} cannot be written"),
        holds_log: seconds.map(Duration::from_secs),
    };
    let read = async |standstills: Vec<Standstill>| {
        let env = TestEnv::with_vitals(NodeStatus { standstills, ..NodeStatus::default() });
        env.log.publish("m1", "PutPolicy", "{}");
        let (ready, status) = (env.get("/health/ready").await, env.get("/api/v1/status").await.json());
        let why = ready.json()["why"].clone();
        assert_eq!((&status["ready"], &status["why"]), (&json!(ready.status.as_u16() == 200), &why));
        let metrics = env.get("/metrics").await.text().to_owned();
        assert!(metrics.contains(&format!("tradewind_ready {}", u8::from(why.is_null()))));
        (why, status["stalled"].clone(), metrics)
    };
    let beside = vec![standstill("search", None), standstill("export", None), standstill("outputs", Some(299))];
    let (why, stalled, metrics) = read(beside).await;
    let expected = json!({
        "export": "export cannot be written",
        "outputs": "outputs cannot be written",
        "search": "search cannot be written",
    });
    assert_eq!((why, stalled), (Value::Null, expected));
    for (sink, is_stalled) in [("search", 1), ("export", 1), ("outputs", 1), ("checkpoints", 0), ("dead_letters", 0)] {
        let line = format!("tradewind_stalled{{sink=\"{sink}\"}} {is_stalled}\n");
        assert!(metrics.contains(&line), "{line} is missing in {metrics}");
    }
    for sink in ["outputs", "dead_letters", "checkpoints"] {
        let (why, stalled, _) = read(vec![standstill("search", None), standstill(sink, Some(300))]).await;
        let name = sink.replace('_', " ");
        assert_eq!(why, format!("stalled: {name} have stood still for 300 s: {sink} cannot be written"));
        assert_eq!(stalled[sink], format!("{sink} cannot be written"));
    }
}

#[tokio::test]
async fn the_node_tells_how_it_is() {
    let env = TestEnv::stocked().await;
    env.order("k1", 1).await;
    env.order("k2", 99).await;
    assert_eq!(env.get("/health/live").await.status, 200);
    let ready = json!({"ready": true, "epoch": 5, "kafka": "127.0.0.1:9092", "why": null});
    assert_eq!(env.get("/health/ready").await.json(), ready);
    env.shop.set_ready(false, "the disk is full");
    let reply = env.get("/health/ready").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["why"]), (503, &json!("the disk is full")));
    let status = env.get("/api/v1/status").await.json();
    assert_eq!((&status["epoch"], &status["lag_records"]), (&json!(5), &json!(0)));
    let metrics = env.get("/metrics").await;
    for line in [
        "tradewind_epoch 5",
        "tradewind_commands_total{code=\"succeeded\"} 3",
        "tradewind_commands_total{code=\"out_of_stock\"} 1",
        "tradewind_http_requests_total{method=\"POST\",route=\"/api/v1/orders\",status=\"2xx\"} 1",
        "tradewind_http_request_seconds_count{method=\"POST\",route=\"/api/v1/orders\"} 2",
    ] {
        assert!(metrics.text().contains(line), "{line} is missing in {}", metrics.text());
    }
}
