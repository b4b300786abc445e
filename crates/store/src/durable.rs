//! An object store on a local disk whose puts are on the disk when they return.
//!
//! object_store's own local store does not sync, so a commit could vanish with the power although it was reported. And
//! it asks the system about every file of a folder to list the last few, which are all that a writer wants of a log
//! with thousands of commits. And it fills memory with zeros, byte by byte, before it reads a file into it: of a question that reads
//! one column of a lake that was a fifteenth.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// The local file system under one folder; see the module.
#[derive(Debug)]
pub(crate) struct DurableLocal {
    inner: LocalFileSystem,
    root: PathBuf,
}

impl DurableLocal {
    pub(crate) fn new(root: PathBuf) -> Result<Self> {
        Ok(Self {
            inner: LocalFileSystem::new_with_prefix(&root)?,
            root,
        })
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableLocal({})", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let target = self.inner.path_to_filesystem(location)?;
        put(&target, &payload, &options.mode).map_err(|source| {
            if source.kind() == io::ErrorKind::AlreadyExists {
                object_store::Error::AlreadyExists {
                    path: location.to_string(),
                    source: Box::new(source),
                }
            } else {
                failed(source)
            }
        })?;
        Ok(put_result())
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let target = self.inner.path_to_filesystem(location)?;
        let upload = Upload::begin(target).map_err(failed)?;
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let found = self.inner.get_opts(location, options).await?;
        // Read as a commit that says nothing, it would hide the rows that it named.
        if found.meta.size == 0 && location.extension() == Some("json") {
            let empty = format!("expected the commit `/{location}`, found an empty file");
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, empty)));
        }
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let path = self.inner.path_to_filesystem(location)?;
        let (ranges, name) = (ranges.to_vec(), path.display().to_string());
        let read = move || read_ranges(&path, ranges);
        let read = tokio::task::spawn_blocking(read).await?;
        read.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => object_store::Error::NotFound {
                path: name,
                source: Box::new(source),
            },
            _ => failed(source),
        })
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

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned().unwrap_or_default();
        let listed = self.inner.path_to_filesystem(&prefix).and_then(|folder| {
            let mut found = Vec::new();
            list_after(&folder, &prefix, offset, &mut found).map_err(failed)?;
            Ok(found)
        });
        match listed {
            Ok(found) => stream::iter(found.into_iter().map(Ok)).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Bytes of a file; one that is too short for them is an error.
fn read_ranges(path: &FsPath, ranges: Vec<Range<u64>>) -> io::Result<Vec<Bytes>> {
    let mut file = File::open(path)?;
    let bytes = ranges.into_iter().map(|range| {
        file.seek(SeekFrom::Start(range.start))?;
        let wanted = range.end.saturating_sub(range.start);
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).map_err(io::Error::other)?);
        (&file).take(wanted).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < wanted {
            let short = format!("expected the bytes {range:?} of {}", path.display());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, short));
        }
        Ok(Bytes::from(bytes))
    });
    bytes.collect()
}

fn failed(source: io::Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "durable local",
        source: Box::new(source),
    }
}

fn put_result() -> PutResult {
    PutResult {
        e_tag: None,
        version: None,
    }
}

/// The files below `folder`, whose path in the store is `prefix`, that come after `offset`, in no order. A folder that is
/// not there holds none.
fn list_after(
    folder: &FsPath,
    prefix: &Path,
    offset: &Path,
    found: &mut Vec<ObjectMeta>,
) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    // Names of a log are compared as they are, without making a path of each: there may be thousands.
    let before = offset
        .prefix_match(prefix)
        .and_then(|mut parts| Some((parts.next()?, parts.next().is_none())))
        .filter(|(_, is_last)| *is_last)
        .map(|(name, _)| name.as_ref().to_owned());
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if before.as_deref().is_some_and(|before| name <= before) && name.bytes().all(is_plain) {
            continue;
        }
        let Ok(location) = Path::parse(format!("{prefix}/{name}")) else {
            continue;
        };
        if entry.file_type()?.is_dir() {
            list_after(&entry.path(), &location, offset, found)?;
        } else if location > *offset {
            let metadata = match fs::metadata(entry.path()) {
                // Gone since it was listed, such as the temporary name of another writer's commit.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            found.push(ObjectMeta {
                location,
                last_modified: metadata.modified()?.into(),
                size: metadata.len(),
                e_tag: None,
                version: None,
            });
        }
    }
    Ok(())
}

/// A large file that comes in parts, such as the checkpoint of a long log.
#[derive(Debug)]
struct Upload {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    /// Whether all parts so far are written.
    is_whole: bool,
}

impl Upload {
    fn begin(target: PathBuf) -> io::Result<Self> {
        let folder = folder_of(&target);
        create_folders(folder)?;
        let temporary = temporary_in(folder);
        Ok(Self {
            file: File::create_new(&temporary)?,
            temporary,
            target,
            is_whole: true,
        })
    }

    fn place(&self) -> io::Result<()> {
        if !self.is_whole {
            return Err(io::Error::other("a part of it could not be written"));
        }
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.target)?;
        sync_folder(folder_of(&self.target))
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    /// Parts are asked for one after the other and written as they come.
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let written = data.iter().try_for_each(|part| self.file.write_all(part));
        self.is_whole &= written.is_ok();
        Box::pin(std::future::ready(written.map_err(failed)))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.place().map_err(failed)?;
        Ok(put_result())
    }

    async fn abort(&mut self) -> Result<()> {
        fs::remove_file(&self.temporary).map_err(failed)
    }
}

/// Temporary file, sync, link under the final name, sync of the folder: the name never shows half a file.
fn put(target: &FsPath, payload: &PutPayload, mode: &PutMode) -> io::Result<()> {
    let folder = folder_of(target);
    create_folders(folder)?;
    let temporary = temporary_in(folder);
    let written = write_and_place(&temporary, target, payload, mode);
    // After a link the temporary name is one too many; after a failure it is all there is.
    let removed = fs::remove_file(&temporary);
    written?;
    if *mode == PutMode::Create {
        removed?;
    }
    sync_folder(folder)
}

fn folder_of(target: &FsPath) -> &FsPath {
    target.parent().unwrap_or(FsPath::new("/"))
}

/// A name that nobody else uses and no reader looks at.
fn temporary_in(folder: &FsPath) -> PathBuf {
    folder.join(format!(".{}.tmp", uuid::Uuid::new_v4()))
}

fn write_and_place(
    temporary: &FsPath,
    target: &FsPath,
    payload: &PutPayload,
    mode: &PutMode,
) -> io::Result<()> {
    let mut file = File::create_new(temporary)?;
    for part in payload {
        file.write_all(part)?;
    }
    file.sync_all()?;
    match mode {
        PutMode::Create => fs::hard_link(temporary, target),
        PutMode::Overwrite => fs::rename(temporary, target),
        PutMode::Update(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
    }
}

/// Creates a folder with its parents, each synced into its own parent, for the owner alone.
pub(crate) fn create_folders(folder: &FsPath) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(FsPath::new("/"));
    create_folders(parent)?;
    match create_private(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_folder(parent)
}

fn create_private(folder: &FsPath) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &FsPath) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;

    /// What is listed after `offset`, by our way and by object_store's, which must agree.
    async fn listed(folder: &FsPath, prefix: &str, offset: &str) -> Vec<String> {
        let store = DurableLocal::new(folder.to_owned()).unwrap();
        let (prefix, offset) = (Path::from(prefix), Path::from(offset));
        let mut both = Vec::new();
        for found in [
            store.list_with_offset(Some(&prefix), &offset),
            store.inner.list_with_offset(Some(&prefix), &offset),
        ] {
            let found: Vec<ObjectMeta> = found.try_collect().await.unwrap();
            let mut found: Vec<(String, u64)> = found
                .into_iter()
                .map(|found| (found.location.to_string(), found.size))
                .collect();
            found.sort();
            both.push(found);
        }
        assert_eq!(both[0], both[1]);
        both.remove(0).into_iter().map(|(name, _)| name).collect()
    }

    #[tokio::test]
    async fn a_listing_begins_after_its_offset_and_goes_into_folders() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "log/00000000000000000001.json",
            "log/00000000000000000002.json",
            "log/00000000000000000002.checkpoint.parquet",
            "log/_last_checkpoint",
            "log/_sidecars/a.parquet",
            "log/a name",
            "other/00000000000000000009.json",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let after = listed(folder.path(), "log", "log/00000000000000000002").await;
        assert_eq!(
            after,
            [
                "log/00000000000000000002.checkpoint.parquet",
                "log/00000000000000000002.json",
                "log/_last_checkpoint",
                "log/_sidecars/a.parquet",
                "log/a name",
            ]
        );
        assert_eq!(listed(folder.path(), "log", "a").await.len(), 6);
        assert_eq!(
            listed(folder.path(), "log", "log/_sidecars/a").await.len(),
            2
        );
        assert!(listed(folder.path(), "none", "none/0").await.is_empty());
    }

    #[tokio::test]
    async fn a_file_in_parts_shows_up_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableLocal::new(folder.path().to_owned()).unwrap();
        let path = Path::from("log/1.checkpoint.parquet");
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part("one ".into()).await.unwrap();
        assert!(store.get(&path).await.is_err());
        upload.put_part("two".into()).await.unwrap();
        upload.complete().await.unwrap();
        let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(&bytes[..], b"one two");
        let mut dropped = store.put_multipart(&path).await.unwrap();
        dropped.put_part("three".into()).await.unwrap();
        dropped.abort().await.unwrap();
        assert_eq!(fs::read_dir(folder.path().join("log")).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_name_that_is_taken_is_refused_and_keeps_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableLocal::new(folder.path().to_owned()).unwrap();
        let path = Path::from("_delta_log/00000000000000000000.json");
        let create = || PutOptions {
            mode: PutMode::Create,
            ..Default::default()
        };
        store.put_opts(&path, "one".into(), create()).await.unwrap();
        let again = store.put_opts(&path, "two".into(), create()).await;
        assert!(matches!(
            again,
            Err(object_store::Error::AlreadyExists { .. })
        ));
        let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(&bytes[..], b"one");
        assert_eq!(
            fs::read_dir(folder.path().join("_delta_log"))
                .unwrap()
                .count(),
            1
        );
    }
}
