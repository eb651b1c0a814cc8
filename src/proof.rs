//! How large the randomised tests are, and where their numbers come from.
//!
//! Knows no test. `tests/it` may read the same file.
//!
//! - `HOLDALL_PROOF=long` asks for full figures, a number for so many hundredths of the usual
//!   ones. Without it a test has the size of every change.
//! - `HOLDALL_SEED` is where random numbers begin: `conformance/run` takes it from the commit, so
//!   that each commit tries others, and prints it, so that any of them can be tried again.

/// How often something is tried: `usual` for every change, `long` by hand.
#[must_use]
pub(crate) fn size(usual: u64, long: u64) -> u64 {
    match std::env::var("HOLDALL_PROOF") {
        Err(_) => usual,
        Ok(word) if word == "long" => long,
        Ok(word) => {
            let hundredths: u64 = word.parse().expect("HOLDALL_PROOF is `long` or a number of hundredths");
            (usual * hundredths / 100).max(1)
        }
    }
}

/// Whether the build is optimised. Both profiles have debug assertions; they differ in where they put
/// their programs.
#[must_use]
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn is_optimised() -> bool {
    !std::env::current_exe().unwrap().iter().any(|part| part == "debug")
}

/// Where the numbers of a test begin; the name keeps tests from trying the same.
#[must_use]
pub(crate) fn seed(test: &str) -> u64 {
    let word = std::env::var("HOLDALL_SEED").unwrap_or_default();
    let mut mixed = 0xcbf2_9ce4_8422_2325_u64;
    for byte in word.bytes().chain([b'/']).chain(test.bytes()) {
        mixed = (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    mixed
}

/// Numbers in no order, from a seed (SplitMix64: Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`; 0 if there are none.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        if sides == 0 { 0 } else { self.next() % sides }
    }
}

#[test]
fn other_seeds_and_names_give_other_numbers_and_the_same_give_the_same() {
    assert_eq!(seed("a"), seed("a"));
    assert_ne!(seed("a"), seed("b"));
    let (mut one, mut again) = (Dice(7), Dice(7));
    assert_eq!([one.next(), one.next()], [again.next(), again.next()]);
    assert!((0..1000).all(|_| one.roll(6) < 6) && one.roll(0) == 0);
}
