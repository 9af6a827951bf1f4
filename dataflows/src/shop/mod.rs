//! The shop: a folder for each part of what it does, with its commands, events, rows and rules; what they have in
//! common is beside them. The lists of all rows, commands and events are [`for_each_row!`](crate::for_each_row),
//! [`for_each_command!`](crate::for_each_command) and [`for_each_event!`](crate::for_each_event).

pub mod adjustments;
pub mod bounds;
mod cached_hash;
pub mod catalogue;
pub mod command;
mod context;
pub mod credits;
pub mod dead_letters;
pub mod decider;
pub mod event;
pub mod event_spec;
pub mod field;
pub mod footprint;
pub mod fulfilment;
pub mod operations;
pub mod orders;
pub mod payments;
pub mod policy;
pub mod refunds;
pub mod returns;
pub mod row;
pub mod searches;
pub mod stock;

pub use cached_hash::CachedHash;
pub use context::Context;

/// The list of all rows: `for_each_row!(views each)` calls `each!` with one entry a row,
/// `field Variant: Row, "name", kind;`, in the order of their names. The kind is the origin of a row, and decides
/// whether a checkpoint keeps it:
///
/// | kind | what | in a checkpoint |
/// |---|---|---|
/// | `table` | the decider keeps it and reads it | yes |
/// | `history` | it counts what happened | yes |
/// | `rows` | it follows from rows that are there now | no |
/// | `state` | what a view remembers; outsiders do not see it | yes |
///
/// The first argument chooses: `views` are those that outsiders see, `kept` those in a checkpoint, `tables` the
/// decider's.
#[macro_export]
macro_rules! for_each_row {
    ($which:ident $each:ident) => {
        $crate::for_each_row! { @ $which $each []
            adjustments Adjustments: $crate::shop::adjustments::Adjustment, "adjustments", table;
            credits Credits: $crate::shop::credits::Credit, "credits", table;
            imbalances Imbalances: $crate::views::invariants::Residual, "imbalances", state;
            invariants Invariants: $crate::views::invariants::Invariant, "invariants", rows;
            letter_counts LetterCounts: $crate::shop::dead_letters::LetterCount, "letter_counts", state;
            operations Operations: $crate::shop::operations::Operation, "operations", table;
            orders Orders: $crate::shop::orders::Order, "orders", table;
            payments Payments: $crate::shop::payments::PaymentRow, "payments", rows;
            policy Policy: $crate::shop::policy::Policy, "policy", table;
            products Products: $crate::shop::catalogue::Product, "products", table;
            revenue Revenue: $crate::views::revenue::Revenue, "revenue", history;
            search_memory SearchMemory: $crate::views::searches::SearchSession, "search_memory", state;
            searches Searches: $crate::views::searches::Searches, "searches", history;
            stock Stock: $crate::shop::stock::Stock, "stock", table;
        }
    };
    // What is left once every entry was looked at.
    (@ $which:ident $each:ident [$($chosen:tt)*]) => { $each! { $($chosen)* } };
    // Entries that are not chosen.
    (@ views $each:ident $chosen:tt $field:ident $variant:ident: $row:ty, $name:literal, state; $($rest:tt)*) => {
        $crate::for_each_row! { @ views $each $chosen $($rest)* }
    };
    (@ kept $each:ident $chosen:tt $field:ident $variant:ident: $row:ty, $name:literal, rows; $($rest:tt)*) => {
        $crate::for_each_row! { @ kept $each $chosen $($rest)* }
    };
    (@ tables $each:ident $chosen:tt $field:ident $variant:ident: $row:ty, $name:literal, rows; $($rest:tt)*) => {
        $crate::for_each_row! { @ tables $each $chosen $($rest)* }
    };
    (@ tables $each:ident $chosen:tt $field:ident $variant:ident: $row:ty, $name:literal, history; $($rest:tt)*) => {
        $crate::for_each_row! { @ tables $each $chosen $($rest)* }
    };
    (@ tables $each:ident $chosen:tt $field:ident $variant:ident: $row:ty, $name:literal, state; $($rest:tt)*) => {
        $crate::for_each_row! { @ tables $each $chosen $($rest)* }
    };
    // All others are.
    (@ $which:ident $each:ident [$($chosen:tt)*]
        $field:ident $variant:ident: $row:ty, $name:literal, $kind:ident; $($rest:tt)*) => {
        $crate::for_each_row! { @ $which $each [$($chosen)* $field $variant: $row, $name, $kind;] $($rest)* }
    };
}

/// The list of all commands: calls the macro with one entry a command, `Name: Type;`, in the order of their numbers in
/// a checkpoint, so that a new one comes last. Its description is its `CommandSpec`, what it leads to its `Rule`.
#[macro_export]
macro_rules! for_each_command {
    ($each:ident) => {
        $each! {
            PutPolicy: $crate::shop::policy::PutPolicy;
            PutProduct: $crate::shop::catalogue::PutProduct;
            ArchiveProduct: $crate::shop::catalogue::ArchiveProduct;
            SetPrice: $crate::shop::catalogue::SetPrice;
            MoveStock: $crate::shop::stock::MoveStock;
            TransferStock: $crate::shop::stock::TransferStock;
            PlaceOrder: $crate::shop::orders::PlaceOrder;
            CancelOrder: $crate::shop::orders::CancelOrder;
            ShipOrder: $crate::shop::fulfilment::ShipOrder;
            DeliverOrder: $crate::shop::fulfilment::DeliverOrder;
            RecordShipmentFailure: $crate::shop::fulfilment::RecordShipmentFailure;
            ReturnItems: $crate::shop::returns::ReturnItems;
            RecordCredit: $crate::shop::credits::RecordCredit;
            RecordAdjustment: $crate::shop::adjustments::RecordAdjustment;
            RecordPaymentResult: $crate::shop::payments::RecordPaymentResult;
            IssueRefund: $crate::shop::refunds::IssueRefund;
        }
    };
}

/// The list of all events: calls the macro with one entry an event, `Name: Type;`. Its description is its `EventSpec`.
#[macro_export]
macro_rules! for_each_event {
    ($each:ident) => {
        $each! {
            ProductChanged: $crate::shop::catalogue::ProductChanged;
            PriceChanged: $crate::shop::catalogue::PriceChanged;
            StockUpdated: $crate::shop::stock::StockUpdated;
            InventoryReserved: $crate::shop::stock::InventoryReserved;
            InventoryReleased: $crate::shop::stock::InventoryReleased;
            LowStock: $crate::shop::stock::LowStock;
            OrderCreated: $crate::shop::orders::OrderCreated;
            OrderUpdated: $crate::shop::orders::OrderUpdated;
            OrderCancelled: $crate::shop::orders::OrderCancelled;
            OrderRejected: $crate::shop::orders::OrderRejected;
            ItemsReturned: $crate::shop::returns::ItemsReturned;
            CreditRecorded: $crate::shop::credits::CreditRecorded;
            AdjustmentRecorded: $crate::shop::adjustments::AdjustmentRecorded;
            PaymentRequested: $crate::shop::payments::PaymentRequested;
            PaymentProcessed: $crate::shop::payments::PaymentProcessed;
            PaymentFailed: $crate::shop::payments::PaymentFailed;
            RefundIssued: $crate::shop::refunds::RefundIssued;
        }
    };
}
