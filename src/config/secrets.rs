//! Secrets: from the file itself, a file of their own, or a systemd credential.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::decoder::Decoder;
use super::environment::Sight;
use super::files::unchanged;
use super::mask;
use super::text::{quoted, shown};
use super::trust::Rights;
use super::yaml::{At, Node, Value};
use crate::domain::Secret;

/// No token is longer; a larger file is the wrong one.
const LONGEST: u64 = 64 * 1024;

/// Where a secret comes from: `KEY`, `KEY_file`, `KEY_credential`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretForm {
    Inline,
    File,
    Credential,
}

impl Decoder<'_> {
    pub(super) fn secret(&mut self, form: SecretForm, key: &str, node: &Node) -> Option<Secret> {
        let secret = match form {
            SecretForm::Inline => {
                let text = self.scalar_text(key, node)?;
                if matches!(node.value(), Value::Scalar(scalar) if !scalar.text.contains("${") && !text.is_empty()) {
                    self.warn_of_plain_secret(key, node.at);
                }
                Secret::new(text)
            }
            SecretForm::File => {
                let path = self.path(key, node)?;
                self.secret_file(key, node, &path)?
            }
            SecretForm::Credential => {
                let path = self.credential(key, node)?;
                self.secret_file(key, node, &path)?
            }
        };
        let secret = self.bare(key, node.at, secret)?;
        if secret.expose().contains(char::is_control) {
            self.error(node.at, format!("{key}: expected one line, got several or control characters"));
            return None;
        }
        Some(secret)
    }

    /// A secret without the mark that some editors put before a text. One in quotes of its own is refused: whoever
    /// wrote them meant to quote it, and no platform would say what is wrong.
    pub(super) fn bare(&mut self, key: &str, at: At, secret: Secret) -> Option<Secret> {
        let text = secret.expose();
        let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
        let in_quotes = |open: char, close: char| bare.len() > 1 && bare.starts_with(open) && bare.ends_with(close);
        if [('"', '"'), ('\'', '\''), ('“', '”')].into_iter().any(|(open, close)| in_quotes(open, close)) {
            self.error(at, format!("{key}: the quotes are part of it"))
                .hint("write it without quotes where it comes from");
            return None;
        }
        if bare.trim_matches(' ').len() < bare.len() {
            self.warning(at, format!("{key}: it begins or ends with a space"))
                .hint("take the space away where it comes from");
        }
        if bare.len() < text.len() {
            return Some(Secret::new(bare.to_owned()));
        }
        Some(secret)
    }

    /// As [`Decoder::text`], for values that no message may show.
    pub(super) fn scalar_text(&mut self, key: &str, node: &Node) -> Option<String> {
        if !matches!(node.value(), Value::Scalar(_)) {
            let got = node.describe();
            self.error(node.at, format!("{key}: expected a text, got {got}"));
            return None;
        }
        let Value::Scalar(scalar) = node.value() else { return None };
        let hint = "export it, or have the unit set it: EnvironmentFile=PATH";
        self.interpolated(key, &scalar.text, node.at, hint).map(|text| text.into_owned())
    }

    pub(super) fn warn_of_plain_secret(&mut self, key: &str, at: At) {
        self.warning(at, format!("{key}: a secret in plain text"))
            .hint(format!("write {key}: ${{NAME}}, or name a file with {key}_file or {key}_credential"));
        self.holds_secrets = true;
    }

    /// The file of a systemd credential.
    fn credential(&mut self, key: &str, node: &Node) -> Option<PathBuf> {
        let name = self.text(key, node)?.into_owned();
        if name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.') {
            self.wrong(key, node, "the name of a credential");
            return None;
        }
        let found =
            (self.environment.variable)("CREDENTIALS_DIRECTORY").map(|directory| Path::new(&directory).join(&name));
        // `ExecReload=` of systemd before 254 is given the variable, and may not look inside.
        let is_hidden = |path: &PathBuf| {
            std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
        };
        if self.sight != Sight::Service && found.as_ref().is_none_or(is_hidden) {
            self.not_seen(key, node.at, "its credentials");
            return None;
        }
        let Some(path) = found else {
            let is_variable = matches!(node.value(), Value::Scalar(scalar) if scalar.text.contains("${"));
            let shown = if is_variable || mask::is_token_like(&name) { "NAME" } else { &name };
            self.error(node.at, format!("{key}: there are no credentials: CREDENTIALS_DIRECTORY is not set"))
                .hint(format!("credentials come from systemd: 'LoadCredential={shown}:PATH' in the unit"));
            return None;
        };
        Some(path)
    }

    pub(super) fn secret_file(&mut self, key: &str, node: &Node, path: &Path) -> Option<Secret> {
        self.seen.file(path);
        let read = unchanged(path, || read_secret(path));
        match read.unwrap_or_else(|| Err("it is being written".to_owned())) {
            Ok((secret, rights)) => {
                if let Some(doubt) = rights.doubt_of_file(path, self.environment.user) {
                    self.warning(node.at, format!("{key}: {}: {}", shown(path), doubt.problem)).hint(doubt.hint);
                }
                self.secret_files.push(path.to_owned());
                Some(secret)
            }
            Err(_) if self.sight == Sight::Onlooker => {
                self.not_seen(key, node.at, "the file");
                None
            }
            Err(problem) => {
                // A variable, and this key too, may hold the secret itself instead of its path.
                let path = match node.value() {
                    Value::Scalar(scalar) if mask::is_token_like(&scalar.text) => "what is named there".to_owned(),
                    Value::Scalar(scalar) if scalar.text.contains("${") => quoted(&scalar.text),
                    _ => shown(path),
                };
                self.error(node.at, format!("{key}: {path}: {problem}"));
                None
            }
        }
    }
}

/// The text of a private file without its last line break.
fn read_secret(path: &Path) -> Result<(Secret, Rights), String> {
    // Asked before opening, since opening a FIFO waits for a writer.
    let is_file = |meta: &std::fs::Metadata| if meta.is_file() { Ok(()) } else { Err("not a regular file".to_owned()) };
    is_file(&std::fs::metadata(path).map_err(|error| error.to_string())?)?;
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let meta = file.metadata().map_err(|error| error.to_string())?;
    is_file(&meta)?;
    let rights = Rights::of(&meta);
    if rights.all_may_something() {
        let mode = rights.mode & 0o777;
        return Err(format!("other users may read or write it (mode {mode:o}): make it 0600, or 0640 with a group"));
    }
    let mut text = String::new();
    let length = file.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| error.to_string());
    let secret = Secret::new(text);
    match length? as u64 {
        0 => Err("it is empty".to_owned()),
        length if length > LONGEST => Err(format!("it is longer than {LONGEST} bytes")),
        _ => {
            let text = secret.expose();
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            if text.trim_start_matches('\u{feff}').is_empty() {
                Err("it is empty".to_owned())
            } else {
                Ok((Secret::new(text.to_owned()), rights))
            }
        }
    }
}
