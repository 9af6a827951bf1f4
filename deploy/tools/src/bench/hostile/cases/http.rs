//! Cases of single requests that must be refused: other origins, JSON that reads two ways, framing, cursors.

use crate::bench::hostile::attack::{Attack, PATIENCE, line, told};
use crate::bench::hostile::innocent::SKU;
use crate::bench::hostile::run::attack_on;
use crate::bench::hostile::wire;
use crate::bench::hostile::wire::request;
use crate::bench::process::{NodeOptions, Process};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

const ORIGIN: &str = "403 origin_refused";
const TYPE: &str = "415 unsupported_media_type";
const HOST: &str = "421 misdirected";
const MALFORMED: &str = "400 malformed";

/// H1
pub fn other_origins(attack: &mut Attack) -> Result<()> {
    let node = attack.node;
    let own = format!("http://{node}");
    let movement = format!("/api/v1/stock/{SKU}/movements");
    let body: &[u8] = br#"{"quantity": 1000000, "reason": "received"}"#;
    let json_type = ("content-type", "application/json");
    let policy_before = attack.json("/api/v1/policy")?;
    let evil = ("origin", "https://evil.example.org");
    let typed = |content_type: &'static str| vec![("content-type", content_type)];
    let moves = [
        ("a Blob without a type", vec![], TYPE),
        ("a form", typed("application/x-www-form-urlencoded"), TYPE),
        ("a form of parts", typed("multipart/form-data; boundary=b"), TYPE),
        ("plain text", typed("text/plain"), TYPE),
        ("plain text by sendBeacon", typed("text/plain;charset=UTF-8"), TYPE),
        ("a type that begins as the right one", typed("application/jsonp"), TYPE),
        ("another origin", vec![json_type, evil], ORIGIN),
        ("no origin at all", vec![json_type, ("origin", "null")], ORIGIN),
        ("another site", vec![json_type, ("sec-fetch-site", "cross-site")], ORIGIN),
        ("a sister site", vec![json_type, ("sec-fetch-site", "same-site")], ORIGIN),
        ("another Host", vec![json_type, ("host", "evil.example.org")], HOST),
    ];
    for (what, headers, expected) in moves {
        attack.refused(what, &request("POST", &movement, node, &headers, body), &[expected]);
    }
    let policy = request("PUT", "/api/v1/policy", node, &[json_type, evil], br#"{"order_lines_max": 1}"#);
    attack.refused("a policy of another origin", &policy, &[ORIGIN]);
    let batch = request("POST", "/api/v1/commands", node, &typed("text/plain"), b"{}\n");
    attack.refused("commands of another origin", &batch, &[TYPE]);
    let vacuum = request("POST", "/api/v1/export/vacuums?older_than_hours=0", node, &[evil], b"");
    attack.refused("a vacuum of another origin", &vacuum, &[ORIGIN]);
    let rebound = request("GET", "/api/v1/views/orders", node, &[("host", "evil.example.org:8080")], b"");
    attack.refused("reads after DNS rebinding", &rebound, &[HOST]);
    // Requests as the node's own pages send them are taken.
    let headers = [json_type, ("origin", own.as_str()), ("sec-fetch-site", "same-origin"), ("idempotency-key", "own")];
    let own_page = request("PUT", "/api/v1/policy", node, &headers, b"{}");
    attack.refused("a page of the node's own", &own_page, &["200"]);
    let after = attack.json("/api/v1/policy")?;
    attack.expect(after["order_lines_max"] == policy_before["order_lines_max"], || format!("the policy is {after}"));
    Ok(())
}

/// M5
pub fn doubled_keys(attack: &mut Attack) -> Result<()> {
    let node = attack.node;
    let brackets = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let object = |fields: &str| format!(r#"{{"reason":"received",{fields}}}"#);
    let hidden = [
        ("behind 1e999", object(r#""quantity":1,"x":1e999,"quantity":1000000"#)),
        ("behind a list of 1e400", object(r#""quantity":1,"x":[-1e400],"quantity":1000000"#)),
        ("behind 200 brackets", object(&format!(r#""quantity":1,"x":{brackets},"quantity":1000000"#))),
        ("twice", object(r#""quantity":1,"quantity":1000000"#)),
        ("twice, once escaped", object(r#""quantity":1,"\u0071uantity":1000000"#)),
    ];
    for (what, body) in &hidden {
        let headers = [("content-type", "application/json")];
        let path = format!("/api/v1/stock/{SKU}/movements");
        attack.refused(what, &request("POST", &path, node, &headers, body.as_bytes()), &[MALFORMED]);
        let inner = body.replacen('{', &format!(r#"{{"sku":"{SKU}","#), 1);
        let line = format!("{{\"id\":\"hidden\",\"type\":\"MoveStock\",\"data\":{inner}}}\n");
        let outcomes = attack.lines(line.as_bytes(), 1)?;
        attack.expect_only(&format!("{what}, in a line"), &outcomes, &["malformed"]);
    }
    Ok(())
}

/// L1
pub fn framing(attack: &mut Attack) -> Result<()> {
    let node = attack.node;
    let get = "GET /api/v1/policy HTTP/1.1\r\n";
    let post =
        format!("POST /api/v1/stock/{SKU}/movements HTTP/1.1\r\nhost: {node}\r\ncontent-type: application/json\r\n");
    let both = format!("{post}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    let lengths = format!("{post}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}");
    let requests = [
        ("no Host", format!("{get}\r\n")),
        ("two Hosts", format!("{get}host: {node}\r\nhost: {node}\r\n\r\n")),
        ("a bare LF after the line", format!("GET /api/v1/policy HTTP/1.1\nhost: {node}\r\n\r\n")),
        ("a bare LF after a header", format!("{get}host: {node}\n\r\n")),
        ("bare LFs at the end", format!("{get}host: {node}\n\n")),
        ("Transfer-Encoding beside Content-Length", both),
        ("two lengths", lengths),
    ];
    for (what, bytes) in requests {
        let mut stream = wire::connect(node, PATIENCE)?;
        std::io::Write::write_all(&mut stream, bytes.as_bytes())?;
        let first = wire::answer(&mut stream)?;
        attack.expect(first.status == 400, || format!("{what}: {}", first.told()));
        // The connection must be closed: a proxy could read the rest another way.
        let again = wire::answer(&mut stream);
        let closed = matches!(&again, Ok(answer) if answer.status == 0);
        attack.expect(closed, || format!("{what}: the connection stays open"));
    }
    Ok(())
}

/// The cursor of a second page of products, of which it puts five.
fn second_page(attack: &mut Attack) -> Result<String> {
    let price = json!({"amount": "1.00", "currency": "GBP"});
    let put = |n: usize| {
        let variants = json!([{"sku": format!("p-{n}"), "price": price}]);
        let data = json!({"product_id": format!("p-{n}"), "title": "A thing", "variants": variants});
        line(&format!("p-{n}"), "PutProduct", data)
    };
    let lines: Vec<Value> = (0..5).map(put).collect();
    attack.expect_outcomes("products", &lines, &["succeeded"])?;
    let page = attack.json("/api/v1/products?limit=2")?;
    Ok(page["next_cursor"].as_str().context("there is a second page")?.to_owned())
}

/// L4
pub fn cursors(attack: &mut Attack) -> Result<()> {
    let cursor = second_page(attack)?;
    ensure!(cursor.len() > 4 && cursor.is_ascii(), "a cursor has letters: {cursor}");
    let changed = |at: usize| {
        let mut bytes = cursor.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let mut forged: Vec<(&str, String)> = (0..cursor.len()).map(|at| ("with another letter", changed(at))).collect();
    forged.push(("that is shorter", cursor[..cursor.len() - 4].to_owned()));
    forged.push(("that is longer", format!("{cursor}AAAA")));
    // A client that knows the form of cursors can make one, but not seal it.
    let folder = attack.data.with_extension("other");
    let how = NodeOptions { variables: &[], open_files_max: None, ready_within: PATIENCE };
    let other = Process::start(&folder, how)?;
    forged.push(("of another node", second_page(&mut attack_on(&other, &folder)?)?));
    drop(other);
    for (what, cursor) in &forged {
        let told = told(&attack.client.get(&format!("/api/v1/products?limit=2&cursor={cursor}"))?);
        attack.expect(told == "400 bad_cursor", || format!("a cursor {what}: {told}"));
    }
    let told = told(&attack.client.get(&format!("/api/v1/stock?limit=2&cursor={cursor}"))?);
    attack.expect(told == "400 bad_cursor", || format!("a cursor of another list: {told}"));
    attack.note(format!("{} forged cursors", forged.len()));
    Ok(())
}
