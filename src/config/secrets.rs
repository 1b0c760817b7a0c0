//! Secrets: from the file itself, a file of their own, or a systemd credential.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::decoder::Decoder;
use super::environment::Sight;
use super::files::{unchanged, what_to_do};
use super::mask;
use super::text::{quoted, shown};
use super::trust::Rights;
use super::yaml::{At, Node, Value};
use crate::domain::Secret;
use crate::texts::{self, Text};

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
            self.error(node.at, texts::secret_in_one_line(key));
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
            self.error(at, texts::quotes_are_part(key)).hint(texts::without_quotes());
            return None;
        }
        if bare.trim_matches(' ').len() < bare.len() {
            self.warning(at, texts::outer_space(key)).hint(texts::without_space());
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
            self.error(node.at, texts::expected_got(key, texts::a_text(), got));
            return None;
        }
        let Value::Scalar(scalar) = node.value() else { return None };
        let hint = texts::export_it();
        self.interpolated(key, &scalar.text, node.at, hint).map(|text| text.into_owned())
    }

    pub(super) fn warn_of_plain_secret(&mut self, key: &str, at: At) {
        self.warning(at, texts::plain_secret(key)).hint(texts::hide_the_secret(key, "${NAME}"));
        self.holds_secrets = true;
    }

    /// The file of a systemd credential.
    fn credential(&mut self, key: &str, node: &Node) -> Option<PathBuf> {
        if self.is_beside(key, node.at, texts::its_credentials()) {
            self.unseen += 1;
            return None;
        }
        let name = self.text(key, node)?.into_owned();
        if name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.') {
            self.wrong(key, node, texts::a_credential());
            return None;
        }
        let found =
            (self.environment.variable)("CREDENTIALS_DIRECTORY").map(|directory| Path::new(&directory).join(&name));
        // `ExecReload=` of systemd before 254 is given the variable, and may not look inside.
        let is_hidden = |path: &PathBuf| {
            std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
        };
        if self.sight != Sight::Service && found.as_ref().is_none_or(is_hidden) {
            self.not_seen(key, node.at, texts::its_credentials());
            return None;
        }
        let Some(path) = found else {
            let is_variable = matches!(node.value(), Value::Scalar(scalar) if scalar.text.contains("${"));
            let shown = if is_variable || mask::is_token_like(&name) { "NAME" } else { &name };
            self.error(node.at, texts::no_credentials(key)).hint(texts::load_credential(shown));
            return None;
        };
        Some(path)
    }

    pub(super) fn secret_file(&mut self, key: &str, node: &Node, path: &Path) -> Option<Secret> {
        if self.is_beside(key, node.at, texts::the_file()) {
            self.unseen += 1;
            return None;
        }
        self.seen.file(path);
        let read = unchanged(path, || read_secret(path));
        match read.unwrap_or_else(|| Err(texts::it_is_being_written().into())) {
            Ok((secret, rights)) => {
                if let Some(doubt) = rights.doubt_of_file(path, self.environment.user) {
                    self.warning(node.at, texts::of_file_of_key(key, shown(path), doubt.problem)).hint(doubt.hint);
                }
                self.secret_files.push(path.to_owned());
                Some(secret)
            }
            Err(_) if self.sight == Sight::Onlooker => {
                self.not_seen(key, node.at, texts::the_file());
                None
            }
            Err(Unread { problem, hint }) => {
                // A variable, and this key too, may hold the secret itself instead of its path.
                let path = match node.value() {
                    Value::Scalar(scalar) if mask::is_token_like(&scalar.text) => texts::what_is_named_there(),
                    Value::Scalar(scalar) if scalar.text.contains("${") => Text::same(quoted(&scalar.text)),
                    _ => Text::same(shown(path)),
                };
                // Where a credential lies is for systemd to say, and not for the file.
                let hint = hint.filter(|_| !key.ends_with("_credential"));
                let diagnostic = self.error(node.at, texts::of_file_of_key(key, path, problem));
                if let Some(hint) = hint {
                    diagnostic.hint(hint);
                }
                None
            }
        }
    }
}

/// Why a private file cannot be used, and what to do.
struct Unread {
    problem: Text,
    hint: Option<Text>,
}

impl From<Text> for Unread {
    fn from(problem: Text) -> Unread {
        Unread { problem, hint: None }
    }
}

impl From<std::io::Error> for Unread {
    fn from(error: std::io::Error) -> Unread {
        let hint = what_to_do(&error);
        Unread { problem: Text::same(error.to_string()), hint }
    }
}

/// The text of a private file without its last line break.
fn read_secret(path: &Path) -> Result<(Secret, Rights), Unread> {
    // Asked before opening, since opening a FIFO waits for a writer.
    let is_file = |meta: &std::fs::Metadata| if meta.is_file() { Ok(()) } else { Err(texts::not_a_regular_file()) };
    is_file(&std::fs::metadata(path)?)?;
    let file = std::fs::File::open(path)?;
    let meta = file.metadata()?;
    is_file(&meta)?;
    let rights = Rights::of(&meta);
    if rights.all_may_something() {
        let mode = rights.mode & 0o777;
        return Err(texts::others_may_read(format!("{mode:o}")).into());
    }
    let mut text = String::new();
    let length = file.take(LONGEST + 1).read_to_string(&mut text);
    let secret = Secret::new(text);
    match length? as u64 {
        0 => Err(texts::it_is_empty().into()),
        length if length > LONGEST => Err(texts::it_is_longer(LONGEST).into()),
        _ => {
            let text = secret.expose();
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            if text.trim_start_matches('\u{feff}').is_empty() {
                Err(texts::it_is_empty().into())
            } else {
                Ok((Secret::new(text.to_owned()), rights))
            }
        }
    }
}
