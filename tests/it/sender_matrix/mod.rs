//! The matrix sender against a scripted server: what it asks, and what it makes of every answer (others.md §6). How a
//! real homeserver takes it is seen in `matrix_synapse.rs`.

mod direct;
mod messages;
mod rooms;
mod uploads;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::fake_im::Answer;
use crate::common::senders::Stage;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

const ROOM: &str = "!abc/d:im.test";
const OLD: &str = "!old:im.test";
const NEW: &str = "!new:im.test";
const AL: &str = "@al:im.test";
const SEND: &str = "/send/m.room.message/";

async fn homeserver() -> Stage {
    Stage::of("matrix").await
}

impl Stage {
    /// The directory says that this alias stands for this room.
    fn alias(&self, alias: &str, room: &str) {
        let answer = json!({"room_id": room, "servers": ["im.test"]});
        self.im.on(&format!("/directory/room/{}", segment(alias)), Answer::json(200, answer));
    }

    /// The room was replaced by an upgrade. Who may write in the old one may go on doing so.
    fn replace(&self, old: &str, new: &str) {
        let tombstone = json!({"body": "This room has been replaced", "replacement_room": new});
        self.im.on(&format!("/rooms/{}/state/m.room.tombstone", segment(old)), Answer::json(200, tombstone));
    }

    /// Only members may look into the room or write in it, and the account becomes one by joining.
    fn closed_until_joined(&self, room: &str) {
        let joined = Arc::new(AtomicBool::new(false));
        let (at_join, room) = (joined.clone(), room.to_owned());
        let answers = [
            ("/send/", Answer::json(200, json!({"event_id": "$event"}))),
            ("/state/m.room.tombstone", refused(404, "M_NOT_FOUND")),
            ("/state/m.room.encryption", refused(404, "M_NOT_FOUND")),
        ];
        for (part, answer) in answers {
            let joined = joined.clone();
            self.im.handle(&format!("/rooms/{}{part}", segment(&room)), move |_| {
                if joined.load(Ordering::SeqCst) { answer.clone() } else { refused(403, "M_FORBIDDEN") }
            });
        }
        self.im.handle(&format!("/join/{}", segment(&room)), move |_| {
            at_join.store(true, Ordering::SeqCst);
            Answer::json(200, json!({"room_id": room}))
        });
    }

    /// Writing in this room is refused, as after an upgrade to those without power.
    fn forbid(&self, room: &str) {
        self.im.on(&format!("/rooms/{}{SEND}", segment(room)), refused(403, "M_FORBIDDEN"));
    }

    /// The rooms that were written to, in order.
    fn written(&self) -> Vec<String> {
        let room = |path: &str| {
            let room = path.split("/rooms/").nth(1).unwrap().split('/').next().unwrap().to_owned();
            percent_encoding::percent_decode_str(&room).decode_utf8().unwrap().into_owned()
        };
        self.im.requests_to(SEND).iter().map(|request| room(&request.path)).collect()
    }

    /// Both are in the room, or only we.
    fn members(&self, room: &str, users: &[&str]) {
        let joined: serde_json::Map<String, Value> = users.iter().map(|user| ((*user).to_owned(), json!({}))).collect();
        let answer = Answer::json(200, json!({"joined": joined}));
        self.im.on(&format!("/rooms/{}/joined_members", segment(room)), answer);
    }

    fn with_direct_rooms(&self, rooms: &[&str]) {
        self.im.on("/account_data/m.direct", Answer::json(200, json!({AL: rooms})));
    }
}

fn segment(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string().replace("%2D", "-").replace("%2E", ".").replace("%5F", "_")
}

fn refused(status: u16, errcode: &str) -> Answer {
    Answer::json(status, json!({"errcode": errcode, "error": "because"}))
}
