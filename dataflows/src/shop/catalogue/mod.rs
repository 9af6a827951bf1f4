//! The catalogue: products, their variants, prices.

mod command;
mod left_out;
mod row;
pub(crate) mod rules;

pub use command::{ArchiveProduct, InventoryPolicy, PutProduct, PutVariant, SetPrice};
pub use left_out::{FormerSku, LeftOut, StockRule};
pub use row::{Product, ScheduledPrice, Variant};
