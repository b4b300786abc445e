//! Opening a log and decoding it.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::gzip::Members;
use crate::sniff;
use crate::{Compression, Error, FileIdentity, LogFile};

/// Read from disk at a time where a decoder is fed.
const COMPRESSED_BUFFER_BYTES: usize = 128 << 10;

/// Kept of a stream in memory while its first line is looked at; a longer one is spooled to disk.
const STREAM_HEAD_BYTES: u64 = 1 << 20;

/// Where the bytes of a log come from.
pub(crate) enum Input {
    /// The file at the log's path, opened for each pass: a run may have thousands of files.
    Path,
    /// What a stream held, decoded, in an unlinked temporary file.
    Spool(File),
    /// A stream of which the beginning was looked at.
    Peeked(Peeked),
    /// A stream, decoded; it can be read once.
    Stream(Box<dyn Read + Send>),
    /// The bytes to read, and no others, in a temporary file.
    Copied(Copied),
}

/// Decoded bytes from front to end.
pub(crate) struct Decoded {
    pub(crate) reader: Box<dyn Read + Send>,
    pub(crate) compression: Compression,
    /// For plain files: their length.
    pub(crate) plain_bytes: Option<u64>,
    /// For compressed files: bytes taken from disk so far.
    pub(crate) disk_bytes_read: Arc<AtomicU64>,
    /// A plain file at a path, to look at again while it is read.
    pub(crate) file: Option<File>,
}

/// A plain file by positions, or anything else from front to end.
pub(crate) enum Opened {
    Plain(File, u64),
    Stream(Decoded),
}

impl Input {
    /// Opens for a first or a further look; a `Stream` cannot be opened so.
    pub(crate) fn open(&self, log: &LogFile) -> Result<Opened, Error> {
        match self {
            Self::Path => open_path(log),
            Self::Spool(file) => {
                let length = file
                    .metadata()
                    .map_err(|source| Error::open(&log.path, source))?
                    .len();
                let file = file
                    .try_clone()
                    .map_err(|source| Error::open(&log.path, source))?;
                Ok(Opened::Plain(file, length))
            }
            Self::Peeked(_) | Self::Stream(_) | Self::Copied(_) => {
                unreachable!("what is planned with is a path or has been spooled")
            }
        }
    }

    /// Opens for reading what lies at and after `start`; the bytes before it, which are skipped, go to `skipped`.
    pub(crate) fn open_at(
        self,
        log: &LogFile,
        start: u64,
        tail_bytes: u64,
        skipped: &mut dyn FnMut(&[u8]),
    ) -> Result<Decoded, Error> {
        let mut decoded = match self {
            Self::Stream(reader) => Decoded {
                compression: log.compression,
                ..Decoded::stream(reader)
            },
            Self::Copied(copied) => {
                skipped(&copied.before);
                return Ok(Decoded {
                    plain_bytes: Some(start + copied.bytes),
                    ..Decoded::stream(Box::new(copied))
                });
            }
            other => match other.open(log)? {
                Opened::Plain(mut file, length) => {
                    let mut tail = vec![
                        0;
                        usize::try_from(tail_bytes.min(start))
                            .expect("a tail fits memory")
                    ];
                    let at = start - tail.len() as u64;
                    let read = file
                        .read_exact_at(&mut tail, at)
                        .and_then(|()| file.seek(SeekFrom::Start(start)));
                    read.map_err(|source| read_error(log, Compression::Plain, at, source))?;
                    skipped(&tail);
                    let again = file.try_clone();
                    let again = again.map_err(|source| Error::open(&log.path, source))?;
                    return Ok(Decoded {
                        plain_bytes: Some(length),
                        file: Some(again),
                        ..Decoded::stream(Box::new(file))
                    });
                }
                Opened::Stream(decoded) => decoded,
            },
        };
        skip(&mut decoded, log, start, skipped)?;
        Ok(decoded)
    }
}

/// Bytes of a log in a temporary file that holds others as well. Cheap to clone; each clone reads from where this one is.
#[derive(Clone)]
pub(crate) struct Copied {
    pub(crate) file: Arc<File>,
    /// Where the bytes begin in it.
    pub(crate) at: u64,
    /// How many there are.
    pub(crate) bytes: u64,
    /// The bytes of the log before them, as many as an anchor covers.
    pub(crate) before: Arc<[u8]>,
}

impl Read for Copied {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted =
            usize::try_from(self.bytes).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += read as u64;
        self.bytes -= read as u64;
        Ok(read)
    }
}

impl Decoded {
    fn stream(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            compression: Compression::Plain,
            plain_bytes: None,
            disk_bytes_read: Arc::default(),
            file: None,
        }
    }
}

fn skip(
    decoded: &mut Decoded,
    log: &LogFile,
    start: u64,
    skipped: &mut dyn FnMut(&[u8]),
) -> Result<(), Error> {
    let mut buffer = vec![0; COMPRESSED_BUFFER_BYTES];
    let mut position = 0;
    while position < start {
        let wanted =
            usize::try_from(start - position).map_or(buffer.len(), |left| left.min(buffer.len()));
        match decoded.reader.read(&mut buffer[..wanted]) {
            Ok(0) => {
                return Err(Error::Shrank {
                    path: log.path.clone(),
                    expected: start,
                    found: position,
                });
            }
            Ok(bytes) => {
                skipped(&buffer[..bytes]);
                position += bytes as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(log, decoded.compression, position, error)),
        }
    }
    Ok(())
}

fn open_path(log: &LogFile) -> Result<Opened, Error> {
    let reopen = |source| Error::reopen(&log.path, source);
    let file = File::open(&log.path).map_err(reopen)?;
    let metadata = file.metadata().map_err(reopen)?;
    if log.identity != Some(identity(&metadata)) {
        return Err(Error::Replaced {
            path: log.path.clone(),
        });
    }
    let mut magic = [0; 4];
    let bytes = read_at_most(&file, &mut magic).map_err(reopen)?;
    match sniff::compression(&magic[..bytes]) {
        Compression::Plain => Ok(Opened::Plain(file, metadata.len())),
        compression => decode(Box::new(file), compression)
            .map(Opened::Stream)
            .map_err(reopen),
    }
}

pub(crate) fn identity(metadata: &std::fs::Metadata) -> FileIdentity {
    FileIdentity {
        device: metadata.dev(),
        inode: metadata.ino(),
    }
}

fn read_at_most(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], filled as u64) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn decode(raw: Box<dyn Read + Send>, compression: Compression) -> io::Result<Decoded> {
    let disk_bytes_read = Arc::<AtomicU64>::default();
    let counted = Counted {
        raw,
        bytes: Arc::clone(&disk_bytes_read),
    };
    let buffered = BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, counted);
    let reader: Box<dyn Read + Send> = match compression {
        Compression::Plain => Box::new(buffered),
        Compression::Gzip => Box::new(Members::new(buffered)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(buffered)?),
    };
    Ok(Decoded {
        reader,
        compression,
        plain_bytes: None,
        disk_bytes_read,
        file: None,
    })
}

struct Counted<R> {
    raw: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.raw.read(buffer)?;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// The compression of a regular file and its first decompressed bytes, [`sniff::HEAD_BYTES`] at most. A file that
/// cannot be decoded gives what could be: the reader will say what is wrong with it.
pub(crate) fn head(path: &Path) -> Result<(Compression, Vec<u8>), Error> {
    let open = |source| Error::open(path, source);
    let file = File::open(path).map_err(open)?;
    let mut magic = [0; 4];
    let bytes = read_at_most(&file, &mut magic).map_err(open)?;
    let compression = sniff::compression(&magic[..bytes]);
    let mut head = Vec::new();
    let result = match compression {
        Compression::Plain => (&file)
            .take(sniff::HEAD_BYTES as u64)
            .read_to_end(&mut head),
        other => decode(Box::new(file), other).and_then(|decoded| {
            decoded
                .reader
                .take(sniff::HEAD_BYTES as u64)
                .read_to_end(&mut head)
        }),
    };
    match result {
        Err(source) if compression == Compression::Plain => Err(Error::open(path, source)),
        _ => Ok((compression, head)),
    }
}

/// A stream whose first line, if it is not very long, has been looked at.
pub(crate) struct Peeked {
    pub(crate) compression: Compression,
    /// Decoded bytes: the whole first line and more, or all there are, or [`STREAM_HEAD_BYTES`].
    head: Vec<u8>,
    rest: Box<dyn Read + Send>,
}

impl Peeked {
    pub(crate) fn new(log: &LogFile, mut raw: Box<dyn Read + Send>) -> Result<Self, Error> {
        let read_error = |compression, source| read_error(log, compression, 0, source);
        let mut magic = Vec::new();
        (&mut raw)
            .take(4)
            .read_to_end(&mut magic)
            .map_err(|error| read_error(Compression::Plain, error))?;
        let compression = sniff::compression(&magic);
        let whole = Box::new(Cursor::new(magic).chain(raw));
        let mut rest = match compression {
            Compression::Plain => whole as Box<dyn Read + Send>,
            other => {
                decode(whole, other)
                    .map_err(|error| read_error(other, error))?
                    .reader
            }
        };
        let mut head = Vec::new();
        while memchr::memchr(b'\n', &head).is_none() && (head.len() as u64) < STREAM_HEAD_BYTES {
            let bytes = (&mut rest)
                .take(4096)
                .read_to_end(&mut head)
                .map_err(|error| read_error(compression, error))?;
            if bytes == 0 {
                break;
            }
        }
        Ok(Self {
            compression,
            head,
            rest,
        })
    }

    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether the first line is longer than the head.
    pub(crate) fn is_cut(&self) -> bool {
        self.head.len() as u64 >= STREAM_HEAD_BYTES && memchr::memchr(b'\n', &self.head).is_none()
    }

    pub(crate) fn into_stream(self) -> Input {
        Input::Stream(Box::new(Cursor::new(self.head).chain(self.rest)))
    }

    /// Reads the stream to its end into a temporary file: whether its bytes are known can be told only by looking
    /// further than memory may hold, and then reading again.
    pub(crate) fn into_spool(mut self, log: &LogFile) -> Result<Input, Error> {
        let mut write = || {
            let mut file = tempfile::tempfile()?;
            file.write_all(&self.head)?;
            io::copy(&mut self.rest, &mut file)?;
            Ok(Input::Spool(file))
        };
        write().map_err(|error| read_error(log, self.compression, self.head.len() as u64, error))
    }
}

/// Names what went wrong in a decoder or in reading.
pub(crate) fn read_error(
    log: &LogFile,
    compression: Compression,
    plain_offset: u64,
    error: io::Error,
) -> Error {
    let path = log.path.clone();
    if compression == Compression::Plain {
        return Error::Read {
            path,
            plain_offset,
            source: error,
        };
    }
    // An error with a code is the operating system's, one without is the decoder's; zstd's carry its words.
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::Truncated {
            path,
            compression: compression.name(),
            plain_offset,
        },
        _ if error.raw_os_error().is_some() => Error::Read {
            path,
            plain_offset,
            source: error,
        },
        _ => Error::Damaged {
            path,
            compression: compression.name(),
            plain_offset,
            problem: error.to_string(),
        },
    }
}
