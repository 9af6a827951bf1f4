//! The file of products: the commands of its rows, and that a second import is the first.

use super::*;
use node::config::test_data;

#[test]
fn attributes_become_texts_under_their_own_names() {
    let read = named(Some(r#"{"t_colour":"Black","n_ports":4.0,"n_weight":1.25,"b_led":true,"none":null}"#)).unwrap();
    let expected = [("b_led", "true"), ("n_ports", "4"), ("n_weight", "1.25"), ("t_colour", "Black")];
    assert_eq!(read, expected.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
    assert!(named(Some("[]")).is_err());
    assert_eq!(named(None).unwrap(), BTreeMap::new());
}

#[test]
fn the_real_file_is_read_whole() {
    let Some(data) = test_data() else { return };
    let products = read(&data.join("search/products.parquet")).unwrap();
    assert_eq!(products.len(), 19_406);
    let ids: std::collections::BTreeSet<_> =
        products.iter().map(|product| command_id(&Command::PutProduct(product.clone()))).collect();
    assert_eq!(ids.len(), products.len(), "each row has an id of its own");
    let paper = products.iter().find(|product| product.product_id == "100158").unwrap();
    assert_eq!(paper.title, "HP Q6542A printing paper A4 (210x297 mm) Gloss 200 sheets White");
    assert_eq!(paper.brand.as_deref(), Some("HP"));
    assert_eq!(paper.variants[0].sku, "100158");
    assert_eq!(paper.variants[0].price, MoneyInput { amount: Amount(289_500), currency: "EUR".into() });
    assert_eq!(paper.attributes["ean"], "0829160166896");
    assert_eq!(paper.attributes["date_released"], "2006-07-01T00:00:00Z");
    assert_eq!(paper.attributes["n_media_weight"], "120");
}
