//! The room in which one user is written to.

use serde_json::{Value, json};

use super::{Matrix, Refusal, before_the_send, text_of};
use crate::domain::{Outcome, Report};
use crate::senders::parts::Budget;

/// What the memory's keys for direct rooms begin with.
const DIRECT: &str = "direct:";

impl Matrix {
    /// The direct room with this user: the one remembered, else the last one that the account's own list of direct
    /// rooms names and that both can use, else a new one.
    pub(super) async fn direct_room(&self, user: &str, budget: &Budget) -> Result<String, Report> {
        let known = self.known_room(user).await?;
        if let Some(room) = &known
            && self.is_usable(room, user, budget).await?
        {
            return Ok(room.clone());
        }
        let mut rooms = self.rooms.lock().await;
        match rooms.get(user) {
            // Another push found or made it meanwhile.
            Some(room) if Some(room) != known.as_ref() => Ok(room.clone()),
            _ => {
                let room = self.find_or_create(user, budget).await?;
                rooms.insert(user.to_owned(), room.clone());
                self.remember(user, &room).await?;
                Ok(room)
            }
        }
    }

    async fn known_room(&self, user: &str) -> Result<Option<String>, Report> {
        let mut rooms = self.rooms.lock().await;
        if let Some(room) = rooms.get(user) {
            return Ok(Some(room.clone()));
        }
        let notes = self.memory.recall(&self.account).await.map_err(forgetful)?;
        let room = notes.into_iter().find(|(key, _)| key.strip_prefix(DIRECT) == Some(user)).map(|(_, room)| room);
        if let Some(room) = &room {
            rooms.insert(user.to_owned(), room.clone());
        }
        Ok(room)
    }

    async fn find_or_create(&self, user: &str, budget: &Budget) -> Result<String, Report> {
        let list = self.path(&["user", self.user_id(budget).await?, "account_data", "m.direct"]);
        let mut direct = match self.call(self.http.get(&list), budget.left()?).await {
            Ok(direct) => direct,
            // The account has never had a direct room.
            Err(refusal) if refusal.errcode == "M_NOT_FOUND" => json!({}),
            Err(refusal) => return Err(before_the_send(refusal.report)),
        };
        let known: Vec<String> = texts(&direct[user]);
        for room in known.iter().rev() {
            if self.is_usable(room, user, budget).await? {
                return Ok(room.clone());
            }
        }
        let new = json!({"is_direct": true, "preset": "trusted_private_chat", "invite": [user]});
        let created = self.prepare(self.http.post(self.path(&["createRoom"])).json(&new), budget).await?;
        let room = text_of(&created, "room_id")?;
        direct[user] = known.into_iter().chain([room.clone()]).collect();
        // The list is for people's clients; the room works without it, and the memory has it.
        if let Err(report) = self.prepare(self.http.put(&list).json(&direct), budget).await {
            tracing::warn!(account = self.account, error = report.error, "cannot list a new direct room");
        }
        Ok(room)
    }

    /// Whether we are in the room and the user is, or is invited; a user who left is asked in again.
    async fn is_usable(&self, room: &str, user: &str, budget: &Budget) -> Result<bool, Report> {
        let members = self.call(self.http.get(self.path(&["rooms", room, "joined_members"])), budget.left()?).await;
        let members = match members {
            Ok(members) => members,
            Err(refusal) => return not_there(*refusal).map(|()| false),
        };
        if members["joined"].get(user).is_some() {
            return Ok(true);
        }
        let state = self.path(&["rooms", room, "state", "m.room.member", user]);
        let membership = match self.call(self.http.get(state), budget.left()?).await {
            Ok(state) => state["membership"].as_str().unwrap_or_default().to_owned(),
            Err(refusal) => {
                not_there(*refusal)?;
                String::new()
            }
        };
        match membership.as_str() {
            "invite" => Ok(true),
            "ban" => Err(Report::failed(Outcome::TargetGone, format!("{user} is banned from the direct room"))),
            _ => {
                let invite = self.http.post(self.path(&["rooms", room, "invite"])).json(&json!({"user_id": user}));
                self.prepare(invite, budget).await.map(|_| true)
            }
        }
    }

    async fn user_id(&self, budget: &Budget) -> Result<&str, Report> {
        let ask = || async {
            let answer = self.prepare(self.http.get(self.path(&["account", "whoami"])), budget).await?;
            text_of(&answer, "user_id")
        };
        self.user_id.get_or_try_init(ask).await.map(String::as_str)
    }

    async fn remember(&self, user: &str, room: &str) -> Result<(), Report> {
        self.memory.remember(&self.account, &format!("{DIRECT}{user}"), room).await.map_err(forgetful)
    }
}

/// Without the memory a push would open a room of its own each time, so it waits until the memory works.
fn forgetful(error: crate::senders::MemoryError) -> Report {
    Report::failed(Outcome::Unreachable, format!("cannot look up the direct room: {error}"))
}

/// A refusal that means "not in this room" is an answer; every other one is a failure.
fn not_there(refusal: Refusal) -> Result<(), Report> {
    match refusal.report.outcome {
        Outcome::TargetGone => Ok(()),
        _ => Err(before_the_send(refusal.report)),
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
