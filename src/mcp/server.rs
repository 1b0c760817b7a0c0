//! The protocol, by its official SDK.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::transport::io::stdio_pipes;
use rmcp::{RoleServer, ServerHandler, ServiceExt};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::api::{Answer, Api, told};
use super::tools::{Ask, Scope, Spec, TOOLS};

const INSTRUCTIONS: &str = "pushcron sends messages to chat groups and people by schedules, and records every attempt. \
Never push again what is recorded and open, or what is unknown: it may arrive, or have arrived.";

/// What an assistant speaks to.
struct Mcp {
    api: Api,
    /// By which token what may be done; asked once the daemon answers.
    scopes: OnceCell<Vec<(usize, Scope)>>,
}

/// Speaks on standard input and output until the input ends.
///
/// # Errors
///
/// In words, where whoever is at the other end does not speak the protocol.
pub(crate) async fn serve(api: Api) -> Result<(), String> {
    let mcp = Mcp { api, scopes: OnceCell::new() };
    let running = mcp.serve(stdio_pipes()).await.map_err(|error| error.to_string())?;
    running.waiting().await.map(drop).map_err(|error| error.to_string())
}

impl Mcp {
    async fn scopes(&self) -> Result<&[(usize, Scope)], String> {
        self.scopes.get_or_try_init(|| self.api.scopes()).await.map(Vec::as_slice)
    }

    /// The token that may.
    async fn token_for(&self, needs: Scope) -> Result<usize, String> {
        let scopes = self.scopes().await?;
        let found = scopes.iter().find(|(_, scope)| *scope == needs).map(|(token, _)| *token);
        found.ok_or_else(|| {
            let word = match needs {
                Scope::Read => "read",
                Scope::Act => "act",
                Scope::Push => "push",
            };
            format!("no token of this server has the scope {word} (`pushcron web token NAME --scope {word}`)")
        })
    }

    async fn carry_out(&self, spec: &Spec, ask: &Ask) -> Result<CallToolResult, String> {
        let token = self.token_for(spec.needs).await?;
        Ok(result(self.api.ask(ask, token).await?))
    }
}

/// An answer of the API as that of a tool: what was refused, or came to nothing by an error, is one.
fn result(answer: Answer) -> CallToolResult {
    let has_failed = answer.body["count"] == 0 && !answer.body["error"].is_null() && answer.status == 200;
    let mut body = answer.body.clone();
    if answer.status == 202
        && let Value::Object(keys) = &mut body
    {
        let note = "recorded and still open: pushcron goes on with it, so do not push it again";
        keys.insert("note".to_owned(), note.into());
    }
    match answer.status {
        200..=299 if !has_failed => CallToolResult::structured(body),
        200..=299 => CallToolResult::structured_error(body),
        _ => {
            let mut refused = CallToolResult::structured_error(body);
            refused.content.insert(0, ContentBlock::text(told(&answer)));
            refused
        }
    }
}

fn described(spec: &Spec) -> Tool {
    let Value::Object(schema) = (spec.takes)() else { return Tool::default() };
    let reads = spec.needs == Scope::Read;
    let hints = ToolAnnotations::new().read_only(reads).destructive(spec.name == "cancel").open_world(!reads);
    Tool::new(spec.name, spec.about, schema).with_annotations(hints)
}

impl ServerHandler for Mcp {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("pushcron", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let scopes = self.scopes().await.map_err(|problem| ErrorData::internal_error(problem, None))?;
        let allowed = TOOLS.iter().filter(|spec| scopes.iter().any(|(_, scope)| *scope == spec.needs));
        Ok(ListToolsResult::with_all_items(allowed.map(described).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(spec) = TOOLS.iter().find(|spec| spec.name == request.name) else {
            return Err(ErrorData::invalid_params(format!("there is no tool '{}'", request.name), None));
        };
        let done = match (spec.ask)(request.arguments.unwrap_or_default()) {
            Ok(ask) => self.carry_out(spec, &ask).await,
            Err(problem) => Err(problem),
        };
        // Whoever asked reads why: a fault of the protocol they would not see.
        Ok(done.unwrap_or_else(|problem| CallToolResult::error(vec![ContentBlock::text(problem)])).into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_came_to_nothing_is_an_error_and_what_is_open_is_told_as_such() {
        for (status, body, is_error, part) in [
            (200, json!({"count": 1, "error": null}), false, "count"),
            (200, json!({"count": 1, "error": "the first attempt failed"}), false, "count"),
            (200, json!({"count": 0, "error": "HTTP 400"}), true, "HTTP 400"),
            (200, json!({"count": 0, "error": null, "state": "cancelled"}), false, "cancelled"),
            (202, json!({"count": 0, "error": "HTTP 429"}), false, "do not push it again"),
            (201, json!({"act": "defined"}), false, "defined"),
            (403, json!({"detail": "not with this token"}), true, "HTTP 403: not with this token"),
            (502, json!({}), true, "HTTP 502"),
        ] {
            let told = json!(result(Answer { status, body: body.clone() }));
            assert_eq!(told["isError"], is_error, "{status} {body}");
            assert!(told["content"].to_string().contains(part), "{status} {body}: {told}");
        }
    }
}
