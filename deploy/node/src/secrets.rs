//! The secrets of a node and the modes of its folders: the owner of the files is their only reader. Not for
//! what is made with a secret.

use crate::config::Config;
use access::root::{ROOT_BYTES, ROOTS_MAX, Roots};
use anyhow::{Context, Result, ensure};
use rustix::fs::{Mode, OFlags};
use rustix::process::{geteuid, umask};
use serving::os_entropy;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The mode bits that other users do not get.
const OTHERS: u32 = 0o077;

/// From here on, whatever this process makes is its user's alone.
pub fn keep_to_ourselves() {
    umask(Mode::from_raw_mode(OTHERS));
}

/// Makes the folder of all state, or takes it away from others.
pub fn own_data_folder(folder: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("making {}", folder.display()))?;
    let found = folder.metadata().with_context(|| format!("looking at {}", folder.display()))?;
    if found.mode() & OTHERS != 0
        && let Err(error) = std::fs::set_permissions(folder, Permissions::from_mode(0o700))
    {
        // A mounted volume may belong to another user; what is made in it is ours.
        tracing::warn!(folder = %folder.display(), %error, "others can look into the folder of all state");
    }
    Ok(())
}

/// The root secrets; the first start makes one, but not where other nodes have one already. The folder of all state is
/// there.
pub fn roots(config: &Config, others_have_one: impl FnOnce() -> Result<bool>) -> Result<Roots> {
    let folder = match &config.secrets_dir {
        Some(folder) => folder.clone(),
        None => beside(&config.log.data_dir)?,
    };
    own_folder(&folder)?;
    let mut numbers = numbers(&folder)?;
    if numbers.is_empty() {
        ensure!(
            !others_have_one()?,
            "{} has no root secret, and nodes have worked on this log with one: copy its root-<n>.key files from \
             the <data>-secrets folder of such a node",
            folder.display(),
        );
        make(&folder).with_context(|| format!("making the root secret in {}", folder.display()))?;
        numbers.push(1);
    }
    let mut read = numbers.iter().rev().take(ROOTS_MAX).map(|number| secret(&folder.join(file_name(*number))));
    let newest = read.next().context("there is a root secret")??;
    Ok(Roots::new(newest, read.next().transpose()?))
}

/// `<data>-secrets`, beside the folder of all state and not in it.
fn beside(data: &Path) -> Result<PathBuf> {
    let data = data.canonicalize().with_context(|| format!("looking at {}", data.display()))?;
    let mut name = data.file_name().map(OsString::from).context("the root of a disk cannot be the data folder")?;
    name.push("-secrets");
    Ok(data.with_file_name(name))
}

fn own_folder(folder: &Path) -> Result<()> {
    let shown = folder.display();
    match folder.symlink_metadata() {
        Ok(found) => {
            ensure!(found.is_dir(), "{shown} is no folder, and secrets are kept in none but one that is no link");
            check_own(folder, &found, "700")
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(|| format!("making {shown}"))
        }
        Err(error) => Err(error).with_context(|| format!("looking at {shown}")),
    }
}

fn check_own(path: &Path, found: &Metadata, mode: &str) -> Result<()> {
    let shown = path.display();
    let (owner, us) = (found.uid(), geteuid().as_raw());
    ensure!(owner == us, "{shown} belongs to user {owner}, and this process is user {us}: `chown {us} {shown}`");
    let open = found.mode() & 0o7777;
    ensure!(open & OTHERS == 0, "{shown} has mode {open:o}, and others could read secrets: `chmod {mode} {shown}`");
    Ok(())
}

fn file_name(number: u64) -> String {
    format!("root-{number}.key")
}

/// The numbers of the root secrets that are there, in order.
fn numbers(folder: &Path) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("looking into {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix("root-").and_then(|rest| rest.strip_suffix(".key"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn own_file(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
}

fn secret(path: &Path) -> Result<[u8; ROOT_BYTES]> {
    let shown = path.display();
    let found = path.symlink_metadata().with_context(|| format!("looking at {shown}"))?;
    ensure!(found.is_file(), "{shown} is no file, and a secret is read from no link");
    let file = own_file(OpenOptions::new().read(true)).open(path).with_context(|| format!("opening {shown}"))?;
    check_own(path, &file.metadata()?, "600")?;
    let mut bytes = Vec::new();
    file.take(ROOT_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(|| format!("reading {shown}"))?;
    bytes.try_into().ok().with_context(|| format!("{shown} is no root secret: it has {ROOT_BYTES} bytes"))
}

/// Makes the first root secret, whole or not at all.
fn make(folder: &Path) -> Result<()> {
    let random = os_entropy();
    let mut bytes = Vec::with_capacity(ROOT_BYTES);
    while bytes.len() < ROOT_BYTES {
        bytes.extend_from_slice(&random().map_err(anyhow::Error::msg)?);
    }
    let (path, new) = (folder.join(file_name(1)), folder.join(format!("{}.new", file_name(1))));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let mut file = own_file(OpenOptions::new().write(true).create_new(true)).open(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    File::open(folder)?.sync_all()?;
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Settings};
    use access::root::Purpose;
    use std::os::unix::fs::symlink;

    /// A configuration whose data folder is there.
    fn config(folder: &Path) -> Config {
        let data = folder.join("data");
        own_data_folder(&data).unwrap();
        let flags = Flags { data: Some(data), ..Flags::default() };
        Settings::load(None, &[], flags).unwrap().config()
    }

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn the_first_start_makes_a_secret_that_later_ones_read() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let sign = || roots(&config, || Ok(false)).unwrap().signer(Purpose::Cursor).sign(&[b"x"]);
        let first = sign();
        let (secrets, key) = (folder.path().join("data-secrets"), folder.path().join("data-secrets/root-1.key"));
        assert_eq!((mode(&secrets), mode(&key), key.metadata().unwrap().len()), (0o700, 0o600, 32));
        assert_eq!(sign(), first);
        // A newer one signs, and what the one before signed still fits.
        std::fs::copy(&key, secrets.join("root-2.key")).unwrap();
        std::fs::write(secrets.join("root-2.key"), [9; ROOT_BYTES]).unwrap();
        assert_ne!(sign(), first);
        assert!(roots(&config, || Ok(false)).unwrap().signer(Purpose::Cursor).has_signed(&[b"x"], &first));
    }

    #[test]
    fn no_secret_is_made_where_other_nodes_have_one() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let error = format!("{:#}", roots(&config, || Ok(true)).err().unwrap());
        let secrets = folder.path().join("data-secrets");
        assert!(error.contains(&secrets.display().to_string()) && error.contains("copy"), "{error}");
        assert_eq!(secrets.read_dir().unwrap().count(), 0);
        roots(&config, || Ok(false)).unwrap();
        roots(&config, || Ok(true)).unwrap();
    }

    #[test]
    fn secrets_that_others_could_read_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        roots(&config, || Ok(false)).unwrap();
        let (secrets, key) = (folder.path().join("data-secrets"), folder.path().join("data-secrets/root-1.key"));
        let refused = |path: &Path, why: &str| {
            let error = format!("{:#}", roots(&config, || Ok(true)).err().unwrap());
            assert!(error.contains(&path.display().to_string()) && error.contains(why), "{error}");
        };
        std::fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
        refused(&key, "chmod 600");
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        std::fs::set_permissions(&secrets, Permissions::from_mode(0o755)).unwrap();
        refused(&secrets, "chmod 700");
        std::fs::set_permissions(&secrets, Permissions::from_mode(0o700)).unwrap();
        std::fs::rename(&key, secrets.join("elsewhere")).unwrap();
        symlink("elsewhere", &key).unwrap();
        refused(&key, "no link");
        std::fs::remove_file(&key).unwrap();
        std::fs::write(&key, b"short").unwrap();
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        refused(&key, "32 bytes");
        std::fs::rename(&secrets, folder.path().join("moved")).unwrap();
        symlink(folder.path().join("moved"), &secrets).unwrap();
        refused(&secrets, "no link");
    }
}
