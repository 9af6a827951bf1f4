//! A sample of each command as a client may send it: out of order, with defaults left out, with what we do not know.

use dataflows::shop::command::CommandType;

/// The sample's data.
pub const fn given(command_type: CommandType) -> &'static str {
    match command_type {
        CommandType::PutPolicy => r#"{"order_lines_max": 100, "payment_timeout_s": 60, "unknown": [1.5]}"#,
        CommandType::PutProduct => {
            r#"{"title": "Cream cake stand — Größe \"M\"", "product_id": "p-1", "category": ["Home", "Kitchen"],
                "attributes": {"size": "M", "colour": "cream"}, "brand": null,
                "variants": [{"price": {"currency": "GBP", "amount": "12.5"}, "sku": "85123A"},
                             {"sku": "e-book", "title": "Book", "price": {"amount": "0.001", "currency": "JPY"},
                              "inventory_policy": "none", "low_stock_at": 3}]}"#
        }
        CommandType::ArchiveProduct => r#"{"product_id": "p-1", "occurred_at": "2026-01-02T03:04:05.600Z"}"#,
        CommandType::SetPrice => {
            r#"{"sku": "85123A", "product_id": "p-1", "price": {"amount": "9.9900", "currency": "GBP"},
                "valid_from": "2026-11-27T00:00:00Z", "valid_to": "2026-12-01T00:00:00Z"}"#
        }
        CommandType::MoveStock => r#"{"sku": "85123A", "quantity": -3, "reason": "written_off", "location": null}"#,
        CommandType::TransferStock => {
            r#"{"sku": "85123A", "from": "main", "to": "shop 2", "quantity": 4, "reference": "T/7"}"#
        }
        CommandType::PlaceOrder => {
            r#"{"currency": "GBP", "country": "EIRE", "payment": {"method": "sandbox"},
                "lines": [{"sku": "85123A", "quantity": 2},
                          {"quantity": 1, "sku": "POST", "unit_price": {"amount": "18", "currency": "GBP"}}]}"#
        }
        CommandType::CancelOrder => r#"{"order_id": "o-1", "reason": "customer"}"#,
        CommandType::ShipOrder => r#"{"order_id": "o-1", "carrier": "post", "tracking": "T 1"}"#,
        CommandType::DeliverOrder => r#"{"order_id": "o-1"}"#,
        CommandType::RecordShipmentFailure => r#"{"order_id": "o-1", "reason": "lost", "restock": false}"#,
        CommandType::ReturnItems => r#"{"order_id": "o-1", "return_id": "r-1", "lines": [{"quantity": 1, "line": 2}]}"#,
        CommandType::RecordCredit => {
            r#"{"credit_id": "C536379", "customer_id": "14527", "currency": "GBP", "country": "United Kingdom",
                "lines": [{"sku": "D", "quantity": 1, "unit_price": {"amount": "27.5", "currency": "GBP"}}]}"#
        }
        CommandType::RecordAdjustment => {
            r#"{"adjustment_id": "A563185", "currency": "GBP", "country": "Unspecified",
                "amount": {"amount": "-11062.06", "currency": "GBP"}, "reference": "A563185"}"#
        }
        CommandType::RecordPaymentResult => {
            r#"{"order_id": "o-1", "payment_id": "o-1", "status": "charged_back",
                "amount": {"amount": "43", "currency": "GBP"}}"#
        }
        CommandType::IssueRefund => {
            r#"{"order_id": "o-1", "refund_id": "f-1", "amount": {"amount": "0.01", "currency": "GBP"}, "reason": "late"}"#
        }
    }
}
