//! From a target to the room to which it leads today.
//!
//! Aliases are moved and rooms replaced (`m.room.tombstone`), and who has the power may go on writing in a room that
//! everybody left, with a good answer each time. So a target is looked at again after some minutes, at a reload, and as
//! soon as its room refuses. A transaction id does not reach across rooms: what may have arrived in one is a second
//! message in another.

use serde_json::Value;

use super::Matrix;
use super::answer::text_of;
use super::places::{Lead, Place, key};
use crate::domain::{Delivery, Target};
use crate::senders::sender::MemoryError;
use crate::senders::shared::budget::Budget;
use crate::senders::shared::failure::{Class, Failure};

/// Rooms that replace each other for longer than this lead nowhere.
const MOST_HOPS: usize = 8;

/// A room that is followed to its end.
pub(super) struct Followed {
    pub room: String,
    pub encrypted: bool,
    pub hops: usize,
}

impl Matrix {
    /// The room to which the delivery's target leads.
    pub(super) async fn place(&self, delivery: &Delivery, budget: &Budget) -> Result<Place, Failure> {
        self.places.saw(delivery);
        let slot = self.places.slot(&delivery.target);
        let mut known = self.in_time(slot.lock(), budget).await?;
        if let Some(place) = &*known
            && self.places.is_fresh(place.seen, self.wire.steady.now())
            && self.still_reaches(&delivery.target, &place.lead.room, budget).await?
        {
            return Ok(place.clone());
        }
        let last = known.take();
        let found = self.look_up(&delivery.target, last.as_ref(), budget).await;
        *known = match &found {
            Ok(place) => Some(place.clone()),
            Err(_) => last.map(|place| Place { seen: None, ..place }),
        };
        found
    }

    /// As [`Matrix::place`], after the room of `refused` said no.
    pub(super) async fn other_place(
        &self,
        refused: &Place,
        delivery: &Delivery,
        budget: &Budget,
    ) -> Result<Place, Failure> {
        let slot = self.places.slot(&delivery.target);
        if let Some(known) = &mut *self.in_time(slot.lock(), budget).await?
            && known.lead.room == refused.lead.room
        {
            known.seen = None;
        }
        self.place(delivery, budget).await
    }

    async fn still_reaches(&self, target: &Target, room: &str, budget: &Budget) -> Result<bool, Failure> {
        match target {
            Target::Group(_) => Ok(true),
            Target::User(user) => self.is_usable(room, user, budget).await,
        }
    }

    async fn look_up(&self, target: &Target, last: Option<&Place>, budget: &Budget) -> Result<Place, Failure> {
        let seen = Some(self.places.seen(self.wire.steady.now()));
        let known = match last {
            Some(place) => Some(place.lead.clone()),
            None => self.load(target).await?,
        };
        let led_to = known.as_ref().map(|lead| lead.room.as_str());
        let (named, found) = match target {
            Target::Group(alias) if alias.starts_with('#') => {
                let answer = self.prepare(self.wire.http.get(self.path(&["directory", "room", alias])), budget).await?;
                let room = text_of(&answer, "room_id")?;
                (None, self.follow(&room, led_to, budget).await?)
            }
            // A room is replaced by one other at most, so that what was found before still holds.
            Target::Group(room) => (Some(room), self.follow(led_to.unwrap_or(room), led_to, budget).await?),
            Target::User(user) => (None, self.direct_room(user, led_to, budget).await?),
        };
        let led_to = led_to.or(named.map(String::as_str));
        let lead = match (led_to, &known) {
            (Some(room), known) if room == found.room => known.clone().unwrap_or_else(|| Lead::to(room)),
            (Some(before), _) => {
                tracing::info!(account = self.wire.account, %target, before, now = found.room, "another room from now on");
                let since = self.places.changed_at(self.wire.now());
                Lead { room: found.room.clone(), before: Some((before.to_owned(), since)) }
            }
            (None, _) => Lead::to(&found.room),
        };
        // What a room's own id leads to needs no note for as long as that is the room.
        if known.as_ref() != Some(&lead) && named != Some(&lead.room) {
            self.wire.save(&key(target), &lead.as_text()).await.map_err(forgetful)?;
        }
        let replaces =
            !matches!(target, Target::User(_)) && (found.hops > 0 || named.is_some_and(|named| *named != lead.room));
        Ok(Place { lead, encrypted: found.encrypted, replaces, seen })
    }

    async fn load(&self, target: &Target) -> Result<Option<Lead>, Failure> {
        let (notes, key) = (self.wire.load().await.map_err(forgetful)?, key(target));
        Ok(notes.into_iter().find(|(known, _)| *known == key).map(|(_, text)| Lead::parse(&text)))
    }

    /// The room that `start` became. One that is not `known` yet, and into which nobody may have put us since it took
    /// the place of another, is joined.
    pub(super) async fn follow(&self, start: &str, known: Option<&str>, budget: &Budget) -> Result<Followed, Failure> {
        let (mut room, mut hops, mut joined) = (start.to_owned(), 0, false);
        loop {
            let (replacement, encrypted) = self.standing(&room, budget).await?;
            let is_new = (hops > 0 || known.is_some()) && known != Some(&room);
            match replacement {
                Some(_) if hops == MOST_HOPS => {
                    let error = format!("{start} was replaced {MOST_HOPS} times over, or by itself: name another room");
                    return Err(Failure::target_gone(error));
                }
                Some(replacement) => (room, hops, joined) = (replacement, hops + 1, false),
                None if joined || !is_new => return Ok(Followed { room, encrypted, hops }),
                None => {
                    self.join(&room, known.filter(|_| hops == 0).unwrap_or(start), budget).await?;
                    joined = true;
                }
            }
        }
    }

    /// By which room this one was replaced, and whether it is encrypted; as far as we may look into it.
    pub(super) async fn standing(&self, room: &str, budget: &Budget) -> Result<(Option<String>, bool), Failure> {
        let (tombstone, encryption) =
            tokio::join!(self.state(room, "m.room.tombstone", budget), self.state(room, "m.room.encryption", budget));
        let replacement = tombstone?["replacement_room"].as_str().filter(|new| !new.is_empty()).map(str::to_owned);
        Ok((replacement, encryption?["algorithm"].is_string()))
    }

    /// A piece of a room's state, null where there is none or we may not see it: then the send shows what holds.
    async fn state(&self, room: &str, kind: &str, budget: &Budget) -> Result<Value, Failure> {
        let request = self.wire.http.get(self.path(&["rooms", room, "state", kind]));
        match self.call(request, budget.left()?).await {
            Ok(state) => Ok(state),
            Err(refusal) => match refusal.failure.class {
                Class::TargetGone | Class::Rejected => Ok(Value::Null),
                // Not the homeserver's own words: a proxy that lets only some paths pass.
                Class::AccountDown if refusal.errcode.is_empty() => Ok(Value::Null),
                _ => Err(refusal.failure.before_the_send()),
            },
        }
    }

    async fn join(&self, room: &str, before: &str, budget: &Budget) -> Result<(), Failure> {
        let servers = [room, before].into_iter().filter_map(|id| id.split_once(':')).map(|(_, server)| server);
        let via: Vec<(&str, &str)> = servers.flat_map(|server| [("via", server), ("server_name", server)]).collect();
        let request = self.wire.http.post(self.path(&["join", room])).query(&via).json(&serde_json::json!({}));
        let Err(failure) = self.prepare(request, budget).await else { return Ok(()) };
        match failure.class {
            Class::TargetGone | Class::Rejected => {
                let error = format!(
                    "{before} was replaced by {room}, which the account may not join: invite it there, or name \
                     another room ({})",
                    failure.error
                );
                Err(Failure { class: Class::TargetGone, error, ..failure })
            }
            _ => Err(failure),
        }
    }

    /// What another push holds may take longer than this one has.
    pub(super) async fn in_time<T>(&self, waiting: impl Future<Output = T>, budget: &Budget) -> Result<T, Failure> {
        budget.left()?;
        tokio::select! {
            biased;
            done = waiting => Ok(done),
            () = self.wire.clock.sleep_until(budget.end()) => {
                let error = "the time of this attempt ran out while another push looked up the same room";
                Err(Failure::unreachable(error))
            }
        }
    }
}

/// Without the memory a push would open a room of its own each time, or go to another room than its first try did, so
/// it waits until the memory works.
fn forgetful(error: MemoryError) -> Failure {
    Failure::unreachable(format!("cannot look up where the room was before: {error}"))
}
