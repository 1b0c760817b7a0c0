//! An app of a tenant: its access token, its calls, and what it has uploaded.

use reqwest::RequestBuilder;
use reqwest::multipart::Form;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, judge};
use crate::domain::{MediaFile, Secret};
use crate::senders::shared::budget::Budget;
use crate::senders::shared::failure::{Class, Failure};
use crate::senders::shared::token::{Granted, TokenCache};
use crate::senders::shared::upload::{self, Uploads};
use crate::senders::shared::wire::Wire;

pub(crate) struct App {
    wire: Wire,
    base_url: String,
    app_id: String,
    app_secret: Secret,
    token: TokenCache,
    uploads: Uploads,
}

/// What the app asks of Feishu; a description, since a request that streams a file can be sent only once.
pub(crate) enum Ask<'a> {
    Get(&'static str),
    Message { receive_id_type: &'a str, body: &'a Value },
    Image(&'a MediaFile),
    File { file: &'a MediaFile, file_type: &'static str, duration_ms: Option<u64> },
}

impl App {
    pub(crate) fn new(wire: Wire, base_url: String, app_id: String, app_secret: Secret) -> App {
        App { wire, base_url, app_id, app_secret, token: TokenCache::default(), uploads: Uploads::default() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/open-apis/{path}", self.base_url)
    }

    async fn request(&self, ask: &Ask<'_>) -> Result<RequestBuilder, Failure> {
        Ok(match ask {
            Ask::Get(path) => self.wire.http.get(self.url(path)),
            Ask::Message { receive_id_type, body } => self
                .wire
                .http
                .post(self.url("im/v1/messages"))
                .query(&[("receive_id_type", receive_id_type)])
                .json(body),
            Ask::Image(file) => {
                let form = Form::new().text("image_type", "message").part("image", upload::part(file).await?);
                self.wire.http.post(self.url("im/v1/images")).multipart(form)
            }
            Ask::File { file, file_type, duration_ms } => {
                let mut form = Form::new().text("file_type", *file_type).text("file_name", file.filename.clone());
                if let Some(ms) = duration_ms {
                    form = form.text("duration", ms.to_string());
                }
                self.wire.http.post(self.url("im/v1/files")).multipart(form.part("file", upload::part(file).await?))
            }
        })
    }

    /// A call in the app's name. A token that Feishu no longer takes is renewed and the call made once more: the
    /// refusal proves that the first one did nothing.
    pub(crate) async fn call(&self, ask: &Ask<'_>, budget: &Budget) -> Result<Answer, Box<Refusal>> {
        let mut void = None;
        loop {
            let token = self.token.get(&self.wire.steady, void.as_ref(), self.fetch_token(budget)).await?;
            let request = self.request(ask).await?.bearer_auth(token.expose());
            let reply = self.wire.http.call(request, budget.left()?).await.map_err(Failure::from)?;
            match judge(&reply, self.wire.now()) {
                Err(refusal) if void.is_none() && refusal.is_of_the_token() => void = Some(token),
                answer => return answer,
            }
        }
    }

    async fn fetch_token(&self, budget: &Budget) -> Result<Granted, Failure> {
        let body = json!({"app_id": self.app_id, "app_secret": self.app_secret.expose()});
        let request = self.wire.http.post(self.url("auth/v3/tenant_access_token/internal")).json(&body);
        let reply = self.wire.http.call(request, budget.left()?).await;
        let reply = reply.map_err(|error| Failure::from(error).before_the_send())?;
        let answer = judge(&reply, self.wire.now()).map_err(|refusal| {
            let Refusal { code, mut failure, .. } = *refusal;
            if code.is_none() {
                // It may hold the token, in whatever form: it is not quoted.
                failure.error =
                    format!("the answer to the question for a token (HTTP {}) cannot be read", reply.status);
            }
            match failure.class {
                // Whatever is wrong with the app, it is not the message.
                Class::Rejected => failure.classed(Class::AccountDown),
                _ => failure.before_the_send(),
            }
        })?;
        let text = answer.body["tenant_access_token"].as_str();
        let text = text.ok_or_else(|| Failure::unreachable("the answer holds no access token"))?;
        Ok(Granted::new(text, &answer.body["expire"]))
    }

    /// The key of an image, uploaded unless that was done lately.
    pub(crate) async fn image_key(&self, file: &MediaFile, budget: &mut Budget) -> Result<String, Failure> {
        self.upload(file, "image", &Ask::Image(file), "image_key", budget).await
    }

    /// The key of a file of Feishu's type `file_type`; `duration_ms` is that of a voice.
    pub(crate) async fn file_key(
        &self,
        file: &MediaFile,
        file_type: &'static str,
        duration_ms: Option<u64>,
        budget: &mut Budget,
    ) -> Result<String, Failure> {
        self.upload(file, file_type, &Ask::File { file, file_type, duration_ms }, "file_key", budget).await
    }

    async fn upload(
        &self,
        file: &MediaFile,
        form: &str,
        ask: &Ask<'_>,
        key: &str,
        budget: &mut Budget,
    ) -> Result<String, Failure> {
        let now = self.wire.steady.now();
        if let Some(known) = self.uploads.get(file, form, now) {
            return Ok(known);
        }
        budget.extend_for_bytes(file.len);
        let answer = self.call(ask, budget).await.map_err(|refusal| refusal.failure.before_the_send())?;
        let missing = || Failure::unreachable(format!("the answer to the upload has no {key}"));
        let uploaded = answer.body["data"][key].as_str().ok_or_else(missing)?;
        self.uploads.put(file, form, uploaded, now);
        Ok(uploaded.to_owned())
    }
}
