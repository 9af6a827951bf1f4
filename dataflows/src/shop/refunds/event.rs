//! Why money went back.

/// Why money went back, as the shop tells it apart; the reason in the event may be the caller's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundKind {
    /// With goods: the return counts it.
    Returned,
    /// With a cancellation, which counts it.
    Cancelled,
    /// It came after the order was cancelled: it counts nowhere.
    LateCapture,
    /// Money without goods.
    MoneyOnly,
}
