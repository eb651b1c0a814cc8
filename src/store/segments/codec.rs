//! Stored form of a plaintext: as it is, or compressed when that saves more than a sixteenth.

use crate::store::sync::{Mutex, MutexGuard, PoisonError};

use zstd::bulk::{Compressor, Decompressor};

const LEVEL: i32 = 1;
/// Compressors kept for later; each holds a few hundred KiB.
const KEPT: usize = 4;

/// How bytes are stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Codec {
    /// As they are.
    Raw,
    /// One zstd frame.
    Zstd,
}

impl Codec {
    /// Its number on the disk.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Zstd => 1,
        }
    }

    /// The codec of a number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Raw),
            1 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Compressors, kept because making one costs more than using it on a small chunk.
#[derive(Default)]
pub(in crate::store) struct Codecs(Mutex<Vec<Compressor<'static>>>);

impl Codecs {
    fn kept(&self) -> MutexGuard<'_, Vec<Compressor<'static>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored form behind `before` zeros.
    pub(in crate::store) fn encode(&self, bytes: &[u8], before: usize) -> (Vec<u8>, Codec) {
        let mut buffer = vec![0; before + bytes.len()];
        if let Some(stored) = self.compress(bytes, buffer.get_mut(before..).unwrap_or_default()) {
            buffer.truncate(before + stored);
            return (buffer, Codec::Zstd);
        }
        // What a compressor left there is overwritten whole.
        buffer.truncate(before);
        buffer.extend_from_slice(bytes);
        (buffer, Codec::Raw)
    }

    fn compress(&self, bytes: &[u8], out: &mut [u8]) -> Option<usize> {
        // Room for a form that is worth it and no more: zstd gives up when that is not enough.
        let worth = bytes.len() - bytes.len().div_ceil(16);
        let out = out.get_mut(..worth.saturating_sub(1)).filter(|out| !out.is_empty())?;
        let kept = self.kept().pop();
        let mut compressor = kept.map_or_else(|| Compressor::new(LEVEL), Ok).ok()?;
        let stored = compressor.compress_to_buffer(bytes, out).ok();
        let mut kept = self.kept();
        if kept.len() < KEPT {
            kept.push(compressor);
        }
        stored
    }
}

/// The plaintext of zstd's stored form; `None` if it is not one of exactly this length.
pub(in crate::store) fn decompress(stored: &[u8], raw_len: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; raw_len];
    let length = Decompressor::new().ok()?.decompress_to_buffer(stored, out.as_mut_slice()).ok()?;
    (length == raw_len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_compressed_only_when_it_saves_more_than_a_sixteenth() {
        let codecs = Codecs::default();
        let text = b"holdall ".repeat(1000);
        let (stored, codec) = codecs.encode(&text, 16);
        assert_eq!(codec, Codec::Zstd);
        assert_eq!(decompress(&stored[16..], text.len()).unwrap(), text);
        let mut noise = vec![0; 16_000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        for bytes in [&noise[..], b"", b"a"] {
            let (stored, codec) = codecs.encode(bytes, 16);
            assert_eq!((&stored[16..], codec), (bytes, Codec::Raw));
        }
        noise[..1500].fill(0);
        assert_eq!(codecs.encode(&noise, 0).1, Codec::Zstd);
        noise[600..1500].copy_from_slice(&text[..900]);
        let (stored, codec) = codecs.encode(&noise, 0);
        assert!(codec == Codec::Raw || stored.len() < 15_000);
    }

    #[test]
    fn a_damaged_frame_or_a_wrong_length_gives_nothing() {
        let text = b"holdall ".repeat(100);
        let (stored, _) = Codecs::default().encode(&text, 0);
        assert_eq!(decompress(&stored, text.len() - 1), None);
        assert_eq!(decompress(&stored, text.len() + 1), None);
        assert_eq!(decompress(&stored[..stored.len() - 1], text.len()), None);
        assert_eq!(decompress(b"nonsense", 10), None);
    }
}
