//! What can go wrong with a log file, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a log could not be found, opened or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A log that was named does not exist.
    #[error(
        "cannot open log source `{}`: no such file or directory\n\
         hint: check the path; a directory, a glob such as `'/var/log/nginx/access.log*'` and `-` are read too",
        path.display()
    )]
    Missing {
        /// The path as it was given.
        path: PathBuf,
    },

    /// A log that was found is there no longer.
    #[error(
        "cannot open log source `{}`: no such file or directory\n\
         hint: it was listed a moment ago; if logrotate is running, run the command again",
        path.display()
    )]
    Vanished {
        /// The path at which it was.
        path: PathBuf,
    },

    /// The path of a log leads to another file than a moment ago.
    #[error(
        "cannot read log source `{}`: it is another file than a moment ago\n\
         hint: if logrotate is running, run the command again",
        path.display()
    )]
    Replaced {
        /// The path of both.
        path: PathBuf,
    },

    /// The log may not be read.
    #[error(
        "cannot open log source `{}`: permission denied\n\
         hint: Nginx's logs usually belong to the group `adm`; run the command as a member of it, or with `sudo`",
        path.display()
    )]
    PermissionDenied {
        /// The file or directory.
        path: PathBuf,
    },

    /// The log could not be opened for a reason of the operating system's.
    #[error("cannot open log source `{}`", path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },

    /// Reading failed half-way for a reason of the operating system's.
    #[error("cannot read log source `{}` beyond byte {plain_offset}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Decompressed bytes read until then.
        plain_offset: u64,
        /// What the operating system says.
        source: io::Error,
    },

    /// A glob that no file fits.
    #[error(
        "no file fits the glob `{pattern}`\nhint: `*` does not cross `/`; quote the glob so that the shell leaves it alone"
    )]
    NoMatch {
        /// The glob.
        pattern: String,
    },

    /// A glob that cannot be read as one.
    #[error(
        "cannot read the glob `{pattern}`: {problem}, at byte {offset}\nhint: to mean the character itself, write `[*]`, `[?]` or `[[]`"
    )]
    BadGlob {
        /// The glob.
        pattern: String,
        /// Byte offset in it.
        offset: usize,
        /// What is wrong there.
        problem: &'static str,
    },

    /// A directory or a glob whose files are all something else than access logs.
    #[error(
        "no access log in `{}`: {}\n\
         hint: of a directory those files are read whose name holds `access` and whose first lines fit the format; \
         name other files one by one, or state their format with `--format`",
        path.display(),
        skipped_text(*skipped)
    )]
    NoLogs {
        /// The directory or glob.
        path: PathBuf,
        /// How many files were looked at.
        skipped: usize,
    },

    /// A file that holds no text, by its first bytes.
    #[error("`{}` is not a text log: {}\nhint: {}", path.display(), found_text(found), not_text_hint(path, found))]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it holds instead.
        found: &'static str,
    },

    /// A compressed file that ends too early.
    #[error(
        "`{}` is truncated: its {compression} stream ends too early, after {plain_offset} decompressed bytes\n\
         hint: the lines up to there were read; copy the file again, or wait until it has been written in full",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// Decompressed bytes read until then.
        plain_offset: u64,
    },

    /// A compressed file with wrong bytes in it.
    #[error(
        "`{}` is damaged: its {compression} stream cannot be decoded beyond {plain_offset} decompressed bytes ({problem})\n\
         hint: the lines up to there were read; `{compression} -t` checks the file, copy it again if it fails",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// Decompressed bytes read until then.
        plain_offset: u64,
        /// The decoder's words.
        problem: String,
    },

    /// A plain file became shorter while it was read.
    #[error(
        "`{}` became shorter while it was read: expected {expected} bytes, found {found}\n\
         hint: if logrotate is running (`copytruncate`), run the command again",
        path.display()
    )]
    Shrank {
        /// The file.
        path: PathBuf,
        /// Its length when reading began, in bytes.
        expected: u64,
        /// Where it ended, in bytes.
        found: u64,
    },

    /// A file continues a source whose earlier bytes, in another file, could not be read.
    #[error(
        "`{}` is left unread: it continues source `{source_id}` at byte {expected}, of which only {found} bytes could be read\n\
         hint: see to the file that failed before it, then run the command again",
        path.display()
    )]
    Unconnected {
        /// The file.
        path: PathBuf,
        /// The source.
        source_id: String,
        /// Where in the source this file goes on.
        expected: u64,
        /// How far the source was read.
        found: u64,
    },

    /// What is new of logs could not be copied.
    #[error(
        "cannot copy what is new of the logs into a temporary file\n\
         hint: `TMPDIR` names the folder for such files"
    )]
    Copy {
        /// What the operating system says.
        source: io::Error,
    },

    /// A text that is no source id.
    #[error("expected a source id `LOG SET/16 hex digits/NUMBER`, found `{text}`")]
    NotASourceId {
        /// The text.
        text: String,
    },
}

impl Error {
    /// Whether it is of the moment: a log that may come, be opened to us, or is being rotated just now.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Vanished { .. }
                | Self::Replaced { .. }
                | Self::PermissionDenied { .. }
                | Self::NoMatch { .. }
                | Self::NoLogs { .. }
                | Self::Truncated { .. }
                | Self::Shrank { .. }
        )
    }

    /// Whether a log was renamed, cut or replaced between two looks: who looks again finds it where it is now.
    #[must_use]
    pub fn is_of_a_moment(&self) -> bool {
        match self {
            Self::Vanished { .. }
            | Self::Replaced { .. }
            | Self::Shrank { .. }
            | Self::Unconnected { .. } => true,
            Self::Read { source, .. } => source.kind() == io::ErrorKind::UnexpectedEof,
            _ => false,
        }
    }

    pub(crate) fn open(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            // The latter where a part of the path is a file.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing { path },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { path },
            _ => Self::Open { path, source },
        }
    }

    /// For a file that discovery found.
    pub(crate) fn reopen(path: &Path, source: io::Error) -> Self {
        match Self::open(path, source) {
            Self::Missing { path } => Self::Vanished { path },
            other => other,
        }
    }
}

fn skipped_text(skipped: usize) -> String {
    match skipped {
        0 => "it holds no file".to_owned(),
        1 => "its one file is none".to_owned(),
        n => format!("none of its {n} files is one"),
    }
}

/// By its bytes UTF-16 can only be supposed.
fn found_text(found: &str) -> String {
    match found {
        "UTF-16 text" => "it looks like UTF-16".to_owned(),
        _ => format!("found {found}"),
    }
}

fn not_text_hint(path: &Path, found: &str) -> String {
    let path = path.display();
    match found {
        "xz data" => format!("decompress it on the way in: `xz -dc {path} | floodmark ingest -`"),
        "bzip2 data" => {
            format!("decompress it on the way in: `bzip2 -dc {path} | floodmark ingest -`")
        }
        "lz4 data" => format!("decompress it on the way in: `lz4 -dc {path} | floodmark ingest -`"),
        "a tar archive" => {
            format!("unpack it on the way in: `tar -xOf {path} | floodmark ingest -`")
        }
        "a zip archive" => {
            format!("unpack it on the way in: `unzip -p {path} | floodmark ingest -`")
        }
        "UTF-16 text" => {
            format!(
                "convert it on the way in: `iconv -f utf-16 -t utf-8 {path} | floodmark ingest -`"
            )
        }
        _ => "logs are text with one request per line, plain or compressed with gzip or zstd"
            .to_owned(),
    }
}
