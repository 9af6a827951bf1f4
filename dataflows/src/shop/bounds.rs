//! The bounds of what the shop keeps, each with its name. Not for holding values against them: `field/` does that.

/// The largest quantity of a line or a movement, and the largest policy value.
pub const LARGEST: i64 = 1_000_000_000;
/// Seconds that business time may lie in the future.
pub const AHEAD_S: i64 = 300;
/// Characters of an id.
pub const ID_CHARS_MAX: usize = 128;
/// Characters of a country.
pub const COUNTRY_CHARS_MAX: usize = 64;
/// Characters of a title, brand, carrier, tracking number or reference.
pub const TEXT_CHARS_MAX: usize = 256;
/// Characters of a description or a reason.
pub const NOTE_CHARS_MAX: usize = 10_000;
/// Characters of a payment's token.
pub const TOKEN_CHARS_MAX: usize = 2_048;
/// Attributes of a product.
pub const ATTRIBUTES_MAX: usize = 200;
/// Characters of the name of an attribute.
pub const ATTRIBUTE_NAME_CHARS_MAX: usize = 100;
/// Characters of the value of an attribute.
pub const ATTRIBUTE_CHARS_MAX: usize = 1_000;
/// Segments of a category.
pub const SEGMENTS_MAX: usize = 10;
/// Characters of a segment of a category.
pub const SEGMENT_CHARS_MAX: usize = 100;
/// Variants of a product.
pub const VARIANTS_MAX: usize = 1_000;
/// Price windows of a SKU that are open or still to come.
pub const WINDOWS_MAX: usize = 100;
/// Locations of a SKU. Goods of orders and credits may bring `main` beyond that.
pub const LOCATIONS_MAX: usize = 1_000;
/// The largest number of lines that the policy may allow for an order or a credit; also the entries of a return.
pub const LINES_MAX: usize = 5_000;
/// Returns of an order.
pub const RETURNS_MAX: usize = 200;
/// Refunds of an order that were asked for; those that a return or a cancellation makes do not count.
pub const REFUNDS_MAX: usize = 200;
/// The bytes of the JSON of a view row or an event.
pub const ROW_BYTES_MAX: usize = 1 << 20;
