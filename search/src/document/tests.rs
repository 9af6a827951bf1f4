//! That the words of a product are those that indexes on disk were made from, or the form says otherwise.

use super::*;
use dataflows::contract::money::Currency;
use dataflows::shop::catalogue::{InventoryPolicy, LeftOut, Variant};
use std::collections::BTreeMap;

#[test]
fn the_words_of_a_product_are_those_of_this_form() {
    let variant = |sku: &str, title: &str| Variant {
        sku: sku.into(),
        title: Some(title.into()),
        price: 1,
        currency: Currency::parse("EUR").unwrap(),
        inventory_policy: InventoryPolicy::Reserve,
        low_stock_at: None,
        scheduled: Vec::new(),
    };
    let attributes = [("colour", "Matt Black"), ("ean", "4006381333931"), ("led", "true"), ("n", "2.5")];
    let product = Product {
        product_id: "P-1".into(),
        title: "Côte Wi-Fi 27\" monitors, 128 GB".into(),
        description: Some("The best WH-1000XM4 boxes".into()),
        brand: Some("Côte".into()),
        category: vec!["Screens".into(), "Wide".into()],
        attributes: attributes.into_iter().map(|(name, value)| (name.into(), value.into())).collect::<BTreeMap<_, _>>(),
        archived: false,
        variants: vec![variant("P-1", "blue"), variant("S2", "blue")],
        left_out: LeftOut::default(),
        category_path: "Screens/Wide".into(),
    };
    let words = |text| {
        let parts = parts(&product, text).into_iter();
        parts
            .map(|part| words(part).into_iter().map(|word| word.text).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    let all: Vec<_> = Text::ALL.into_iter().map(|text| (text.name(), words(text).join(" | "))).collect();
    let expected = [
        ("title", "cote wifi wi fi 27in 27 monitor 128gb 128 | blue"),
        ("brand", "cote"),
        ("category", "screen | wide"),
        ("code", "p1 p 1 | s2"),
        ("attributes", "matt black | 4006381333931"),
        ("description", "the best wh1000xm4 wh 1000xm4 box"),
    ];
    assert_eq!(all, expected.map(|(name, words)| (name, words.to_owned())), "the words changed: raise FORMAT");
    assert_eq!(FORMAT, 1, "say here which words the new form has");
}
