//! The beginning of a build's context: as it came, and as the archive that it holds.
//!
//! Invariant: neither is kept beyond a limit, however well the context is compressed.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

/// The most of an archive that is looked into.
pub(super) const LOOK: usize = 1 << 20;
/// The most that is read for it; what is compressed is rarely larger than what is in it.
const READ: usize = 2 * LOOK;
/// What a stream of gzip begins with (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What was read of a context so far.
#[derive(Debug, Default)]
pub(super) struct Begun {
    read: Vec<u8>,
    /// What takes it out of its compression; none of an archive that is not compressed.
    inflater: Option<MultiGzDecoder<Inflated>>,
    is_broken: bool,
}

impl Begun {
    /// Takes what comes next.
    pub(super) fn take(&mut self, part: &[u8]) {
        let before = self.read.len();
        self.read.extend_from_slice(part);
        let begins = before < GZIP.len() && self.read.starts_with(&GZIP);
        let part = match &self.inflater {
            Some(_) => part,
            None if begins => {
                self.inflater = Some(MultiGzDecoder::new(Inflated::default()));
                &self.read
            }
            None => return,
        };
        if let Some(inflater) = &mut self.inflater {
            let inflated = inflater.write_all(part).and_then(|()| inflater.flush());
            self.is_broken |= inflated.is_err();
        }
    }

    /// Returns what there is of the archive.
    pub(super) fn archive(&self) -> &[u8] {
        match &self.inflater {
            Some(inflater) => &inflater.get_ref().0,
            // What it is cannot be told yet.
            None if self.read.len() < GZIP.len() => &[],
            None => &self.read,
        }
    }

    /// Tells whether no more of the archive will be seen.
    pub(super) fn is_spent(&self) -> bool {
        self.is_broken || self.read.len() > READ
    }

    /// Returns what was read, as it came.
    pub(super) fn read(self) -> Bytes {
        self.read.into()
    }
}

/// What was taken out of a compressed context; it refuses what is beyond the look.
#[derive(Debug, Default)]
struct Inflated(Vec<u8>);

impl Write for Inflated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = LOOK.saturating_sub(self.0.len());
        let taken = bytes.len().min(room);
        self.0.extend_from_slice(&bytes[..taken]);
        match taken {
            0 if !bytes.is_empty() => Err(io::ErrorKind::FileTooLarge.into()),
            taken => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_compressed_is_seen_as_it_was_before_as_soon_as_it_is_there() {
        let text: Vec<u8> = (0..60_000_u32).flat_map(u32::to_le_bytes).collect();
        let (one, two) = text.split_at(text.len() / 3);
        // As of programs that compress in several pieces.
        let pieces = [gzip(one), gzip(two)].concat();
        for (whole, size) in [(&pieces, 1), (&pieces, 700), (&pieces, 1 << 20), (&text, 1)] {
            let mut begun = Begun::default();
            for part in whole.chunks(size) {
                begun.take(part);
                let seen = begun.archive();
                assert_eq!(seen, &text[..seen.len()]);
            }
            assert_eq!(begun.archive(), text);
            assert!(!begun.is_spent());
            assert_eq!(begun.read(), whole);
        }
    }

    #[test]
    fn no_more_is_kept_than_is_looked_into() {
        let zeros = gzip(&vec![0; 64 << 20]);
        assert!(zeros.len() < READ);
        let mut begun = Begun::default();
        begun.take(&zeros);
        assert!(begun.is_spent());
        assert_eq!(begun.archive().len(), LOOK);
        assert_eq!(begun.read(), zeros);

        let mut begun = Begun::default();
        begun.take(&GZIP);
        begun.take(b"is not what this is");
        assert!(begun.is_spent());

        // A name in its header that does not end.
        let mut begun = Begun::default();
        begun.take(&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0]);
        let mut parts = 0;
        while !begun.is_spent() {
            begun.take(&[b'x'; 4096]);
            parts += 1;
        }
        assert!(parts <= READ / 4096);
        assert!(begun.archive().is_empty());
    }
}
