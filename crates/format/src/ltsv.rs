//! Labelled tab-separated values: `label:value`, with tabs between.

use memchr::memchr;

use crate::error::{LineError, LineErrorKind};
use crate::keys::Visitor;

/// Tells of each field of a line in turn.
pub(crate) fn walk<'line>(
    line: &'line [u8],
    visitor: &mut impl Visitor<'line>,
) -> Result<(), LineError> {
    let mut at = 0;
    while at < line.len() {
        let field = &line[at..];
        let field = &field[..memchr(b'\t', field).unwrap_or(field.len())];
        if !field.is_empty() {
            let colon = memchr(b':', field)
                .filter(|colon| is_label(&field[..*colon]))
                .ok_or(LineError::at(
                    LineErrorKind::NotLabelled,
                    LineError::NO_FIELD,
                    at,
                ))?;
            let value = &field[colon + 1..];
            if value != b"-" && !value.is_empty() {
                visitor.value(&field[..colon], value, at + colon + 1)?;
            }
        }
        at += field.len() + 1;
    }
    Ok(())
}

fn is_label(label: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    !label.is_empty() && label.iter().all(is_letter)
}
