//! Which partition a key belongs to, as the Java client says. Not for reading: any partition is accepted there.

/// The partition of a key among `count`: `toPositive(murmur2(key)) % count`. Records without a key go to partition 0,
/// since a choice by turns would depend on the other publishers.
pub fn partition_of(key: Option<&[u8]>, count: u32) -> u32 {
    match key {
        Some(key) => (murmur2(key) & 0x7fff_ffff) % count.max(1),
        None => 0,
    }
}

/// The hash of Apache Kafka's default partitioner: 32-bit MurmurHash2 with its seed.
pub fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    // Kafka's lengths are 32-bit; a key beyond that cannot be in a record.
    #[allow(clippy::cast_possible_truncation)]
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_java_clients() {
        // The vectors of Kafka's own `UtilsTest.testMurmur2`.
        let published: [(&str, i32); 7] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
            ("", 275_646_681),
        ];
        for (key, hash) in published {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn a_partition_is_the_positive_hash_modulo_the_count() {
        assert_eq!(partition_of(Some(b"21"), 8), ((-973_932_308_i32) & 0x7fff_ffff).cast_unsigned() % 8);
        assert_eq!(partition_of(None, 8), 0);
        assert_eq!(partition_of(Some(b"abc"), 1), 0);
    }
}
