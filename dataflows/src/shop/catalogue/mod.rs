//! The catalogue: products, their variants, prices.

mod command;
mod event;
mod retired_variants;
mod row;
pub(crate) mod rules;

pub use command::{ArchiveProduct, InventoryPolicy, PutProduct, PutVariant, SetPrice};
pub use event::{PriceChanged, ProductChanged};
pub use retired_variants::{FormerSku, LeftOut, StockRule};
pub use row::{Product, ScheduledPrice, Variant};
