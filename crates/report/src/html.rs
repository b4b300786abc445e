//! The report as one HTML file: no network, nothing that is not in it. Its script is ours, some hundred lines: pictures are drawn
//! here, as SVG, so that they are there on paper and without script, and are the same to the byte.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::model::Report;
use crate::page::Page;

const TEMPLATE: &str = include_str!("../templates/report.html");
const STYLE: &str = include_str!("../templates/report.css");
const SCRIPT: &str = include_str!("../templates/report.js");

impl Report {
    /// The report as an HTML page that stands alone, in dark and light, for phone and paper.
    ///
    /// Every value is escaped by the template engine. The page's policy lets nothing load, and nothing run but its style and its script,
    /// which are allowed by their hashes; without script all is there but values under the pointer, a range of days and copying.
    ///
    /// # Errors
    ///
    /// The template fails, which is a mistake of ours.
    pub fn html(&self) -> Result<String, Error> {
        render("report.html", TEMPLATE, &Page::new(self))
    }
}

/// A page of a template, which finds its content in `page`.
pub(crate) fn render(name: &str, template: &str, page: &impl Serialize) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    let template = environment.template_from_named_str(name, template)?;
    let own = |text: &str| minijinja::Value::from_safe_string(text.to_owned());
    let hash = |text: &str| base64(&Sha256::digest(text));
    Ok(template.render(context! {
        page => Serde(page),
        style => own(STYLE),
        style_hash => hash(STYLE),
        script => own(SCRIPT),
        script_hash => hash(SCRIPT),
    })?)
}

/// Base64 with padding, as the policy writes a hash.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_usize, |group, &byte| group << 8 | usize::from(byte))
            << (8 * (3 - chunk.len()));
        for index in 0..4 {
            out.push(if index <= chunk.len() {
                char::from(DIGITS[group >> (18 - 6 * index) & 63])
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_to_groups_of_four() {
        assert_eq!(
            ["", "f", "fo", "foo", "foobar"].map(|text| base64(text.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYmFy"]
        );
    }
}
