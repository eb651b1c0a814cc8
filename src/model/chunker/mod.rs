//! Cuts a stream into content-defined chunks. Knows nothing of where chunks go.
//!
//! FastCDC as in Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication
//! Based Storage Systems" (IEEE TPDS, 2020): a gear hash that is shifted left by one and added
//! the table entry of each byte, cut-point skipping below the minimum, and normalised chunking
//! of level 2: a stricter mask before the average, a looser one behind it. Bytes are rolled one
//! at a time.
//!
//! The cut points are a wire format. Chunks that two builds cut differently share nothing, and
//! clients that cut for themselves must agree with the server; so table, masks and sizes are
//! constants of their own, held by golden vectors.
//!
//! For every chunk, with `hash` starting at 0:
//!
//! ```text
//! bytes 0 .. 64 KiB        are not hashed
//! byte  64 KiB .. 256 KiB  hash = (hash << 1) + GEAR[byte]; if the top 20 bits are 0, cut behind it
//! byte  256 KiB .. 1 MiB   the same with the top 16 bits
//! behind byte 1 MiB - 1    cut
//! ```
//!
//! A top bit depends on the last 64 bytes, the lowest of the 16 on the last 49.

mod gear;

use gear::GEAR;

/// Sizes and masks under one name, which manifests record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Profile {
    /// Its name; what it stands for never changes.
    pub name: &'static str,
    /// Its number in rows.
    pub number: u8,
    /// No chunk but the last is as short as this.
    pub min: usize,
    /// Where the looser mask takes over.
    pub normal: usize,
    /// No chunk is longer.
    pub max: usize,
    strict: u64,
    loose: u64,
}

/// The profile of every bucket so far: `fastcdc2020-nc2-64k-256k-1m`.
pub const STANDARD: Profile = Profile {
    name: "fastcdc2020-nc2-64k-256k-1m",
    number: 1,
    min: 64 << 10,
    normal: 256 << 10,
    max: 1 << 20,
    strict: 0xffff_f000_0000_0000,
    loose: 0xffff_0000_0000_0000,
};

/// Finds the cuts of one stream, however it arrives in pieces.
#[derive(Clone, Debug)]
pub struct Chunker {
    profile: Profile,
    hash: u64,
    /// Bytes of the current chunk seen so far.
    seen: usize,
}

impl Chunker {
    /// At the start of a stream.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self { profile, hash: 0, seen: 0 }
    }

    /// The first cut in `bytes`: after so many of them a chunk ends, and the caller goes on with
    /// the rest. `None` if the chunk goes on behind them.
    pub fn cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = self.profile.min.saturating_sub(self.seen).min(bytes.len());
        self.seen += at;
        for (end, mask) in
            [(self.profile.normal, self.profile.strict), (self.profile.max, self.profile.loose)]
        {
            let stretch = end.saturating_sub(self.seen).min(bytes.len() - at);
            let part = bytes.get(at..at + stretch).unwrap_or_default();
            if let Some(used) = self.roll(part, mask) {
                self.restart();
                return Some(at + used);
            }
            at += stretch;
            self.seen += stretch;
        }
        if self.seen < self.profile.max {
            return None;
        }
        self.restart();
        Some(at)
    }

    /// Every cut in `bytes`, as offsets in them.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<usize> {
        let (mut cuts, mut start) = (Vec::new(), 0);
        while let Some(length) = self.cut(bytes.get(start..).unwrap_or_default()) {
            start += length;
            cuts.push(start);
        }
        cuts
    }

    /// Ends the chunk here, whatever the content; the length it had got. Zero if none had begun.
    pub fn finish(&mut self) -> usize {
        let length = self.seen;
        self.restart();
        length
    }

    fn restart(&mut self) {
        self.hash = 0;
        self.seen = 0;
    }

    /// Rolls over `part`; how many bytes it took to a cut.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the table has an entry for every byte")]
    fn roll(&mut self, part: &[u8], mask: u64) -> Option<usize> {
        let mut hash = self.hash;
        for (index, &byte) in part.iter().enumerate() {
            hash = (hash << 1).wrapping_add(GEAR[usize::from(byte)]);
            if hash & mask == 0 {
                return Some(index + 1);
            }
        }
        self.hash = hash;
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The golden inputs: BLAKE3 in extendable-output mode over the seed.
    fn noise(seed: &str, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn cuts(bytes: &[u8]) -> Vec<usize> {
        let mut chunker = Chunker::new(STANDARD);
        let mut cuts = chunker.push(bytes);
        let rest = chunker.finish();
        if rest > 0 {
            cuts.push(cuts.last().unwrap_or(&0) + rest);
        }
        cuts
    }

    /// Changing a line here changes the wire format.
    const GOLDEN: &[(&str, usize, &[usize])] = &[
        ("a", 0, &[]),
        ("a", 1, &[1]),
        ("a", 65_536, &[65_536]),
        ("a", 65_537, &[65_537]),
        ("b", 300_000, &[300_000]),
        (
            "c",
            5_242_880,
            &[
                305467, 595118, 884326, 1154873, 1238020, 1712910, 2013926, 2353213, 2662905, 3089889,
                3371626, 3652559, 4046722, 4366791, 4665133, 4946241, 5112202, 5242880,
            ],
        ),
        (
            "d",
            16_777_213,
            &[
                330578, 445358, 704055, 983597, 1323228, 1834770, 2204616, 2482389, 2776399, 3067994,
                3370084, 3661884, 4017200, 4246171, 4548166, 4816263, 5152018, 5442939, 5734080, 5803348,
                6025531, 6139247, 6554322, 6829507, 7116557, 7490816, 7579097, 7864128, 8245837, 8547973,
                8855878, 9133807, 9407349, 9699131, 9825693, 10139431, 10226463, 10587442, 10891575,
                11232546, 11505135, 11807390, 12086232, 12385372, 12764841, 13102143, 13479218, 13822352,
                14237757, 14502295, 14857418, 15162750, 15380557, 15730005, 16017818, 16342331, 16733690,
                16777213,
            ],
        ),
    ];

    #[test]
    fn the_golden_vectors_are_cut_as_ever() {
        for (seed, length, expected) in GOLDEN {
            assert_eq!(cuts(&noise(seed, *length)), *expected, "{length} bytes of {seed}");
        }
        assert_eq!(cuts(&vec![0; 2_500_000]), [1 << 20, 2 << 20, 2_500_000]);
        assert_eq!(STANDARD.name, "fastcdc2020-nc2-64k-256k-1m");
    }

    #[test]
    fn a_byte_put_in_front_moves_only_the_first_cuts() {
        let bytes = noise("d", 8 << 20);
        let shifted: Vec<u8> = [&[7], &bytes[..]].concat();
        let (before, after) = (cuts(&bytes), cuts(&shifted));
        let shared = before.iter().filter(|cut| after.contains(&(*cut + 1))).count();
        assert!(shared * 10 >= before.len() * 8, "{shared} of {}", before.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_cuts_do_not_depend_on_how_the_input_is_split(
            seed in any::<u32>(), length in 0_usize..3_000_000, pieces in prop::collection::vec(1_usize..400_000, 1..8),
        ) {
            let bytes = noise(&seed.to_string(), length);
            let mut chunker = Chunker::new(STANDARD);
            let (mut split, mut start) = (Vec::new(), 0);
            for piece in pieces.iter().cycle() {
                let end = (start + piece).min(length);
                split.extend(chunker.push(&bytes[start..end]).into_iter().map(|cut| start + cut));
                start = end;
                if start == length {
                    break;
                }
            }
            if chunker.finish() > 0 {
                split.push(length);
            }
            prop_assert_eq!(split, cuts(&bytes));
        }
    }
}
