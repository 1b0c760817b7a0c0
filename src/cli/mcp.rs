//! `mcp`: tools for an assistant, over standard input and output.

use clap::Args;

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::config::WebListen;
use crate::mcp::{Api, serve};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  PUSHCRON_TOKEN=pcron_act_… pushcron mcp
  pushcron mcp --url unix:/run/pushcron/web.sock
  pushcron mcp --url https://push.example.org/cron --token \"$PUSHCRON_TOKEN\"

An assistant starts it, and speaks the Model Context Protocol to it on standard input and output. Its tools are push, history, \
explain, next, jobs, add and cancel, as far as the tokens allow: each is a request to the HTTP API of the running daemon, with its \
scopes, rates and rows of acts. A token of the scope push pushes, one of read looks, one of act also adds and cancels; several may \
be given, with commas. On the daemon's socket its users need none.")]
pub(super) struct Mcp {
    /// Where the daemon's HTTP API is: http://, https:// or unix:/ [default: where the files have it listen]
    #[arg(long, env = "PUSHCRON_URL", value_name = "URL")]
    url: Option<String>,
    /// A token of the API; several with commas, or by repeating it. Others see what stands on a command line: use the variable
    #[arg(long, env = "PUSHCRON_TOKEN", hide_env_values = true, value_delimiter = ',')]
    token: Vec<String>,
}

impl Mcp {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => listens(context)?,
        };
        let tokens = self.token.iter().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).collect();
        let api = Api::at(&url, tokens).map_err(|problem| Failure::new(Exit::Usage, format!("--url: {problem}")))?;
        context.block_on(async {
            serve(api).await.map_err(|problem| {
                Failure::new(Exit::Failed, format!("whoever started this does not speak MCP: {problem}"))
            })
        })?;
        Ok(Exit::Done)
    }
}

/// Where the files have the daemon's API listen.
fn listens(context: &Context) -> Result<String, Failure> {
    let nowhere = "where is the HTTP API? The files have none listen (daemon.web); name it with --url";
    match context.config_to_look_at()?.daemon.web.map(|web| web.listen) {
        Some(WebListen::Tcp(address)) => Ok(format!("http://{address}")),
        Some(WebListen::Unix(path)) => Ok(format!("unix:{}", path.display())),
        None => Err(Failure::new(Exit::Usage, nowhere)),
    }
}
