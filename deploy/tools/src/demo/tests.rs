//! The built-in shop can be read, is what it should be, and its stories are the same each time they are played.

use super::shop::Shop;
use super::story::{OrderEnding, Story};
use super::{SEED, first_without, welcome};
use dataflows::shop::catalogue::InventoryPolicy;
use dataflows::shop::command::Command;
use node::in_memory_shop::InMemoryShop;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_shop_is_plausible() {
    let shop = Shop::built_in().unwrap();
    assert!((38..=45).contains(&shop.products.len()), "{}", shop.products.len());
    let policies: BTreeSet<InventoryPolicy> = shop.variants().map(|variant| variant.inventory_policy).collect();
    assert_eq!(policies.len(), 3);
    let locations: BTreeSet<&String> = shop.variants().flat_map(|variant| variant.stock.keys()).collect();
    assert_eq!(locations.into_iter().collect::<Vec<_>>(), ["main", "north"]);
    for variant in shop.variants() {
        assert_eq!(variant.stock.is_empty(), variant.inventory_policy == InventoryPolicy::None, "{}", variant.sku);
        assert!(variant.price.0 > 0, "{}", variant.sku);
    }
}

#[test]
fn every_command_has_an_id_of_its_own_that_a_node_takes() {
    let shop = Shop::built_in().unwrap();
    let mut ids = BTreeSet::new();
    let stories = (0..500).flat_map(|n| {
        let story = Story::new(&shop, SEED, n);
        [story.beginning(), story.end()].concat()
    });
    for (id, _) in shop.commands().into_iter().chain(stories) {
        assert!(id.bytes().all(|byte| byte.is_ascii_graphic()) && id.len() <= 255, "{id}");
        assert!(ids.insert(id.clone()), "{id}");
    }
    assert!(shop.commands().len() <= 1_000, "it is set up with one request");
}

#[test]
fn a_story_is_always_the_same_and_every_ending_comes_up() {
    let shop = Shop::built_in().unwrap();
    let mut endings: BTreeMap<OrderEnding, u32> = BTreeMap::new();
    for n in 0..500 {
        let (once, again) = (Story::new(&shop, SEED, n), Story::new(&shop, SEED, n));
        assert_eq!((once.beginning(), once.end()), (again.beginning(), again.end()));
        *endings.entry(once.ending()).or_default() += 1;
    }
    assert_eq!(endings.len(), 5, "{endings:?}");
    assert!(endings[&OrderEnding::Shipped] > 250, "{endings:?}");
}

#[test]
fn the_shop_can_go_on_and_refuses_only_what_is_sold_out() {
    let shop = Shop::built_in().unwrap();
    let mut node = InMemoryShop::default();
    assert_eq!(node.decide(&shop.commands()), Vec::<String>::new());
    let mut refused = 0;
    for n in 0..3_000 {
        let story = Story::new(&shop, SEED, n);
        let refusals = node.decide(&story.beginning());
        assert!(refusals.iter().all(|refusal| *refusal == format!("demo-{n}-place: OutOfStock")), "{refusals:?}");
        if refusals.is_empty() {
            assert_eq!(node.decide(&story.end()), Vec::<String>::new());
        }
        refused += refusals.len();
    }
    assert!(refused < 600, "{refused}");
}

#[test]
fn the_next_story_is_found() {
    for told in [0, 1, 2, 3, 4, 7, 8, 100, 1_000_003] {
        assert_eq!(first_without(|n| Ok(n < told)).unwrap(), told);
    }
    assert_eq!(first_without(|_| anyhow::bail!("gone")).map_err(|error| error.to_string()), Err("gone".to_owned()));
}

#[test]
fn the_order_to_try_is_one_that_can_be_read() {
    let text = welcome("http://127.0.0.1:8080");
    let data = text.split("-d '").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    let read = Command::read(dataflows::shop::command::CommandType::PlaceOrder, "my-first-order", data.as_bytes());
    assert!(read.is_ok(), "{text}");
    assert_eq!(text.matches("curl ").count(), 3);
}
