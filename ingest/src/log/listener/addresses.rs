//! The number of connections of each address.

use crate::log::lock;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

/// The number of connections of each address.
pub struct Addresses {
    each_max: usize,
    open: Mutex<BTreeMap<IpAddr, usize>>,
}

/// The place of a connection among those of its address, until it is dropped.
pub struct ConnectionSlot(Arc<Addresses>, IpAddr);

impl Addresses {
    pub fn new(each_max: usize) -> Addresses {
        Addresses { each_max: each_max.max(1), open: Mutex::default() }
    }

    /// A place, if there is one. 127.0.0.1 and ::1, which are the machine's own, have as many as there are.
    pub fn enter(self: &Arc<Addresses>, address: IpAddr) -> Option<ConnectionSlot> {
        let address = address.to_canonical();
        let is_machine = address == IpAddr::V4(Ipv4Addr::LOCALHOST) || address == IpAddr::V6(Ipv6Addr::LOCALHOST);
        let mut open = lock(&self.open);
        let count = open.entry(address).or_default();
        if *count >= self.each_max && !is_machine {
            return None;
        }
        *count += 1;
        Some(ConnectionSlot(Arc::clone(self), address))
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = lock(&self.0.open);
        if let Some(count) = open.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.1);
            }
        }
    }
}
