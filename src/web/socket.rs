//! Where the API listens: a port, or the file of a unix socket.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::config::{WebListen, WebSettings};
use crate::net::http1::Listener;

/// Begins to listen.
///
/// # Errors
///
/// Where the place is taken, or not ours.
pub(super) async fn bind(settings: &WebSettings) -> io::Result<Listener> {
    match &settings.listen {
        WebListen::Tcp(address) => Ok(Listener::Tcp(TcpListener::bind(address).await?)),
        WebListen::Unix(path) => {
            clear(path).await?;
            let listener = UnixListener::bind(path)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(settings.socket_mode))?;
            Ok(Listener::Unix(listener))
        }
    }
}

/// Takes the socket of a daemon that is gone out of the way; nothing else.
async fn clear(path: &Path) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::other("something else than a socket is there"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("the socket that is there is another user's"));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(io::Error::other("somebody answers on the socket that is there")),
        Err(_) => std::fs::remove_file(path),
    }
}

/// The numbers of these users, as far as this machine knows them.
pub(super) fn uids(users: Option<&[String]>) -> Vec<u32> {
    let Some(users) = users else { return vec![0, rustix::process::geteuid().as_raw()] };
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    users
        .iter()
        .filter_map(|user| {
            let uid = user.parse().ok().or_else(|| uid_of(&known, user));
            if uid.is_none() {
                tracing::warn!(user, "daemon.web.socket_users: /etc/passwd has no such user");
            }
            uid
        })
        .collect()
}

fn uid_of(passwd: &str, user: &str) -> Option<u32> {
    let mut fields = passwd.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(user))?;
    fields.nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_known_by_name_or_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nalice:x:1000:100::/home/alice:/bin/sh\n";
        assert_eq!(
            (uid_of(passwd, "alice"), uid_of(passwd, "root"), uid_of(passwd, "bob")),
            (Some(1000), Some(0), None)
        );
        assert_eq!(uids(Some(&["7".to_owned()])), [7]);
    }

    #[tokio::test]
    async fn the_socket_of_a_daemon_that_is_gone_is_replaced_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.sock");
        drop(UnixListener::bind(&path).unwrap());
        clear(&path).await.unwrap();
        assert!(!path.exists());
        let _alive = UnixListener::bind(&path).unwrap();
        assert!(clear(&path).await.unwrap_err().to_string().contains("somebody answers"));
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        assert!(clear(&file).await.is_err() && file.exists());
        clear(&dir.path().join("none")).await.unwrap();
        if rustix::process::geteuid().is_root() {
            let path = dir.path().join("theirs.sock");
            drop(UnixListener::bind(&path).unwrap());
            std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
            assert!(clear(&path).await.unwrap_err().to_string().contains("another user's") && path.exists());
        }
    }
}
