//! Manifests and data files from a folder or from S3, read in pieces.

use std::{
    convert::Infallible,
    path::{Component, Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, bail};
use aws_sdk_s3::{
    Client,
    error::{DisplayErrorContext, SdkError},
    operation::get_object::GetObjectError,
    primitives::ByteStream,
};
use bytes::{Bytes, BytesMut};
use tokio::{fs::File, io::AsyncReadExt};

/// The place of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file.
    File(PathBuf),
    /// An object.
    S3 {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
}

impl FromStr for Location {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let object = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        Ok(match object {
            Some((bucket, key)) => Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() },
            None => Self::File(PathBuf::from(text)),
        })
    }
}

/// A manifest and the files that it names.
pub(crate) struct Source {
    location: Location,
    root: Option<PathBuf>,
    client: Option<Client>,
}

/// A manifest is not streamed: 100,000 data files make one of 20 MB.
const MANIFEST_LIMIT: u64 = 256 << 20;

const PIECE: usize = 1 << 17;

impl Source {
    /// Makes an S3 client only where one is needed.
    pub(crate) async fn new(location: Location, root: Option<PathBuf>) -> Self {
        let client = match location {
            Location::S3 { .. } => Some(levee_stage::Aws::from_env().await.s3),
            Location::File(_) => None,
        };
        Self { location, root, client }
    }

    /// The manifest's bytes.
    pub(crate) async fn manifest(&self) -> anyhow::Result<Vec<u8>> {
        let found = self.open(&self.location).await?.with_context(|| format!("{} does not exist", self.name()))?;
        found.read_whole(&self.name()).await
    }

    /// The bytes of a file beside the manifest: its name is made of the manifest's.
    pub(crate) async fn beside(&self, name: impl Fn(&str) -> String) -> anyhow::Result<Option<Vec<u8>>> {
        let location = match &self.location {
            Location::File(path) => {
                let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                Location::File(path.with_file_name(name(&file_name)))
            }
            Location::S3 { bucket, key } => {
                let (folder, file_name) = key.rsplit_once('/').map_or(("", &**key), |(folder, name)| (folder, name));
                let slash = if folder.is_empty() { "" } else { "/" };
                Location::S3 { bucket: bucket.clone(), key: format!("{folder}{slash}{}", name(file_name)) }
            }
        };
        match self.open(&location).await? {
            Some(found) => Ok(Some(found.read_whole(&name("")).await?)),
            None => Ok(None),
        }
    }

    /// A data file by its key; `None` if there is none.
    pub(crate) async fn data(&self, key: &str) -> anyhow::Result<Option<Pieces>> {
        let roots = match (&self.root, &self.location) {
            (None, Location::S3 { bucket, .. }) => {
                return self.open(&Location::S3 { bucket: bucket.clone(), key: key.to_owned() }).await;
            }
            (Some(root), _) => vec![root.clone()],
            (None, Location::File(path)) => roots_of(path),
        };
        let relative = Path::new(key);
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) || key.contains("//") {
            bail!("{key:?} does not name a file under a folder");
        }
        for root in roots {
            if let Some(found) = self.open(&Location::File(root.join(relative))).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The manifest as messages name it.
    pub(crate) fn name(&self) -> String {
        match &self.location {
            Location::File(path) => path.display().to_string(),
            Location::S3 { bucket, key } => format!("s3://{bucket}/{key}"),
        }
    }

    async fn open(&self, location: &Location) -> anyhow::Result<Option<Pieces>> {
        match (location, &self.client) {
            (Location::File(path), _) => open_file(path).await,
            (Location::S3 { bucket, key }, Some(client)) => open_object(client, bucket, key).await,
            (Location::S3 { .. }, None) => bail!("no S3 client"),
        }
    }
}

/// Where the files of a local manifest may be: its folder, `objects` in it, and the folders above, the nearest first.
fn roots_of(manifest: &Path) -> Vec<PathBuf> {
    let absolute = std::path::absolute(manifest).unwrap_or_else(|_| manifest.to_owned());
    let mut folders = absolute.ancestors().skip(1).map(Path::to_owned);
    let mut roots: Vec<PathBuf> =
        folders.next().into_iter().flat_map(|own| [own.clone(), own.join("objects")]).collect();
    roots.extend(folders);
    roots
}

async fn open_file(path: &Path) -> anyhow::Result<Option<Pieces>> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let file = match File::open(path).await {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be opened", path.display())),
    };
    let facts = file.metadata().await.with_context(|| format!("{} cannot be read", path.display()))?;
    if facts.is_dir() {
        bail!("{} is a folder, not a file", path.display());
    }
    Ok(Some(Pieces { size: facts.len(), from: From::File(file) }))
}

async fn open_object(client: &Client, bucket: &str, key: &str) -> anyhow::Result<Option<Pieces>> {
    match client.get_object().bucket(bucket).key(key).send().await {
        Ok(found) => {
            let size = found.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
            Ok(Some(Pieces { size, from: From::Body(found.body) }))
        }
        Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
        Err(error) => bail!("s3://{bucket}/{key} cannot be read: {}", explain(&error)),
    }
}

fn explain(error: &SdkError<GetObjectError>) -> String {
    DisplayErrorContext(error).to_string()
}

/// A file in pieces.
pub(crate) struct Pieces {
    /// Its size in bytes.
    pub(crate) size: u64,
    from: From,
}

enum From {
    File(File),
    Body(ByteStream),
}

impl Pieces {
    /// The next piece; none at the end.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        match &mut self.from {
            From::File(file) => {
                let mut piece = BytesMut::with_capacity(PIECE);
                let length = file.read_buf(&mut piece).await.context("the file cannot be read")?;
                Ok((length > 0).then(|| piece.freeze()))
            }
            From::Body(body) => body.next().await.transpose().context("the object's body broke off"),
        }
    }

    /// Hands every piece to `take`, which says whether to go on. Its errors are given back in the inner result.
    pub(crate) async fn each<E>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<bool, E>,
    ) -> anyhow::Result<Result<(), E>> {
        while let Some(piece) = self.next().await? {
            match take(&piece) {
                Ok(true) => {}
                Ok(false) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }

    async fn read_whole(mut self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut whole = Vec::new();
        let read = self.each(|piece| {
            whole.extend_from_slice(piece);
            if whole.len() as u64 > MANIFEST_LIMIT { Err(()) } else { Ok(true) }
        });
        match read.await.with_context(|| format!("{name} cannot be read"))? {
            Ok(()) => Ok(whole),
            Err(()) => bail!("{name} is larger than {MANIFEST_LIMIT} bytes, so it is not a manifest"),
        }
    }
}
