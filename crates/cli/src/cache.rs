//! Tokens that git will ask for again, one in a file, readable by the user alone.
//!
//! The folder is `app-token` in `XDG_RUNTIME_DIR`, which systems empty when the user logs out; where there
//! is none, a folder of the user's own among the temporary files. A folder or file that somebody else
//! could have made is not used.

use crate::problem;
use app_token::clock::UnixTime;
use app_token::error::{Error, Result};
use app_token::host::Env;
use app_token::secret::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// How long a token must still live to be used again, in seconds: long enough for the longest clone of
/// most, short enough that a token serves for most of its hour.
pub const LEAST_LEFT: i64 = 5 * 60;

/// A token and its end.
pub struct Kept {
    pub token: Secret,
    pub expires_at: UnixTime,
}

/// The file of one token.
pub struct Entry {
    folder: PathBuf,
    file: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    token: String,
    expires_at: i64,
}

impl Drop for Stored {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.token);
    }
}

impl Entry {
    /// The file of the token that `key` decides. Makes the folder.
    ///
    /// # Errors
    /// [`problem::CACHE_UNUSABLE`].
    pub fn of(env: &dyn Env, key: &[String]) -> Result<Self> {
        let folder = match env.var("XDG_RUNTIME_DIR") {
            Some(runtime) => PathBuf::from(runtime).join("app-token"),
            None => std::env::temp_dir().join(format!("app-token-{}", files::user())),
        };
        files::make_folder(&folder).map_err(|error| unusable(&folder, &error))?;
        let mut digest = Sha256::new();
        for part in key {
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        let name: String = digest
            .finalize()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let file = folder.join(name);
        Ok(Self { folder, file })
    }

    /// The token, if there is one that still lives long enough. A file that makes no sense counts as none.
    ///
    /// # Errors
    /// [`problem::CACHE_UNUSABLE`] for a file that others can read.
    pub fn read(&self, now: UnixTime) -> Result<Option<Kept>> {
        let kept = self.read_any()?;
        Ok(kept.filter(|kept| kept.expires_at.since(now) > LEAST_LEFT))
    }

    fn read_any(&self) -> Result<Option<Kept>> {
        let text = match files::read(&self.file) {
            Ok(text) => zeroize::Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&self.file, &error)),
        };
        let Ok(mut stored) = serde_json::from_str::<Stored>(&text) else {
            return Ok(None);
        };
        let sound = !stored.token.is_empty() && stored.token.bytes().all(|b| b.is_ascii_graphic());
        Ok(sound.then(|| Kept {
            token: Secret::new(std::mem::take(&mut stored.token)),
            expires_at: UnixTime::from_seconds(stored.expires_at),
        }))
    }

    /// Keeps a token, and drops those of other entries that have ended.
    ///
    /// # Errors
    /// [`problem::CACHE_UNUSABLE`].
    pub fn write(&self, kept: &Kept, now: UnixTime) -> Result<()> {
        let stored = Stored {
            token: kept.token.expose().to_owned(),
            expires_at: kept.expires_at.seconds(),
        };
        let text = serde_json::to_string(&stored).unwrap_or_default();
        let text = zeroize::Zeroizing::new(text);
        files::replace(&self.file, &text).map_err(|error| unusable(&self.file, &error))?;
        self.sweep(now);
        Ok(())
    }

    fn sweep(&self, now: UnixTime) {
        for file in std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
        {
            let other = Self {
                folder: self.folder.clone(),
                file: file.path(),
            };
            if let Ok(Some(kept)) = other.read_any()
                && kept.expires_at <= now
            {
                let _ = std::fs::remove_file(&other.file);
            }
        }
    }

    /// Forgets the token: any, or the one that git says did not work.
    ///
    /// # Errors
    /// [`problem::CACHE_UNUSABLE`].
    pub fn erase(&self, password: Option<&Secret>) -> Result<()> {
        let other = match (password, self.read_any()?) {
            (_, None) => return Ok(()),
            (Some(password), Some(kept)) => password.expose() != kept.token.expose(),
            (None, Some(_)) => false,
        };
        if other {
            return Ok(());
        }
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(unusable(&self.file, &error))
            }
            _ => Ok(()),
        }
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(&problem::CACHE_UNUSABLE, error.to_string()).at(path.display().to_string())
}

#[cfg(unix)]
mod files {
    use std::fs::{DirBuilder, File, OpenOptions};
    use std::io::{Error, ErrorKind, Read, Result, Write};
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
    use std::path::Path;

    pub fn user() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn check(metadata: &std::fs::Metadata, folder: bool) -> Result<()> {
        let wrong = |words: &str| Err(Error::new(ErrorKind::PermissionDenied, words));
        if metadata.is_dir() != folder || metadata.file_type().is_symlink() {
            return wrong("it is not what it should be");
        }
        if metadata.uid() != user() {
            return wrong("it belongs to somebody else");
        }
        if metadata.mode() & 0o077 != 0 {
            return wrong("others may read it");
        }
        Ok(())
    }

    pub fn make_folder(path: &Path) -> Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        check(&std::fs::symlink_metadata(path)?, true)
    }

    pub fn read(path: &Path) -> Result<String> {
        check(&std::fs::symlink_metadata(path)?, false)?;
        let mut file = File::open(path)?;
        check(&file.metadata()?, false)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text)
    }

    /// A reader sees the old file or the new one, never a part.
    pub fn replace(path: &Path, text: &str) -> Result<()> {
        let fresh = path.with_extension(format!("new-{}", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| std::fs::rename(&fresh, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&fresh);
        }
        written
    }
}

#[cfg(not(unix))]
mod files {
    use std::io::{Error, ErrorKind, Result};
    use std::path::Path;

    fn unknown() -> Error {
        Error::new(
            ErrorKind::Unsupported,
            "on this system nothing is kept, since it is not known how to keep others out",
        )
    }

    pub fn user() -> u32 {
        0
    }

    pub fn make_folder(_: &Path) -> Result<()> {
        Err(unknown())
    }

    pub fn read(_: &Path) -> Result<String> {
        Err(unknown())
    }

    pub fn replace(_: &Path, _: &str) -> Result<()> {
        Err(unknown())
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    /// A folder that goes away with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("app-token-test-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn env(&self) -> BTreeMap<String, String> {
            [("XDG_RUNTIME_DIR".to_owned(), self.0.display().to_string())].into()
        }

        fn entry(&self, key: &str) -> Entry {
            Entry::of(&self.env(), &[key.to_owned()]).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

    fn kept(text: &str, lives: i64) -> Kept {
        Kept {
            token: Secret::from(text),
            expires_at: NOW.plus(lives),
        }
    }

    fn token(entry: &Entry) -> Option<String> {
        entry
            .read(NOW)
            .unwrap()
            .map(|kept| kept.token.expose().to_owned())
    }

    #[test]
    fn a_token_is_used_again_while_more_than_five_minutes_are_left() {
        let folder = Folder::new("again");
        let entry = folder.entry("a");
        assert_eq!(token(&entry), None);
        for (lives, expected) in [(301, Some("t".to_owned())), (300, None), (-1, None)] {
            entry.write(&kept("t", lives), NOW).unwrap();
            assert_eq!(token(&entry), expected, "{lives}");
        }
        assert_eq!(token(&folder.entry("b")), None);
    }

    #[test]
    fn folder_and_file_are_the_user_s_alone() {
        let folder = Folder::new("mode");
        let entry = folder.entry("a");
        entry.write(&kept("t", 3600), NOW).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&entry.folder), mode(&entry.file)), (0o700, 0o600));
        std::fs::set_permissions(&entry.file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(entry.read(NOW).err().unwrap().is(&problem::CACHE_UNUSABLE));
        std::fs::set_permissions(&entry.folder, PermissionsExt::from_mode(0o755)).unwrap();
        let refused = Entry::of(&folder.env(), &[]).err().unwrap();
        assert!(refused.is(&problem::CACHE_UNUSABLE));
    }

    #[test]
    fn a_link_in_the_folder_s_place_is_refused() {
        let folder = Folder::new("link");
        std::os::unix::fs::symlink("/tmp", folder.0.join("app-token")).unwrap();
        assert!(Entry::of(&folder.env(), &[]).is_err());
    }

    #[test]
    fn only_the_token_that_did_not_work_is_forgotten() {
        let folder = Folder::new("erase");
        let entry = folder.entry("a");
        entry.write(&kept("t", 3600), NOW).unwrap();
        entry.erase(Some(&Secret::from("another"))).unwrap();
        assert!(token(&entry).is_some());
        entry.erase(Some(&Secret::from("t"))).unwrap();
        assert_eq!(token(&entry), None);
        entry.erase(None).unwrap();
    }

    #[test]
    fn ended_tokens_of_others_are_swept_and_nonsense_is_none() {
        let folder = Folder::new("sweep");
        let (old, new) = (folder.entry("old"), folder.entry("new"));
        old.write(&kept("t", 1), NOW).unwrap();
        new.write(&kept("u", 3600), NOW.plus(2)).unwrap();
        assert!(!old.file.exists() && new.file.exists());
        files::replace(&new.file, "{").unwrap();
        assert_eq!(token(&new), None);
    }
}
