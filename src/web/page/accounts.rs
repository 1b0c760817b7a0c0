//! Accounts: who sends, and how each of them is.

use askama::Template;

use super::answer::{Answer, html};
use super::chart::Chart;
use super::figures::{WEEK, load};
use super::frame::Frame;
use super::stamp::Stamp;
use super::tell::Mark;
use crate::answers::accounts;
use crate::answers::rows::{Row, rows};
use crate::answers::when;
use crate::net::http1::StatusCode;
use crate::store::Table;
use crate::texts;
use crate::web::state::Api;

/// One account.
pub(super) struct AccountRow {
    pub id: String,
    pub im: String,
    pub sender: String,
    pub is_default: bool,
    pub mark: Mark,
    pub error: String,
    pub checked: Option<Stamp>,
    pub rests_until: Option<Stamp>,
    pub last_attempt: Option<Stamp>,
    pub last_outcome: String,
}

pub(super) fn account_rows(table: &Table, frame: &Frame) -> Vec<AccountRow> {
    rows(table).map(|row| account_row(row, frame)).collect()
}

fn account_row(row: Row<'_>, frame: &Frame) -> AccountRow {
    let at = |column: &str| row.instant(column).map(|at| frame.at(at, None));
    let (online, sendable) = (row.int("online"), row.int("sendable"));
    let rests = row.instant("cooldown_until").is_some_and(|until| until > frame.now);
    let mark = match (online, sendable) {
        (Some(0), _) => Mark::new("bad", "✗", frame.say(texts::account_offline())),
        (_, Some(0)) => Mark::new("bad", "✗", frame.say(texts::account_may_not())),
        _ if rests => Mark::new("open", "…", frame.say(texts::account_rests())),
        (Some(_), _) => Mark::new("good", "✓", frame.say(texts::account_online())),
        (None, Some(_)) => Mark::new("good", "✓", frame.say(texts::account_may())),
        (None, None) => Mark::new("gone", "–", frame.say(texts::account_untold())),
    };
    AccountRow {
        id: row.text("account").into_owned(),
        im: row.text("im").into_owned(),
        sender: row.text("sender").into_owned(),
        is_default: row.int("is_default") == Some(1),
        mark,
        error: row.text("last_error").into_owned(),
        checked: at("checked_at"),
        rests_until: at("cooldown_until").filter(|_| rests),
        last_attempt: at("last_attempt_at"),
        last_outcome: frame.say(texts::outcome(&row.text("last_outcome"))),
    }
}

#[derive(Template)]
#[template(path = "accounts.html", config = "src/web/askama.toml")]
struct AccountsPage {
    f: Frame,
    accounts: Vec<AccountRow>,
    missing_from: Option<Stamp>,
    /// How much came to whom, and when.
    chart: Chart,
}

impl Api {
    pub(super) async fn accounts_page(&self, frame: Frame) -> Answer {
        let f = frame.of_part("accounts", texts::nav_accounts());
        let accounts = account_rows(&accounts::known(&*self.reader).await?, &f);
        let hours = self.reader.hours(f.now - WEEK, f.now, f.now).await?;
        let chart = load(&hours.rows, &when::zone(f.zone()), &f);
        let missing_from = hours.missing_from.map(|at| f.at(at, None));
        html(StatusCode::OK, &AccountsPage { accounts, missing_from, chart, f })
    }
}
