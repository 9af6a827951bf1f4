//! Tests of footprints.

use super::*;
use crate::contract::changes::{Change, Shard, ViewChanges};
use crate::contract::epoch::Epoch;
use crate::contract::input::{DeadLetter, RawRecord};
use crate::contract::money::Currency;
use crate::contract::time::Timestamp;
use crate::shop::credits::Credit;
use std::sync::Arc;

fn credit(reference: usize, lines: usize) -> Credit {
    let line = crate::shop::credits::CreditLine {
        sku: SmolStr::new("A"),
        quantity: 1,
        unit_price: 1,
        amount: 1,
        category: SmolStr::new("c"),
    };
    Credit {
        credit_id: SmolStr::new("c1"),
        customer_id: None,
        currency: Currency::parse("GBP").unwrap(),
        country: SmolStr::new("GB"),
        lines: vec![line; lines],
        total: 1,
        restock: false,
        reference: Some(SmolStr::new("x".repeat(reference))),
        occurred_at: Timestamp::from_micros(0),
        epoch: Epoch(1),
    }
}

#[test]
fn texts_and_lists_count_with_what_they_have() {
    let small = credit(1, 0).bytes();
    assert!((size_of::<Credit>()..size_of::<Credit>() + 64).contains(&small), "{small}");
    let long = credit(900_000, 0).bytes() - small;
    assert!((900_000..900_100).contains(&long), "{long}");
    let wide = credit(1, 1_000).bytes() - small;
    assert_eq!(wide, 1_000 * size_of::<crate::shop::credits::CreditLine>());
}

#[test]
fn an_epoch_counts_its_rows_and_letters() {
    let record = Arc::new(RawRecord { value: Some(vec![0; 5_000]), ..RawRecord::default() });
    let letter = DeadLetter {
        origin: crate::contract::topic::Origin {
            topic: crate::contract::topic::Topic::Orders,
            partition: 0,
            offset: 0,
        },
        code: crate::contract::input::DeadLetterCode::TooLarge,
        detail: "large".to_owned(),
        record,
    };
    let after = Some(Arc::new(credit(10_000, 0)));
    let rows = ViewChanges { credits: vec![Change { before: None, after }], ..ViewChanges::default() };
    let shard = Shard { rows, dead_letters: vec![letter], ..Shard::default() };
    assert!((15_000..17_000).contains(&shard.bytes()), "{}", shard.bytes());
}
