//! Lists: pages, cursors, links; and that a view's digest is the one of its rows.

use crate::process::TestEnv;
use crate::process::shop::{credit, gbp, order, product, received, stock, unpaid_order};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_128;

/// A shop with something in every view, and names that need care.
fn shop() -> TestEnv {
    let env = TestEnv::start();
    for sku in ["a", "A", "B 2", "Ü", "é/x"] {
        let mut product = product("track_only", &[sku]);
        product["title"] = json!(format!("\u{1f9ed} \"{sku}\" \\ </b> \u{2028}"));
        product["description"] = json!("\ttwo\r\nlines");
        product["attributes"] = json!({"größe": "5″", "colour": "brass"});
        let path = match sku {
            "Ü" => "%C3%9C".to_owned(),
            other => other.replace(' ', "%20").replace('/', "%2F").replace('é', "%C3%A9"),
        };
        env.command("PUT", &format!("/api/v1/products/{path}"), &format!("put-{}", path), &product).expect(201);
        env.post(&format!("/api/v1/stock/{path}/movements"), &format!("move-{path}"), &received(3)).expect(201);
    }
    for (n, sku) in ["a", "A", "B 2", "Ü", "é/x", "a", "nothing"].iter().enumerate() {
        env.post("/api/v1/orders", &format!("o{n}"), &order(sku, 1));
    }
    env.post("/api/v1/orders", "waiting", &unpaid_order("a", 2)).expect(201);
    env.post("/api/v1/credits", "c", &credit("c1", "a", 1)).expect(201);
    let adjustment = json!({"adjustment_id": "a1", "currency": "JPY", "country": "日本", "amount": {"amount": "-5", "currency": "JPY"}});
    env.post("/api/v1/adjustments", "a", &adjustment).expect(201);
    env
}

/// Rows with the bytes of their values as they were sent.
#[derive(serde::Deserialize)]
struct RawPage<'a> {
    #[serde(borrow)]
    data: Vec<RawRow<'a>>,
}

#[derive(serde::Deserialize)]
struct RawRow<'a> {
    key: String,
    #[serde(borrow)]
    value: &'a serde_json::value::RawValue,
}

#[test]
fn anyone_can_recompute_the_digests_from_the_rows() {
    let env = shop();
    let latest = env.get("/api/v1/epochs/latest").ok();
    let (epoch, latest) = (latest.epoch(), latest.json());
    let views = env.get(&format!("/api/v1/views?as_of={epoch}")).ok().json();
    let mut total = 0_u128;
    for view in views["data"].as_array().expect("a list") {
        let name = view["name"].as_str().expect("text");
        let (rows, at) = env.rows(&format!("/api/v1/views/{name}?limit=3&as_of={epoch}"));
        let page = env.get(&format!("/api/v1/views/{name}?limit=1000&as_of={epoch}")).ok();
        let raw: RawPage<'_> = serde_json::from_str(page.text()).expect("a page of rows");
        assert_eq!(raw.data.len(), rows.len(), "{name}");
        let digest = raw.data.iter().fold(0_u128, |sum, row| {
            let parts = [name.as_bytes(), b"\0", row.key.as_bytes(), b"\0", row.value.get().as_bytes()];
            sum.wrapping_add(xxh3_128(&parts.concat()))
        });
        total = total.wrapping_add(digest);
        let expected = json!({"name": name, "rows": rows.len(), "digest": format!("{digest:032x}")});
        assert_eq!((view, at), (&expected, epoch), "{name}");
        assert_eq!(latest["views"][name], json!({"rows": rows.len(), "digest": expected["digest"]}), "{name}");
        assert!(["policy", "searches"].contains(&name) || !rows.is_empty(), "{name} has rows to look at");
    }
    assert_eq!(latest["digest"], format!("{total:032x}"));
    let expected = ["products", "stock", "orders", "credits", "adjustments", "operations", "revenue", "invariants"];
    for name in expected {
        assert!(latest["views"][name].is_object(), "{name}");
    }
}

#[test]
fn rows_of_views_are_the_bodies_of_their_reads() {
    let env = shop();
    let epoch = env.get("/api/v1/epochs/latest").ok().epoch();
    let cases = [
        ("stock", "B 2", "stock/B%202"),
        ("orders", "o1", "orders/o1"),
        ("credits", "c1", "credits/c1"),
        ("adjustments", "a1", "adjustments/a1"),
        ("operations", "o6", "operations/o6"),
    ];
    for (view, key, path) in cases {
        let (rows, _) = env.rows(&format!("/api/v1/views/{view}?as_of={epoch}"));
        let row = rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("{key} is in {view}"));
        assert_eq!(env.get(&format!("/api/v1/{path}?as_of={epoch}")).ok().json(), row["value"], "{path}");
    }
    let (rows, _) = env.rows("/api/v1/views/products");
    let mut read = env.get("/api/v1/products/a").ok().json();
    let row = rows.iter().find(|row| row["key"] == "a").expect("it is there");
    read["variants"][0].as_object_mut().expect("an object").remove("available");
    assert_eq!(read, row["value"]);
}

#[test]
fn pages_go_on_where_the_last_one_ended_at_the_same_epoch() {
    let env = shop();
    for (path, width) in
        [("/api/v1/views/operations", 1_000), ("/api/v1/analytics/revenue?by=day&group=country,category", 1_000)]
    {
        let separator = if path.contains('?') { '&' } else { '?' };
        let first = env.get(&format!("{path}{separator}limit=1")).ok();
        let (all, _) = env.rows(&format!("{path}{separator}limit={width}&as_of={}", first.epoch()));
        assert!(all.len() > 1, "{path}");
        let (mut rows, mut page) = (Vec::new(), first.clone());
        loop {
            let mut body = page.json();
            let Value::Array(data) = body["data"].take() else { panic!("{body}") };
            assert_eq!((data.len(), page.epoch()), (1, first.epoch()));
            rows.extend(data);
            let Some(next) = page.next_page() else { break };
            assert!(next.contains(body["next_cursor"].as_str().expect("text")), "{next}");
            // The shop continues meanwhile.
            env.post("/api/v1/orders", &format!("meanwhile-{}-{}", width, rows.len()), &order("a", 1));
            page = env.get(&next).ok();
        }
        assert_eq!(rows, all, "{path}");
        for limit in ["0", "1001", "-1", "x"] {
            let answer = env.get(&format!("{path}{separator}limit={limit}"));
            assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{limit}");
            assert_eq!(answer.json()["errors"][0]["pointer"], "/limit");
        }
    }
    let keys = |path: &str| {
        env.rows(path).0.iter().map(|row| row["key"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    let stock_keys = keys("/api/v1/views/stock?limit=2");
    assert!(stock_keys.is_sorted() && stock_keys.len() == 5, "{stock_keys:?}");
    assert_eq!(keys("/api/v1/views/operations?prefix=put-&limit=2").len(), 5);
    assert_eq!(keys("/api/v1/views/operations?prefix=put-%25"), ["put-%C3%9C", "put-%C3%A9%2Fx"]);
    assert_eq!(env.get("/api/v1/views/everything").problem(), (404, "not_found".to_owned()));
}

#[test]
fn a_cursor_is_of_one_list() {
    let env = shop();
    let next = env.get("/api/v1/views/operations?limit=1&prefix=put").ok().next_page().expect("there are more");
    let cursor = env.get("/api/v1/views/operations?limit=1&prefix=put").ok().json()["next_cursor"].take();
    let cursor = cursor.as_str().expect("text");
    env.get(&next).ok();
    let others = [
        "/api/v1/views/operations?cursor=".to_owned() + cursor,
        "/api/v1/views/operations?prefix=move&cursor=".to_owned() + cursor,
        "/api/v1/views/orders?prefix=put&cursor=".to_owned() + cursor,
        "/api/v1/views/operations?prefix=put&cursor=x".to_owned(),
        "/api/v1/analytics/revenue?cursor=".to_owned() + cursor,
    ];
    for path in others {
        assert_eq!(env.get(&path).problem(), (400, "bad_cursor".to_owned()), "{path}");
    }
    // How long the pages are does not bind it.
    let (rest, _) = env.rows(&format!("/api/v1/views/operations?prefix=put&limit=100&cursor={cursor}"));
    assert_eq!(rest.len(), 4);
}

#[test]
fn money_is_written_as_its_currency_has_it() {
    let env = TestEnv::start();
    stock(&env, "A", "none", 0);
    let cases = [
        ("GBP", "1005.1", "1005.10"),
        ("GBP", "0.001", "0.001"),
        ("GBP", "0", "0.00"),
        ("GBP", "00.50", "0.50"),
        ("JPY", "5", "5"),
        ("JPY", "5.000", "5"),
        ("BHD", "1.5", "1.500"),
        ("GBP", "0.1234", "0.1234"),
    ];
    for (n, (currency, given, written)) in cases.into_iter().enumerate() {
        let money = json!({"amount": given, "currency": currency});
        let body = json!({"adjustment_id": format!("a{n}"), "currency": currency, "country": "GB", "amount": money});
        let answer = env.post("/api/v1/adjustments", &format!("k{n}"), &body).expect(201);
        assert_eq!(answer.json()["amount"], json!({"amount": written, "currency": currency}), "{given}");
    }
    let bad = ["", "1.", ".5", "+1", "1e2", "1,5", " 1", "0x1", "1.00001", "99999999999999999999", "NaN"];
    for amount in bad.map(|amount| json!(amount)).into_iter().chain([json!(1), json!(1.5), json!({})]) {
        let mut body = json!({"adjustment_id": "bad", "currency": "GBP", "country": "GB", "amount": gbp("1")});
        body["amount"]["amount"] = amount.clone();
        let answer = env.post("/api/v1/adjustments", "bad", &body);
        assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{amount}");
    }
    for time in [
        "2010-12-01T08:26:00+24:00",
        "2010-12-01T08:26:00",
        "2010-12-01",
        "2010-12-01T08:26:60Z",
        "2010-02-30T00:00:00Z",
    ] {
        let body = json!({"adjustment_id": "bad", "currency": "GBP", "country": "GB", "amount": gbp("1"), "occurred_at": time});
        assert_eq!(env.post("/api/v1/adjustments", "bad", &body).problem(), (422, "invalid".to_owned()), "{time}");
    }
    // None of them reached the log, so the id is unused.
    let body = json!({"adjustment_id": "good", "currency": "GBP", "country": "GB", "amount": gbp("-0"), "occurred_at": "2010-12-01T08:26:00.500Z"});
    let answer = env.post("/api/v1/adjustments", "bad", &body).expect(201);
    assert_eq!(
        (&answer.json()["amount"], &answer.json()["occurred_at"]),
        (&gbp("0.00"), &json!("2010-12-01T08:26:00.5Z"))
    );
}
