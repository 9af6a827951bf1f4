//! The streams of events.

/// The streams of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// `catalog.events`
    Catalog,
    /// `stock.events`
    Stock,
    /// `orders.events`
    Orders,
    /// `payments.events`
    Payments,
}

impl Domain {
    /// Every one, in order.
    pub const ALL: &[Domain] = &[Domain::Catalog, Domain::Stock, Domain::Orders, Domain::Payments];

    /// The name of its topic, without the deployment's prefix.
    pub const fn topic(self) -> &'static str {
        match self {
            Domain::Catalog => "catalog.events",
            Domain::Stock => "stock.events",
            Domain::Orders => "orders.events",
            Domain::Payments => "payments.events",
        }
    }
}
