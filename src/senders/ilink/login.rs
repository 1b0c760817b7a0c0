//! The QR login (sheet A2): a code to scan with WeChat, and credentials in a file of their own.

use std::io;
use std::time::Duration;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::json;
use url::Url;

use super::api::{API_BASE, Answer, Api, SHORT, base};
use super::credentials::Credentials;
use crate::domain::{Account, Secret};
use crate::senders::login::{LoggedIn, LoginDialog, LoginError, LoginEvent};
use crate::senders::sender::{BuildError, Environment};

/// The platform holds a status call for 35 s.
const STATUS_HOLD: Duration = Duration::from_secs(40);
const BETWEEN_CALLS: Duration = Duration::from_secs(1);
/// A code older than this is replaced, should the platform not say so itself.
const CODE_LIFE: Duration = Duration::from_secs(5 * 60);
const REFRESHES: u32 = 3;
/// The whole login takes no longer.
const PATIENCE: Duration = Duration::from_secs(480);
const FAILURES: u32 = 5;

/// Logs in by QR code and keeps the credentials.
///
/// # Errors
/// [`LoginError`]; a login that was there stays as it is.
pub(super) async fn login(
    account: &Account,
    environment: &Environment,
    dialog: &mut dyn LoginDialog,
) -> Result<LoggedIn, LoginError> {
    let setup = |error: BuildError| LoginError::Refused(error.problem.english().to_owned());
    let api = Api::new(account, environment).map_err(setup)?;
    let base_url = base(account, "base_url", API_BASE).map_err(setup)?;
    let path = Credentials::path(&environment.state_dir, &account.id);
    // A file that cannot be read is written anew by this login.
    let known = Credentials::load(&path).ok().flatten();
    let login = Login { api, poll_base: base_url.clone(), base_url, known };
    match login.run(dialog).await? {
        Outcome::Confirmed(credentials) => {
            credentials.save(&path).map_err(|error| cannot_save(&path, &error))?;
            Ok(LoggedIn { platform_id: credentials.bot_id, contact: Some(credentials.user_id), kept_in: path })
        }
        Outcome::AlreadyBound(known) => {
            Ok(LoggedIn { platform_id: known.bot_id, contact: Some(known.user_id), kept_in: path })
        }
    }
}

fn cannot_save(path: &std::path::Path, error: &io::Error) -> LoginError {
    LoginError::NotKept(format!("{}: {error}", path.display()))
}

enum Outcome {
    Confirmed(Credentials),
    AlreadyBound(Credentials),
}

struct Login {
    api: Api,
    /// Where every login begins.
    base_url: String,
    /// Where the status is asked, after a redirect.
    poll_base: String,
    known: Option<Credentials>,
}

/// What a status asks for.
enum Step {
    Wait,
    NewCode,
    AskNumber { again: bool },
    Done(Box<Outcome>),
}

impl Login {
    async fn run(mut self, dialog: &mut dyn LoginDialog) -> Result<Outcome, LoginError> {
        let clock = self.api.wire.clock.clone();
        let began = clock.monotonic();
        let (mut refreshes, mut failures) = (0, 0);
        let mut number: Option<String> = None;
        let mut code = self.new_code(dialog).await?;
        let mut code_at = began;
        let mut scanned = false;
        while clock.monotonic() - began < PATIENCE {
            let step = match self.status(&code, number.as_deref()).await {
                Ok(answer) => {
                    failures = 0;
                    if answer.text("status") == Some("scaned") && !std::mem::replace(&mut scanned, true) {
                        dialog.tell(LoginEvent::Scanned);
                    }
                    self.read(&answer, number.is_some())?
                }
                Err(error) => {
                    failures += 1;
                    if failures >= FAILURES {
                        return Err(LoginError::Unreachable(error));
                    }
                    Step::Wait
                }
            };
            match step {
                Step::Done(outcome) => return Ok(*outcome),
                Step::AskNumber { again } => {
                    number = Some(dialog.number_on_phone(again).await.ok_or(LoginError::Cancelled)?);
                    continue;
                }
                Step::Wait if clock.monotonic() - code_at < CODE_LIFE => {}
                Step::Wait | Step::NewCode if refreshes < REFRESHES => {
                    refreshes += 1;
                    dialog.tell(LoginEvent::Expired);
                    self.poll_base = self.base_url.clone();
                    code = self.new_code(dialog).await?;
                    (code_at, number, scanned) = (clock.monotonic(), None, false);
                }
                Step::Wait | Step::NewCode => return Err(LoginError::TimedOut),
            }
            clock.sleep(BETWEEN_CALLS).await;
        }
        Err(LoginError::TimedOut)
    }

    /// Fetches a code and shows it.
    async fn new_code(&self, dialog: &mut dyn LoginDialog) -> Result<String, LoginError> {
        // The platform looks whether one of these is bound already.
        let tokens: Vec<&str> = self.known.iter().map(|known| known.token.expose()).collect();
        let body = json!({"local_token_list": tokens});
        let path = "ilink/bot/get_bot_qrcode?bot_type=3";
        let answer = self.api.call_unauthenticated(&self.base_url, path, &body, SHORT).await;
        let answer = answer.map_err(|failure| LoginError::Unreachable(failure.error))?;
        let (Some(code), Some(link)) = (answer.text("qrcode"), answer.text("qrcode_img_content")) else {
            return Err(LoginError::Refused(format!("the platform gives no QR code: {}", answer.refusal())));
        };
        dialog.tell(LoginEvent::Scan { drawing: draw(link)?, link: link.to_owned() });
        Ok(code.to_owned())
    }

    async fn status(&self, code: &str, number: Option<&str>) -> Result<Answer, String> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("qrcode", code);
        if let Some(number) = number {
            query.append_pair("verify_code", number);
        }
        let path = format!("ilink/bot/get_qrcode_status?{}", query.finish());
        let answer = self.api.get(&self.poll_base, &path, STATUS_HOLD).await;
        answer.map_err(|failure| failure.error)
    }

    fn read(&mut self, answer: &Answer, number_given: bool) -> Result<Step, LoginError> {
        match answer.text("status").unwrap_or_default() {
            "wait" | "scaned" => Ok(Step::Wait),
            "scaned_but_redirect" => {
                self.redirect(answer.text("redirect_host").unwrap_or_default())?;
                Ok(Step::Wait)
            }
            "need_verifycode" => Ok(Step::AskNumber { again: number_given }),
            "expired" | "verify_code_blocked" => Ok(Step::NewCode),
            "binded_redirect" => match self.known.take() {
                Some(known) => Ok(Step::Done(Box::new(Outcome::AlreadyBound(known)))),
                None => Err(LoginError::Refused("the platform says 'bound already', but no login is kept here".into())),
            },
            "confirmed" => Ok(Step::Done(Box::new(Outcome::Confirmed(self.credentials(answer)?)))),
            other => {
                let status =
                    if other.is_empty() { answer.refusal() } else { format!("status '{}'", answer.show(other)) };
                Err(LoginError::Refused(format!("the platform answers {status}")))
            }
        }
    }

    /// Follows a redirect to a host, on the scheme of the login's own address.
    fn redirect(&mut self, host: &str) -> Result<(), LoginError> {
        let scheme = if self.base_url.starts_with("http:") { "http" } else { "https" };
        let address = format!("{scheme}://{host}");
        let is_host = Url::parse(&address).is_ok_and(|url| {
            url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
        });
        if !is_host {
            return Err(LoginError::Refused("the platform redirects to something that is no host".into()));
        }
        self.poll_base = address;
        Ok(())
    }

    fn credentials(&self, answer: &Answer) -> Result<Credentials, LoginError> {
        let text = |key: &str| {
            let missing = || LoginError::Refused(format!("the platform confirms the login without {key}"));
            answer.text(key).map(str::to_owned).ok_or_else(missing)
        };
        let base_url = answer.text("baseurl").unwrap_or(&self.base_url);
        // The token must not leave unencrypted because an answer said so.
        let downgraded = self.base_url.starts_with("https:") && !base_url.starts_with("https:");
        if downgraded || Url::parse(base_url).is_err() {
            return Err(LoginError::Refused("the platform confirms the login with an unusable baseurl".into()));
        }
        Ok(Credentials {
            bot_id: text("ilink_bot_id")?,
            user_id: text("ilink_user_id")?,
            token: Secret::new(text("bot_token")?),
            base_url: base_url.to_owned(),
        })
    }
}

/// The code as half blocks for a dark terminal: the light modules are the drawn ones, since a scanner wants dark on
/// light.
fn draw(link: &str) -> Result<String, LoginError> {
    let code =
        QrCode::new(link).map_err(|error| LoginError::Refused(format!("no QR code can hold the link: {error}")))?;
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build())
}
