//! A lake in a bucket of S3, or of a store that speaks its protocol.
//!
//! What a lake promises holds here too, by other means than on a local disk:
//!
//! - **Durable**: S3 answers a put after it has stored the bytes, so there is nothing to sync. All files of a batch are
//!   uploaded before the commit that names them.
//! - **One winner**: a commit is a put on the condition that its version does not exist (`If-None-Match: *`). Of two
//!   writers one is refused, and commits again or drops its batch and reads again. A store that ignores the condition would let both win: it
//!   is found out, and refused, before anything is written ([`ConditionalPuts::check`]).
//! - **No commit in doubt**: a put whose answer is lost may have happened, and its repetition is then refused by its own
//!   success. What is stored there is read, and only another's bytes are a conflict ([`ConditionalPuts`]).
//! - **Whole commits**: a reader lists files from the Delta log. What a crash leaves is files that no commit names, and
//!   parts of unfinished uploads, which a bucket's lifecycle rule `AbortIncompleteMultipartUpload` removes.
//!
//! Absent on purpose: profiles and credential files of the AWS command line; settings come from their caller alone.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::execution::object_store::ObjectStoreUrl;
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::{DeltaTable, DeltaTableError};
use futures::stream::{self, BoxStream, FuturesUnordered, StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use url::Url;

use crate::Error;
use crate::location::FileStore;

/// A file up to this size is one request; a larger one goes in parts of it. Ten thousand parts are the most S3 takes.
const PART_BYTES: usize = 8 << 20;
/// Parts of one file under way at once.
const PARTS_AT_ONCE: usize = 2;
/// Files under way at once; with the two above this bounds the memory of an upload to 64 MiB.
const FILES_AT_ONCE: usize = 4;
/// How often a put is tried while another put of the same name is under way.
const TRIES_MAX: u32 = 8;
/// The wait before the first of these repetitions; each next one is longer by as much.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// A prefix in a bucket, and how to reach it.
#[derive(Clone)]
pub struct S3Location {
    bucket: String,
    /// Without slashes at its ends; empty for the whole bucket.
    prefix: String,
    options: S3Options,
}

/// How a bucket is reached.
#[derive(Clone, Default)]
pub struct S3Options {
    /// Settings by the names of AWS's environment variables, such as `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_ENDPOINT_URL`. Empty values and unknown names are ignored.
    /// Without keys the credentials of the container or the machine are asked for.
    pub settings: Vec<(String, String)>,
    /// A folder on a local disk for files that are being written; default the working folder. They have no name there,
    /// so that nothing is left of them after a crash.
    pub scratch: PathBuf,
}

// Settings hold secrets.
impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Options {{ scratch: {:?} }}", self.scratch)
    }
}

impl fmt::Debug for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Location({self})")
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl S3Location {
    /// Reads `s3://BUCKET/PREFIX`. The prefix may be empty; its parts hold letters, digits, `-`, `_`, `.` and `=`, which
    /// every reader of a Delta table writes alike.
    ///
    /// # Errors
    ///
    /// The text is not of this form.
    pub fn parse(url: &str, options: S3Options) -> std::result::Result<Self, Error> {
        let not_one = || Error::NotAnS3Location {
            found: url.to_owned(),
        };
        let rest = url.strip_prefix("s3://").ok_or_else(not_one)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let without_slash = prefix.strip_suffix('/').filter(|rest| !rest.is_empty());
        let prefix = without_slash.unwrap_or(prefix);
        if !is_bucket(bucket) || !(prefix.is_empty() || prefix.split('/').all(is_segment)) {
            return Err(not_one());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            options,
        })
    }
}

fn is_bucket(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    (3..=63).contains(&name.len())
        && name.chars().all(is_inner)
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['-', '.'])
}

fn is_segment(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "-_.=".contains(c);
    !matches!(name, "" | "." | "..") && name.chars().all(is_inner)
}

/// The root of a lake in a bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    location: S3Location,
    store: Arc<ConditionalPuts<AmazonS3>>,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.location.fmt(f)
    }
}

impl Bucket {
    pub(crate) fn new(location: &S3Location) -> std::result::Result<Self, Error> {
        let store = client(location).map_err(|source| Error::Open {
            path: location.to_string().into(),
            source: explained(source),
        })?;
        Ok(Self {
            location: location.clone(),
            store: Arc::new(ConditionalPuts(store)),
        })
    }

    /// The path of a table in the bucket.
    fn path(&self, table: &str) -> Path {
        self.location
            .prefix
            .split('/')
            .filter(|part| !part.is_empty())
            .chain([table])
            .collect()
    }

    pub(crate) async fn has_log(&self, table: &str) -> io::Result<bool> {
        let log = self.path(table).join("_delta_log");
        let first = self.store.list(Some(&log)).next().await;
        Ok(first.transpose().map_err(explained)?.is_some())
    }

    pub(crate) fn table(&self, table: &str) -> std::result::Result<DeltaTable, Error> {
        let path = self.path(table);
        let url = Url::parse(&format!("s3://{}/{path}/", self.location.bucket))
            .map_err(|error| DeltaTableError::InvalidTableLocation(error.to_string()))?;
        let root = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(&root), path));
        let log_store = default_logstore(prefixed, root, &url, &StorageConfig::default());
        Ok(DeltaTable::new(log_store))
    }

    /// Makes sure that no two writers can commit the same version.
    pub(crate) async fn check_commits(
        &self,
        table: &str,
        version: u64,
    ) -> std::result::Result<(), Error> {
        let commit = format!("{version:020}.json");
        let location = self.path(table).join("_delta_log").join(commit);
        let is_kept = self
            .store
            .check(&location)
            .await
            .map_err(|source| Error::Open {
                path: self.to_string().into(),
                source: explained(source),
            })?;
        if is_kept {
            return Ok(());
        }
        Err(Error::NoConditionalPuts {
            lake: self.to_string(),
        })
    }

    pub(crate) fn files(&self, table: &str) -> std::result::Result<FileStore, Error> {
        let url = ObjectStoreUrl::parse(format!("s3://{}", self.location.bucket))
            .map_err(|error| DeltaTableError::InvalidTableLocation(error.to_string()))?;
        Ok(FileStore {
            url,
            prefix: self.path(table).to_string(),
            client: Arc::clone(&self.store) as _,
        })
    }

    pub(crate) fn staging(&self, table: &str) -> Staging {
        Staging {
            store: Arc::clone(&self.store) as _,
            scratch: self.location.options.scratch.clone(),
            lake: self.to_string(),
            table: self.path(table),
            kept: Mutex::default(),
        }
    }
}

fn client(location: &S3Location) -> Result<AmazonS3> {
    let mut builder = AmazonS3Builder::new();
    let given = location
        .options
        .settings
        .iter()
        .filter(|(_, value)| !value.is_empty());
    for (name, value) in given {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let endpoint = builder
        .get_config_value(&AmazonS3ConfigKey::S3Endpoint)
        .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Endpoint));
    // Who names an endpoint without TLS wants it: AWS's own tools ask for no second word.
    if endpoint.is_some_and(|url| url.starts_with("http://")) {
        builder = builder.with_allow_http(true);
    }
    builder
        .with_bucket_name(&location.bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .build()
}

/// An object store whose put of a new name says for certain who won.
///
/// The client repeats a put after a server's error or a lost connection. The first one may have been carried out all the
/// same: then the repetition is refused because of it. Taken as another writer's, files that a commit names would be
/// removed.
struct ConditionalPuts<S>(S);

impl<S: ObjectStore> ConditionalPuts<S> {
    async fn create(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        for attempt in 1..=TRIES_MAX {
            let put = self.0.put_opts(location, payload.clone(), options.clone());
            let Err(error) = put.await else {
                return put_result();
            };
            match self.stored(location).await {
                // Another writer's of the same bytes would do as well; where files are named, their names are random.
                Ok(Some(found)) if is_same(&payload, &found) => return put_result(),
                Ok(Some(_)) => {
                    return Err(object_store::Error::AlreadyExists {
                        path: location.to_string(),
                        source: Box::new(error),
                    });
                }
                // Refused although nothing is there: another put of the name is under way, possibly an earlier try of
                // this one.
                Ok(None) if matches!(error, object_store::Error::AlreadyExists { .. }) => {
                    tokio::time::sleep(TRY_AGAIN_AFTER * attempt).await;
                }
                Ok(None) => return Err(error),
                Err(_) => return Err(in_doubt(error)),
            }
        }
        Err(in_doubt(format!("`{location}` is refused, but not there")))
    }

    async fn stored(&self, location: &Path) -> Result<Option<Vec<u8>>> {
        match self.0.get(location).await {
            Ok(found) => Ok(Some(found.bytes().await?.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the store keeps what is there when a put is not to replace it. Tried with the very bytes that are there,
    /// so that nothing changes if it does not.
    async fn check(&self, location: &Path) -> Result<bool> {
        let Some(bytes) = self.stored(location).await? else {
            return Ok(true);
        };
        let create = PutOptions::from(PutMode::Create);
        match self.0.put_opts(location, bytes.into(), create).await {
            Err(object_store::Error::AlreadyExists { .. }) => Ok(true),
            Ok(_) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn is_same(payload: &PutPayload, stored: &[u8]) -> bool {
    payload.content_length() == stored.len()
        && payload
            .iter()
            .flat_map(|part| part.iter())
            .eq(stored.iter())
}

/// What a caller may expect of a put: a table's log needs neither tag nor version of an object.
fn put_result() -> Result<PutResult> {
    Ok(PutResult {
        e_tag: None,
        version: None,
    })
}

/// Not [`object_store::Error::AlreadyExists`], after which a caller would take its own put for undone.
fn in_doubt(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic {
        store: "S3",
        source: source.into(),
    }
}

// The inner store's own form shows secrets.
impl<S: fmt::Display> fmt::Debug for ConditionalPuts<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConditionalPuts({})", self.0)
    }
}

impl<S: fmt::Display> fmt::Display for ConditionalPuts<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for ConditionalPuts<S> {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match options.mode {
            PutMode::Create => self.create(location, payload, options).await,
            _ => self.0.put_opts(location, payload, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}

/// Files of a batch on their way to a bucket.
#[derive(Debug)]
pub(crate) struct Staging {
    store: Arc<dyn ObjectStore>,
    scratch: PathBuf,
    lake: String,
    table: Path,
    /// Complete, each with its path in the bucket.
    kept: Mutex<Vec<(Path, File)>>,
}

impl Staging {
    /// A local file to write; its path is for messages, since it has no name any more.
    pub(crate) fn create(&self) -> std::result::Result<(PathBuf, File), Error> {
        let path = self
            .scratch
            .join(format!("floodmark-{}.parquet", uuid::Uuid::new_v4()));
        match unnamed(&path) {
            Ok(file) => Ok((path, file)),
            Err(source) => Err(Error::Write { path, source }),
        }
    }

    /// Takes a file that is complete, for the path `relative` in the table.
    pub(crate) fn keep(&self, relative: &str, file: &File) -> io::Result<()> {
        let kept = (self.target(relative), file.try_clone()?);
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(kept);
        Ok(())
    }

    fn target(&self, relative: &str) -> Path {
        Path::from(format!("{}/{relative}", self.table))
    }

    pub(crate) async fn upload(&self) -> std::result::Result<(), Error> {
        let files = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        let targets: Vec<Path> = files.iter().map(|(target, _)| target.clone()).collect();
        // Each to its end, also beside a failure, so that none is left in the middle.
        let uploads = files.into_iter().map(|(target, file)| async move {
            let uploaded = upload(self.store.as_ref(), &target, file).await;
            uploaded.map_err(|source| Error::Write {
                path: format!("{}: {target}", self.lake).into(),
                source,
            })
        });
        let outcomes: Vec<_> = stream::iter(uploads)
            .buffer_unordered(FILES_AT_ONCE)
            .collect()
            .await;
        let uploaded = outcomes
            .into_iter()
            .collect::<std::result::Result<(), Error>>();
        if uploaded.is_err() {
            self.remove_all(targets).await;
        }
        uploaded
    }

    /// Removes files by their paths in the table.
    pub(crate) async fn remove(&self, relatives: impl Iterator<Item = &str>) {
        let targets = relatives.map(|relative| self.target(relative)).collect();
        self.remove_all(targets).await;
    }

    async fn remove_all(&self, targets: Vec<Path>) {
        let targets = stream::iter(targets.into_iter().map(Ok)).boxed();
        // What stays is an orphan, which no reader looks at.
        let _: Vec<_> = self.store.delete_stream(targets).collect().await;
    }
}

/// A new file without a name: the system frees it with its last handle, whatever ends this process.
fn unnamed(path: &std::path::Path) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    fs::remove_file(path)?;
    Ok(file)
}

async fn upload(store: &dyn ObjectStore, target: &Path, mut file: File) -> io::Result<()> {
    file.rewind()?;
    let mut part = next_part(&mut file)?;
    if part.len() < PART_BYTES {
        let put = store.put(target, part.into()).await;
        return put.map(drop).map_err(explained);
    }
    let mut upload = store.put_multipart(target).await.map_err(explained)?;
    let uploaded = async {
        let mut under_way = FuturesUnordered::new();
        while !part.is_empty() {
            under_way.push(upload.put_part(part.into()));
            if under_way.len() >= PARTS_AT_ONCE {
                under_way.try_next().await.map_err(explained)?;
            }
            part = next_part(&mut file)?;
        }
        while under_way.try_next().await.map_err(explained)?.is_some() {}
        upload.complete().await.map(drop).map_err(explained)
    };
    let uploaded = uploaded.await;
    if uploaded.is_err() {
        // What went wrong first is what counts.
        let _ = upload.abort().await;
    }
    uploaded
}

fn next_part(file: &mut File) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    file.take(PART_BYTES as u64).read_to_end(&mut part)?;
    Ok(part)
}

/// What S3 said, in a line, with what to do about it.
///
/// The client's own text holds the request, the number of its tries and the answer's XML.
fn explained(error: object_store::Error) -> io::Error {
    let text = error.to_string();
    let between = |open: &str, close: &str| {
        let rest = &text[text.find(open)? + open.len()..];
        rest.find(close).map(|end| rest[..end].to_owned())
    };
    let code = between("<Code>", "</Code>");
    let said = match (&code, between("<Message>", "</Message>")) {
        (Some(code), Some(message)) => format!("the store says `{code}`: {message}"),
        (Some(code), None) => format!("the store says `{code}`"),
        _ => innermost(&error),
    };
    let hint = match &error {
        _ if code.as_deref() == Some("NoSuchBucket") => {
            "make the bucket first, or check `AWS_REGION` and `AWS_ENDPOINT_URL`"
        }
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => {
            "check `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and what they may do with the bucket"
        }
        _ => {
            "check the `AWS_*` settings and the network; what was committed stays, and nothing is added twice"
        }
    };
    io::Error::other(format!("{said}\nhint: {hint}"))
}

/// The text of the first cause: the others repeat it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    // The system's number for it, which people do not need.
    text.split(" (os error ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use object_store::memory::InMemory;

    use super::*;

    #[track_caller]
    fn check_location(url: &str, expected: Option<(&str, &str)>) {
        let found = S3Location::parse(url, S3Options::default()).ok();
        let found = found
            .as_ref()
            .map(|found| (found.bucket.as_str(), found.prefix.as_str()));
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn a_location_is_a_bucket_and_a_prefix() {
        check_location("s3://logs", Some(("logs", "")));
        check_location("s3://logs/", Some(("logs", "")));
        check_location(
            "s3://my.logs-1/a/b=1/c_d/",
            Some(("my.logs-1", "a/b=1/c_d")),
        );
        for url in [
            "",
            "logs",
            "s3:/logs",
            "S3://logs",
            "s3a://logs/a",
            "s3://",
            "s3:///a",
            "s3://ab",
            "s3://Logs",
            "s3://-logs",
            "s3://logs//",
            "s3://logs//a",
            "s3://logs/a//b",
            "s3://logs/./a",
            "s3://logs/../a",
            "s3://logs/a b",
            "s3://logs/a%20b",
            "s3://logs/a?b",
            "s3://logs/\u{e4}",
            "s3://u@logs/a",
        ] {
            check_location(url, None);
        }
    }

    #[test]
    fn nothing_shows_secrets() {
        let options = S3Options {
            settings: vec![
                ("AWS_ACCESS_KEY_ID".to_owned(), "an-id".to_owned()),
                ("AWS_SECRET_ACCESS_KEY".to_owned(), "a-secret".to_owned()),
            ],
            scratch: PathBuf::new(),
        };
        let location = S3Location::parse("s3://logs/a", options.clone()).unwrap();
        let bucket = Bucket::new(&location).unwrap();
        let staging = bucket.staging("lines");
        let shown = format!("{options:?} {location:?} {bucket:?} {staging:?} {bucket}");
        assert!(!shown.contains("a-secret"), "{shown}");
    }

    /// What goes wrong with a put that is to make a new name.
    #[derive(Debug, Clone, Copy)]
    enum Fault {
        /// Carried out, and repeated by the client because its answer was lost.
        AnswerLost,
        /// Refused while another put of the name, which will come to nothing, is under way.
        Busy,
        /// Carried out whatever is there.
        Unconditional,
    }

    #[derive(Debug)]
    struct Faulty {
        inner: InMemory,
        fault: Fault,
        puts: AtomicUsize,
    }

    impl fmt::Display for Faulty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Faulty")
        }
    }

    #[async_trait]
    impl ObjectStore for Faulty {
        async fn put_opts(
            &self,
            location: &Path,
            payload: PutPayload,
            options: PutOptions,
        ) -> Result<PutResult> {
            let is_first = self.puts.fetch_add(1, Ordering::Relaxed) == 0;
            let refused = object_store::Error::AlreadyExists {
                path: location.to_string(),
                source: "refused".into(),
            };
            match self.fault {
                Fault::AnswerLost => {
                    let again = payload.clone();
                    self.inner
                        .put_opts(location, again, options.clone())
                        .await?;
                    self.inner.put_opts(location, payload, options).await
                }
                Fault::Busy if is_first => Err(refused),
                Fault::Busy => self.inner.put_opts(location, payload, options).await,
                Fault::Unconditional => self.inner.put(location, payload).await,
            }
        }

        async fn put_multipart_opts(
            &self,
            location: &Path,
            options: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.inner.put_multipart_opts(location, options).await
        }

        async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
            self.inner.get_opts(location, options).await
        }

        fn delete_stream(
            &self,
            locations: BoxStream<'static, Result<Path>>,
        ) -> BoxStream<'static, Result<Path>> {
            self.inner.delete_stream(locations)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.inner.list(prefix)
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.inner.list_with_delimiter(prefix).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.inner.copy_opts(from, to, options).await
        }
    }

    fn faulty(fault: Fault) -> ConditionalPuts<Faulty> {
        ConditionalPuts(Faulty {
            inner: InMemory::new(),
            fault,
            puts: AtomicUsize::new(0),
        })
    }

    async fn create(store: &impl ObjectStore, bytes: &'static str) -> Result<PutResult> {
        let create = PutOptions::from(PutMode::Create);
        let path = Path::from("_delta_log/00000000000000000001.json");
        store.put_opts(&path, bytes.into(), create).await
    }

    #[tokio::test]
    async fn a_put_refused_by_its_own_success_is_done() {
        let store = faulty(Fault::AnswerLost);
        create(&store, "one").await.unwrap();
        // Another writer's stays, and is a conflict.
        let other = create(&store, "two").await;
        assert!(
            matches!(other, Err(object_store::Error::AlreadyExists { .. })),
            "{other:?}"
        );
    }

    #[tokio::test]
    async fn a_put_refused_by_nothing_is_tried_again() {
        let store = faulty(Fault::Busy);
        create(&store, "one").await.unwrap();
        let other = create(&store, "two").await;
        assert!(
            matches!(other, Err(object_store::Error::AlreadyExists { .. })),
            "{other:?}"
        );
    }

    #[tokio::test]
    async fn a_store_without_conditions_is_found_out() {
        let path = Path::from("_delta_log/00000000000000000001.json");
        for (fault, is_kept) in [(Fault::Busy, true), (Fault::Unconditional, false)] {
            let store = faulty(fault);
            create(&store, "one").await.unwrap();
            assert_eq!(store.check(&path).await.unwrap(), is_kept, "{fault:?}");
            let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
            assert_eq!(&bytes[..], b"one");
        }
    }
}
