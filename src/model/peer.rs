//! Who is told apart from whom on the network, where one peer must not use up what all share.

use std::net::IpAddr;

/// Peers that count as one: an IPv4 address, or the network of an IPv6 address, of which anybody
/// has plenty.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PeerNet([u8; 8]);

impl PeerNet {
    /// Of an address; `None` for this machine's own, behind which a proxy may hide everybody.
    #[must_use]
    pub fn of(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return None;
        }
        Some(Self(match address {
            // No IPv6 network begins like an IPv4 address written in its place: ::/64 is not given
            // to anybody.
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                [0, 0, 0, 0, a, b, c, d]
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h, ..] = v6.octets();
                [a, b, c, d, e, f, g, h]
            }
        }))
    }

    /// For digests.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Option<PeerNet> {
        PeerNet::of(text.parse().unwrap())
    }

    #[test]
    fn peers_are_told_apart_by_address_or_by_network() {
        assert_ne!(net("192.0.2.1"), net("192.0.2.2"));
        assert_eq!(net("192.0.2.1"), net("::ffff:192.0.2.1"));
        assert_eq!(net("2001:db8:0:1::1"), net("2001:db8:0:1:ffff::2"));
        assert_ne!(net("2001:db8:0:1::1"), net("2001:db8:0:2::1"));
        for own in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(net(own), None, "{own}");
        }
    }
}
