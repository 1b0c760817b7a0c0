//! The room in which one user is written to.

use serde_json::{Value, json};

use super::Matrix;
use super::answer::{Refusal, judge, text_of};
use super::rooms::Followed;
use crate::senders::shared::budget::Budget;
use crate::senders::shared::failure::{Class, Failure};

/// Of a long list of direct rooms only the last ones are looked at.
const MOST_CANDIDATES: usize = 8;

/// An account's list of direct rooms names everybody to whom it ever wrote.
const LIST_CAP: usize = 8 * 1024 * 1024;

impl Matrix {
    /// The direct room with this user: the `known` one or what it became, else the last one that the account's own list
    /// of direct rooms names and that both can use, else a new one.
    pub(super) async fn direct_room(
        &self,
        user: &str,
        known: Option<&str>,
        budget: &Budget,
    ) -> Result<Followed, Failure> {
        if let Some(room) = known
            && let Some(found) = self.usable_end(room, user, budget).await?
        {
            return Ok(found);
        }
        // One list, which is read, added to and written.
        let _list = self.in_time(self.listing.lock(), budget).await?;
        let url = self.path(&["user", self.user_id(budget).await?, "account_data", "m.direct"]);
        let list = self.direct_list(&url, budget).await?;
        let rooms = texts(&list[user]);
        for room in rooms.iter().rev().filter(|room| Some(room.as_str()) != known).take(MOST_CANDIDATES) {
            match self.usable_end(room, user, budget).await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                // Nobody can be asked into this one; another may do.
                Err(failure) if failure.class == Class::TargetGone => {}
                Err(failure) => return Err(failure),
            }
        }
        let room = self.create(user, budget).await?;
        self.list(&url, list, user, rooms, &room, budget).await;
        // Servers may encrypt each new room. That nobody can tell must not make the next push open another one.
        let encrypted = self.standing(&room, budget).await.is_ok_and(|(_, encrypted)| encrypted);
        Ok(Followed { room, encrypted, hops: 0 })
    }

    /// What the room became, if both can use that.
    async fn usable_end(&self, room: &str, user: &str, budget: &Budget) -> Result<Option<Followed>, Failure> {
        let found = match self.follow(room, Some(room), budget).await {
            Ok(found) => found,
            // It was replaced by a room that we may not enter.
            Err(failure) if failure.class == Class::TargetGone => return Ok(None),
            Err(failure) => return Err(failure),
        };
        Ok(self.is_usable(&found.room, user, budget).await?.then_some(found))
    }

    async fn direct_list(&self, url: &str, budget: &Budget) -> Result<Value, Failure> {
        let request = self.wire.http.get(url).bearer_auth(self.token.expose());
        let reply = self.wire.http.call_for_much(request, budget.left()?, LIST_CAP).await;
        match judge(&reply.map_err(|error| Failure::from(error).before_the_send())?, self.wire.now()) {
            Ok(list) if list.is_object() => Ok(list),
            Ok(_) => Ok(json!({})),
            // The account has never had a direct room.
            Err(refusal) if refusal.errcode == "M_NOT_FOUND" => Ok(json!({})),
            Err(refusal) => Err(our_fault(refusal.failure)),
        }
    }

    async fn create(&self, user: &str, budget: &Budget) -> Result<String, Failure> {
        let new = json!({"is_direct": true, "preset": "trusted_private_chat", "invite": [user]});
        let created = self.prepare(self.wire.http.post(self.path(&["createRoom"])).json(&new), budget).await?;
        text_of(&created, "room_id")
    }

    /// The list is for people's clients; the room works without it, and the memory has it.
    async fn list(&self, url: &str, mut list: Value, user: &str, known: Vec<String>, room: &str, budget: &Budget) {
        list[user] = known.into_iter().chain([room.to_owned()]).collect();
        if let Err(failure) = self.prepare(self.wire.http.put(url).json(&list), budget).await {
            tracing::warn!(account = self.wire.account, error = failure.error, "cannot list a new direct room");
        }
    }

    /// Whether we are in the room and the user is, or is invited; a user who left is asked in again.
    pub(super) async fn is_usable(&self, room: &str, user: &str, budget: &Budget) -> Result<bool, Failure> {
        let members =
            self.call(self.wire.http.get(self.path(&["rooms", room, "joined_members"])), budget.left()?).await;
        let members = match members {
            Ok(members) => members,
            Err(refusal) => return not_there(*refusal).map(|()| false),
        };
        if members["joined"].get(user).is_some() {
            return Ok(true);
        }
        let state = self.path(&["rooms", room, "state", "m.room.member", user]);
        let membership = match self.call(self.wire.http.get(state), budget.left()?).await {
            Ok(state) => state["membership"].as_str().unwrap_or_default().to_owned(),
            Err(refusal) => {
                not_there(*refusal)?;
                String::new()
            }
        };
        match membership.as_str() {
            "invite" => Ok(true),
            "ban" => Err(Failure::target_gone(format!("{user} is banned from the direct room"))),
            _ => {
                let invite = self.wire.http.post(self.path(&["rooms", room, "invite"])).json(&json!({"user_id": user}));
                self.prepare(invite, budget).await.map(|_| true)
            }
        }
    }

    async fn user_id(&self, budget: &Budget) -> Result<&str, Failure> {
        let ask = || async {
            let answer = self.prepare(self.wire.http.get(self.path(&["account", "whoami"])), budget).await;
            text_of(&answer.map_err(our_fault)?, "user_id")
        };
        self.user_id.get_or_try_init(ask).await.map(String::as_str)
    }
}

/// A refusal that means "not in this room" is an answer; every other one is a failure.
fn not_there(refusal: Refusal) -> Result<(), Failure> {
    match refusal.failure.class {
        Class::TargetGone => Ok(()),
        _ => Err(refusal.failure.before_the_send()),
    }
}

/// Who may not ask about itself has no right target either.
fn our_fault(failure: Failure) -> Failure {
    match failure.class {
        Class::TargetGone => failure.classed(Class::AccountDown),
        _ => failure.before_the_send(),
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
