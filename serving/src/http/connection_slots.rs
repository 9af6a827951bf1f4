//! Admission: places for connections, in all and by the client's address. A few more are let in than there are places,
//! to be answered that the node is full and so that probes are answered at any time. Not for what a request asks.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// The number of connections that there may be.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// In all.
    pub all: usize,
    /// Of one address, an IPv6 address standing for its /64; `None`: as many as there are.
    pub of_an_address: Option<usize>,
    /// Beyond those, for probes and refusals.
    pub spare: usize,
    /// Of one address.
    pub spare_of_an_address: usize,
    /// Addresses that are not counted one by one: proxies in front.
    pub uncounted: Vec<Network>,
}

/// The places of a listener.
#[derive(Debug)]
pub struct ConnectionSlots {
    limits: ConnectionLimits,
    taken: Mutex<SlotCounts>,
}

#[derive(Debug, Default)]
struct SlotCounts {
    places: usize,
    spare: usize,
    /// Of each address that has any: places, and spare ones.
    of: HashMap<IpAddr, (usize, usize)>,
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub struct ConnectionSlot {
    places: Arc<ConnectionSlots>,
    address: Option<IpAddr>,
    is_spare: bool,
}

impl ConnectionSlots {
    /// All free.
    pub fn new(limits: ConnectionLimits) -> Arc<ConnectionSlots> {
        Arc::new(ConnectionSlots { limits, taken: Mutex::default() })
    }

    /// A place for a connection from that address, or a spare one; `None` if there is neither.
    pub fn take(self: &Arc<Self>, peer: IpAddr) -> Option<ConnectionSlot> {
        let ConnectionLimits { all, of_an_address, spare, spare_of_an_address, uncounted: _ } = self.limits;
        let address = of_an_address.and_then(|_| self.counted(peer));
        let mut taken = self.taken.lock();
        let (of_it, spare_of_it) = address.and_then(|address| taken.of.get(&address).copied()).unwrap_or_default();
        let is_full = taken.places >= all || address.is_some() && of_an_address.is_some_and(|most| of_it >= most);
        if is_full && (taken.spare >= spare || address.is_some() && spare_of_it >= spare_of_an_address) {
            return None;
        }
        *(if is_full { &mut taken.spare } else { &mut taken.places }) += 1;
        if let Some(address) = address {
            let (of_it, spare_of_it) = taken.of.entry(address).or_default();
            *(if is_full { spare_of_it } else { of_it }) += 1;
        }
        Some(ConnectionSlot { places: Arc::clone(self), address, is_spare: is_full })
    }

    /// Under which address a client is counted; `None` if it is not counted by its own.
    fn counted(&self, peer: IpAddr) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        let own = [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into()];
        if own.contains(&peer) || self.limits.uncounted.iter().any(|network| network.has(peer)) {
            return None;
        }
        Some(match peer {
            IpAddr::V4(_) => peer,
            IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        })
    }
}

impl ConnectionSlot {
    /// The address, or network, that the client counts under; none if it is not counted by its own.
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Returns true if it is one beyond the limit.
    pub const fn is_spare(&self) -> bool {
        self.is_spare
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        *(if self.is_spare { &mut taken.spare } else { &mut taken.places }) -= 1;
        let Some(address) = self.address else { return };
        if let Some((of_it, spare_of_it)) = taken.of.get_mut(&address) {
            *(if self.is_spare { spare_of_it } else { of_it }) -= 1;
            if (0, 0) == (*taken.of.get(&address).unwrap_or(&(0, 0))) {
                taken.of.remove(&address);
            }
        }
    }
}

/// A network: addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`, or one address.
    pub fn read(text: &str) -> Option<Network> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Network { address, bits })
    }

    /// Returns true if an address belongs to it.
    pub fn has(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = u32::from(network) ^ u32::from(address);
                differ.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = u128::from(network) ^ u128::from(address);
                differ.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn places(uncounted: &[&str]) -> Arc<ConnectionSlots> {
        let uncounted = uncounted.iter().map(|text| Network::read(text).unwrap()).collect();
        ConnectionSlots::new(ConnectionLimits {
            all: 5,
            of_an_address: Some(2),
            spare: 3,
            spare_of_an_address: 1,
            uncounted,
        })
    }

    #[test]
    fn an_address_has_so_many_places_and_the_node_has_so_many() {
        let places = places(&[]);
        let take = |from: &str| places.take(ip(from)).map(|place| (place.is_spare(), place));
        let first: Vec<_> = (0..4).map(|_| take("127.0.0.2")).collect();
        let spare: Vec<_> = first.iter().map(|place| place.as_ref().map(|(is_spare, _)| *is_spare)).collect();
        assert_eq!(spare, [Some(false), Some(false), Some(true), None]);
        let own: Vec<_> = (0..6).map(|_| take("127.0.0.1")).collect();
        let spare: Vec<_> = own.iter().map(|place| place.as_ref().map(|(is_spare, _)| *is_spare)).collect();
        assert_eq!(spare, [Some(false), Some(false), Some(false), Some(true), Some(true), None]);
        drop((first, own));
        assert_eq!(places.taken.lock().of.len(), 0, "nothing is kept of an address that went");
        assert!(take("127.0.0.2").is_some_and(|(is_spare, _)| !is_spare));
    }

    #[test]
    fn networks_of_six_are_one_address_and_proxies_are_none() {
        let places = places(&["10.0.0.0/8", "2001:db8::/32"]);
        assert_eq!(places.counted(ip("2001:db9::1")), places.counted(ip("2001:db9::ffff:1")));
        assert_ne!(places.counted(ip("2001:db9:0:1::1")), places.counted(ip("2001:db9::1")));
        assert_eq!(places.counted(ip("::ffff:127.0.0.3")), Some(ip("127.0.0.3")));
        for none in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "2001:db8:1::1"] {
            assert_eq!(places.counted(ip(none)), None, "{none}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0", "::/129", "10.0.0.0/", "a/8"] {
            assert_eq!(Network::read(bad), None, "{bad}");
        }
        assert!(Network::read("0.0.0.0/0").is_some_and(|all| all.has(ip("9.9.9.9"))));
    }
}
