//! A follower of changes.

use super::ViewStore;
use super::subscriptions::{Interest, Next};
use dataflows::contract::changes::ViewChanges;
use dataflows::contract::epoch::Epoch;
use dataflows::shop::row::View;
use smol_str::SmolStr;
use std::sync::Arc;
use tokio::sync::Notify;

/// A follower of a view, or a key of it. Nothing is missed and nothing comes twice.
pub struct Subscription {
    shop: ViewStore,
    interest: Interest,
    id: u64,
    wake: Arc<Notify>,
    /// The first epoch that it has not seen.
    next: Epoch,
}

impl Subscription {
    pub(super) fn new(shop: ViewStore, view: View, key: Option<SmolStr>, after: Epoch) -> Option<Subscription> {
        let interest = Interest { view, key };
        let (id, wake) = shop.0.feed.enter(&interest, after)?;
        Some(Subscription { shop, interest, id, wake, next: after.next() })
    }

    /// The shop that is followed.
    pub const fn shop(&self) -> &ViewStore {
        &self.shop
    }

    /// The view.
    pub const fn view(&self) -> View {
        self.interest.view
    }

    /// The key, if it is only one.
    pub const fn key(&self) -> Option<&SmolStr> {
        self.interest.key.as_ref()
    }

    /// The changes of an epoch, as long as they are kept.
    pub fn rows(&self, epoch: Epoch) -> Option<Arc<ViewChanges>> {
        self.shop.0.feed.rows(epoch)
    }

    /// Advances by one step.
    pub fn advance(&mut self) -> Next {
        let next = self.shop.0.feed.next(self.id, &self.interest, self.next);
        if let Next::Changed(epoch, _) | Next::UpToDate(epoch) = &next {
            self.next = self.next.max(epoch.next());
        }
        next
    }

    /// Waits until there may be something to see.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shop.0.feed.leave(self.id, &self.interest);
    }
}
