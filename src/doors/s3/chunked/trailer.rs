//! The lines behind the last chunk.

use super::chain::Chain;
use crate::doors::s3::{code::Code, error::Refusal};

const SIGNATURE: &str = "x-amz-trailer-signature";

/// Gathers the trailers announced, and no others.
#[derive(Debug)]
pub(super) struct Trailer {
    announced: Vec<String>,
    found: Vec<(String, String)>,
    /// A signature over the trailer is yet to come.
    unsigned: bool,
}

fn malformed() -> Refusal {
    Refusal::new(Code::MalformedTrailerError)
}

impl Trailer {
    pub(super) fn new(announced: Option<Vec<String>>, signed: bool) -> Self {
        let unsigned = signed && announced.is_some();
        Self { announced: announced.unwrap_or_default(), found: Vec::new(), unsigned }
    }

    /// Whether an empty line ends it: some clients send one before the signature, too.
    pub(super) fn may_end(&self) -> bool {
        !self.unsigned
    }

    pub(super) fn line(&mut self, line: &[u8], chain: Option<&mut Chain>) -> Result<(), Refusal> {
        if line.is_empty() {
            return Ok(());
        }
        let text = std::str::from_utf8(line).map_err(|_| malformed())?;
        let (name, value) = text.split_once(':').ok_or_else(malformed)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if let (SIGNATURE, true, Some(chain)) = (name.as_str(), self.unsigned, chain) {
            let lines: String = self.found.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            self.unsigned = false;
            return chain.end_trailer(&lines, value);
        }
        let known = self.found.iter().any(|(found, _)| *found == name);
        if known || !self.announced.contains(&name) {
            return Err(malformed());
        }
        self.found.push((name, value.to_owned()));
        Ok(())
    }

    /// What was found, if that is all that was announced, signed where it must be.
    pub(super) fn finish(self, chain: Option<&mut Chain>) -> Result<Vec<(String, String)>, Refusal> {
        let unsigned = self.unsigned && chain.is_some();
        if unsigned || self.found.len() != self.announced.len() {
            return Err(malformed());
        }
        Ok(self.found)
    }
}
