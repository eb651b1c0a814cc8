//! How values of rows are written: one version byte, then the fields in order.
//!
//! Integers are LEB128 varints, texts and byte strings carry their length, options one byte.
//! A version this build does not know, and bytes behind the last field, are errors: a newer row
//! is refused, never cut.

use crate::{
    model::{
        checksum::{Checksum, ChecksumKind},
        etag::Etag,
        ids::{
            AccountId, BucketId, ChunkNo, HistoryId, ManifestId, NodeId, SegmentId, Seq, UploadId, VersionId,
        },
        time::Timestamp,
    },
    store::error::StoreError,
};

/// Reads fields off the front of a row.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// True when every byte was read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// Damaged if there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], StoreError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, StoreError> {
        let (first, rest) = self.rest.split_first().ok_or_else(short)?;
        self.rest = rest;
        Ok(*first)
    }
}

fn short() -> StoreError {
    StoreError::Damaged("a row is cut short or holds an impossible value".into())
}

/// A value that can stand in a row.
pub trait Field: Sized {
    /// Appends the written form.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads the written form.
    ///
    /// # Errors
    /// Damaged if the bytes are not such a form.
    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError>;
}

impl Field for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = from.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).ok_or_else(short)?;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(short())
    }
}

impl Field for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        u64::from(*self).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        Self::try_from(u64::read(from)?).map_err(|_| short())
    }
}

impl Field for u8 {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        from.byte()
    }
}

impl Field for i64 {
    fn write(&self, out: &mut Vec<u8>) {
        (((*self << 1) ^ (*self >> 63)) as u64).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        let zigzag = u64::read(from)?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }
}

impl Field for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(short()),
        }
    }
}

impl Field for String {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        Self::from_utf8(Bytes::read(from)?.0).map_err(|_| short())
    }
}

/// A byte string in a row (a plain `Vec<T>` is a list of fields).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bytes(pub Vec<u8>);

impl Field for Bytes {
    fn write(&self, out: &mut Vec<u8>) {
        (self.0.len() as u64).write(out);
        out.extend_from_slice(&self.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        let count = usize::try_from(u64::read(from)?).map_err(|_| short())?;
        from.take(count).map(|bytes| Self(bytes.to_vec()))
    }
}

impl<const N: usize> Field for [u8; N] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        from.take(N)?.try_into().map_err(|_| short())
    }
}

impl<T: Field> Field for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        bool::read(from)?.then(|| T::read(from)).transpose()
    }
}

impl<T: Field> Field for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        for value in self {
            value.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        let count = u64::read(from)?;
        (0..count).map(|_| T::read(from)).collect()
    }
}

impl<A: Field, B: Field> Field for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        Ok((A::read(from)?, B::read(from)?))
    }
}

macro_rules! number_fields {
    ($($name:ident),*) => {$(
        impl Field for $name {
            fn write(&self, out: &mut Vec<u8>) {
                self.0.write(out);
            }

            fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
                Ok(Self(Field::read(from)?))
            }
        }
    )*};
}

number_fields!(
    AccountId, BucketId, NodeId, HistoryId, ManifestId, ChunkNo, SegmentId, UploadId, Seq, Timestamp
);

impl Field for VersionId {
    fn write(&self, out: &mut Vec<u8>) {
        self.incarnation.write(out);
        self.seq.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        Ok(Self { incarnation: Field::read(from)?, seq: Field::read(from)? })
    }
}

impl Field for Etag {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().to_owned().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        Ok(Self::from_text(&String::read(from)?))
    }
}

impl Field for ChecksumKind {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(Self::ALL.iter().position(|kind| kind == self).unwrap_or_default() as u8);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        Self::ALL.get(usize::from(from.byte()?)).copied().ok_or_else(short)
    }
}

impl Field for Checksum {
    fn write(&self, out: &mut Vec<u8>) {
        self.kind.write(out);
        self.parts.write(out);
        Bytes(self.value.clone()).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        Ok(Self { kind: Field::read(from)?, parts: Field::read(from)?, value: Bytes::read(from)?.0 })
    }
}

/// A whole value of a table.
pub trait Row: Sized {
    /// The written form.
    fn encode(&self) -> Vec<u8>;
    /// Reads the written form.
    ///
    /// # Errors
    /// Damaged if the bytes are not such a form, or a form of a newer build.
    fn decode(bytes: &[u8]) -> Result<Self, StoreError>;
}

/// Declares a row: a struct with its written form, version 1. A later version gets its own
/// struct and a migration; the old decoder stays for it.
#[macro_export]
macro_rules! row {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug)]
        #[allow(unreachable_pub, reason = "tests and private modules declare rows too")]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $crate::store::meta::codec::Row for $name {
            fn encode(&self) -> Vec<u8> {
                let mut out = vec![1];
                $($crate::store::meta::codec::Field::write(&self.$field, &mut out);)*
                out
            }

            fn decode(bytes: &[u8]) -> Result<Self, $crate::store::error::StoreError> {
                let mut from = $crate::store::meta::codec::Reader::new(bytes);
                $crate::store::meta::codec::expect_version(&mut from, 1)?;
                let row = Self {
                    $($field: $crate::store::meta::codec::Field::read(&mut from)?,)*
                };
                $crate::store::meta::codec::expect_end(&from)?;
                Ok(row)
            }
        }
    };
}

/// Declares an enum without data as a field of one byte, numbered in order.
#[macro_export]
macro_rules! enum_field {
    ($($type:ty: $($variant:ident = $number:literal),+;)+) => {$(
        impl $crate::store::meta::codec::Field for $type {
            fn write(&self, out: &mut Vec<u8>) {
                out.push(match self { $(Self::$variant => $number,)+ });
            }

            fn read(
                from: &mut $crate::store::meta::codec::Reader<'_>,
            ) -> Result<Self, $crate::store::error::StoreError> {
                match <u8 as $crate::store::meta::codec::Field>::read(from)? {
                    $($number => Ok(Self::$variant),)+
                    other => Err($crate::store::error::StoreError::Damaged(
                        format!("{} has no form {other}", stringify!($type)),
                    )),
                }
            }
        }
    )+};
}

/// Reads the version byte.
///
/// # Errors
/// Damaged unless it is `version`.
pub fn expect_version(from: &mut Reader<'_>, version: u8) -> Result<(), StoreError> {
    match from.byte()? {
        found if found == version => Ok(()),
        found => Err(StoreError::Damaged(format!("a row has version {found}, not {version}"))),
    }
}

/// Makes sure that nothing is left.
///
/// # Errors
/// Damaged if there is.
pub fn expect_end(from: &Reader<'_>) -> Result<(), StoreError> {
    if from.is_done() { Ok(()) } else { Err(short()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    row! {
        /// A row of every kind of field.
        Sample {
            number: u64,
            signed: i64,
            text: String,
            maybe: Option<Etag>,
            list: Vec<(u32, bool)>,
            sum: Checksum,
        }
    }

    fn sample() -> Sample {
        Sample {
            number: u64::MAX,
            signed: i64::MIN,
            text: "é".into(),
            maybe: Some(Etag::from_text("ab")),
            list: vec![(7, true), (300, false)],
            sum: Checksum { kind: ChecksumKind::Sha1, value: vec![1; 20], parts: Some(2) },
        }
    }

    #[test]
    fn a_row_reads_back_what_it_writes() {
        assert_eq!(Sample::decode(&sample().encode()).unwrap(), sample());
    }

    #[test]
    fn a_row_that_is_cut_longer_or_newer_is_damaged() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            assert!(Sample::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Sample::decode(&longer).is_err());
        let mut newer = bytes;
        newer[0] = 2;
        assert!(Sample::decode(&newer).is_err());
    }
}
